// What is shown, from what the gateway said. Everything that came from outside goes into the page as text, never as markup:
// a session may be named like a script.

export const age = (ms) => {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 120e3) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 7200e3) return `${Math.floor(ms / 60e3)} min`;
  return `${Math.floor(ms / 3600e3)} h ${Math.floor((ms % 3600e3) / 60e3)} min`;
};

export const clock = (ms) => new Date(ms).toLocaleTimeString([], { hour12: false });

// The session of a lock, which lies beside its transcript as sessions/AGENT/REST.jsonl.lock; anything else by its file name.
export const session = (lockPath) => {
  const [file, agent] = String(lockPath).split("/").reverse();
  const rest = file.replace(/\.lock$/, "").replace(/\.jsonl$/, "");
  return agent === undefined ? rest : `agent:${agent}:${rest.replaceAll("~", ":")}`;
};

const element = (name, text) => {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = String(text);
  return made;
};

// A cell is text, or { tag, tone }, or { mono }.
const fill = (cell, value) => {
  const text = value?.tag ?? value?.mono ?? value;
  if (text === null || text === undefined || text === "") return;
  if (typeof value === "object") {
    const inner = element("span", text);
    inner.className = value.tag === undefined ? "mono" : "tag";
    if (value.tone) inner.dataset.tone = value.tone;
    cell.append(inner);
  } else {
    cell.textContent = String(text);
  }
};

// Shows rows under headers; says so when there are none. Nothing is touched when nothing changed, so that a reader's
// selection stays.
const shown = new Map();
export const table = (id, headers, rows, nothing) => {
  const same = JSON.stringify(rows);
  if (shown.get(id) === same) return;
  shown.set(id, same);
  const place = document.getElementById(id);
  if (rows.length === 0) {
    const empty = element("p", nothing);
    empty.className = "empty";
    place.replaceChildren(empty);
    return;
  }
  const whole = element("table");
  whole.setAttribute("aria-labelledby", `h-${id}`);
  const head = whole.createTHead().insertRow();
  for (const header of headers) {
    const cell = element("th", header);
    cell.scope = "col";
    head.append(cell);
  }
  const body = whole.createTBody();
  for (const row of rows) {
    const line = body.insertRow();
    row.forEach((value, column) => {
      const cell = line.insertCell();
      cell.dataset.label = headers[column];
      fill(cell, value);
    });
  }
  place.replaceChildren(whole);
};

export const numbers = (pairs) => {
  const place = document.getElementById("numbers");
  place.replaceChildren(
    ...pairs.map(([what, number, tone]) => {
      const pair = element("div");
      const value = element("dd", number);
      if (tone) value.dataset.tone = tone;
      pair.append(element("dt", what), value);
      return pair;
    }),
  );
};

const LOCK_TONES = { live: "good", stale: "warn", dead: "bad", contended: "warn" };
export const lockRow = (lock) => [
  { mono: session(lock.lockPath) },
  { tag: lock.state, tone: LOCK_TONES[lock.state] ?? "faint" },
  lock.staleReasons.join(", "),
  lock.pid === null ? "not known" : `pid ${lock.pid}${lock.pidAlive === false ? ", gone" : ""}`,
  age(lock.ageMs),
  { mono: lock.owner?.runId ?? "" },
];

export const waiterRow = (waiter) => [{ mono: session(waiter.lockPath) }, "the session lock", { mono: waiter.runId }, age(waiter.waitedMs)];

const ANNOUNCE_TONES = { delivered: "good", silent: "good", prepared: "faint", sending: "faint", uncertain: "warn", rejected: "bad", expired: "bad" };
export const announceRow = (row) => [
  clock(row.createdAt),
  { tag: row.state, tone: ANNOUNCE_TONES[row.state] ?? "faint" },
  { mono: row.requester },
  { mono: row.childRunId },
  row.sends,
  row.cause ?? "",
];

const OUTCOME_TONES = { replied: "good", parked: "warn", superseded: "warn", failed: "bad", cancelled: "faint" };
export const runRow = (run) => [
  clock(run.at),
  { mono: run.session ?? "" },
  run.outcome === undefined ? { tag: "open", tone: "faint" } : { tag: run.outcome, tone: OUTCOME_TONES[run.outcome] ?? "faint" },
  run.said ?? run.code ?? "",
  run.took === undefined ? "" : age(run.took),
  { mono: run.id },
];
