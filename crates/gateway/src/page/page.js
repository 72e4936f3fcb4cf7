// The operator page. It logs in with a token from the address (#token=...), which never leaves the browser in an address,
// and keeps what it is given for it in the storage of this tab, which is of this host and port alone, as a cookie is not. It
// listens to the gateway's events over one WebSocket, and asks again for what events do not tell: locks of other
// processes come and go without the gateway hearing of it, so they are looked at every two seconds while somebody looks.
import { age, announceRow, clock, lockRow, numbers, runRow, session, table, waiterRow } from "./tables.js";

const LOOK_EVERY = 2000;
const KEPT = 50;
const SAID = 80;
const LOGIN = "login";
const PATIENCE = [500, 1000, 2000, 4000, 8000, 15000];

const seen = { trouble: [], decisions: [], runs: [] };
let socket = null;
let tries = 0;
let last = 0;
let calls = new Map();
let looking = false;
let again = false;
let timer = null;

const by = (id) => document.getElementById(id);
const say = (text, tone) => {
  const state = by("state");
  if (state.textContent !== text) state.textContent = text;
  state.dataset.tone = tone;
};

// --- Coming in

const login = async (token) => {
  const answer = await fetch("/login", { method: "POST", headers: { Authorization: `Bearer ${token}` } });
  if (answer.ok) sessionStorage.setItem(LOGIN, (await answer.json()).login);
  return answer.ok;
};

const askForToken = (why) => {
  sessionStorage.removeItem(LOGIN);
  by("main").hidden = true;
  by("login").hidden = false;
  by("refused").textContent = why;
  say("not logged in", "faint");
  by("token").focus();
};

by("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  const token = by("token").value.trim();
  by("token").value = "";
  try {
    if (await login(token)) connect();
    else askForToken("This is not the token of this gateway.");
  } catch {
    askForToken("The gateway does not answer.");
  }
});

// A WebSocket does not tell why it was refused; a call does.
const isStranger = async (secret) => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "health" });
  const headers = { "Content-Type": "application/json", Authorization: `Bearer ${secret}` };
  const answer = await fetch("/rpc", { method: "POST", headers, body });
  return answer.status === 401 || answer.status === 403;
};

// --- Talking

const call = (method, params) =>
  new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) return reject(new Error("not connected"));
    last += 1;
    const id = last;
    calls.set(id, { resolve, reject });
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params: params ?? {} }));
  });

const connect = () => {
  const secret = sessionStorage.getItem(LOGIN);
  if (secret === null) return askForToken("");
  by("login").hidden = true;
  // A page sets no header of a WebSocket but its protocols. The gateway answers with the first and never with the second.
  const address = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/rpc`;
  const opened = new WebSocket(address, ["moorline", `bearer.${secret}`]);
  socket = opened;
  opened.addEventListener("open", async () => {
    tries = 0;
    by("main").hidden = false;
    say("live", "good");
    await call("events.subscribe", {});
    await call("events.subscribe", { kinds: ["deltas"] });
    look();
  });
  opened.addEventListener("message", (event) => hear(JSON.parse(event.data)));
  opened.addEventListener("close", async () => {
    for (const { reject } of calls.values()) reject(new Error("the connection ended"));
    calls = new Map();
    try {
      if (await isStranger(secret)) return askForToken("");
    } catch {
      // Not there at all: tried again below.
    }
    const wait = PATIENCE[Math.min(tries, PATIENCE.length - 1)];
    tries += 1;
    say(`the gateway does not answer; next try in ${age(wait)}`, "bad");
    setTimeout(connect, wait);
  });
};

const hear = (message) => {
  if (message.method === "event") return note(message.params.result);
  const waiting = calls.get(message.id);
  calls.delete(message.id);
  if (message.error) waiting?.reject(new Error(message.error.message));
  else waiting?.resolve(message.result);
};

// --- What happens

const keep = (list, row) => {
  list.unshift(row);
  list.length = Math.min(list.length, KEPT);
};

const note = (event) => {
  const at = event.at;
  switch (event.event) {
    case "run_accepted":
      keep(seen.runs, { id: event.runId, session: event.sessionKey, at });
      break;
    case "run_requeued": {
      const run = seen.runs.find((run) => run.id === event.runId);
      if (run) run.said = undefined;
      keep(seen.trouble, [clock(at), { tag: "takeover", tone: "warn" }, { mono: run?.session ?? "" }, `${event.code}; the turn begins again`, { mono: event.runId }]);
      break;
    }
    case "run_delta": {
      // Comes many times a second: nothing else is looked at for it.
      const run = seen.runs.find((run) => run.id === event.runId);
      if (run) run.said = `${run.said ?? ""}${event.text}`.slice(-SAID);
      return showRuns();
    }
    case "run_ended": {
      const run = seen.runs.find((run) => run.id === event.runId);
      if (run) Object.assign(run, { said: undefined, outcome: event.outcome, code: event.code, took: at - run.at });
      else keep(seen.runs, { id: event.runId, at, outcome: event.outcome, code: event.code });
      if (event.outcome === "parked" || event.outcome === "superseded")
        keep(seen.trouble, [clock(at), { tag: "takeover", tone: "warn" }, { mono: run?.session ?? "" }, `the run ended as ${event.outcome}`, { mono: event.runId }]);
      break;
    }
    case "lock_stale":
      keep(seen.trouble, [clock(at), { tag: "stale", tone: "warn" }, { mono: session(event.lockPath) }, `${event.reasons.join(", ")}; owner pid ${event.ownerPid ?? "not known"}, left in place`, ""]);
      break;
    case "lock_reclaimed":
      keep(seen.trouble, [clock(at), { tag: "reclaimed", tone: "bad" }, { mono: session(event.lockPath) }, `owner pid ${event.ownerPid ?? "not known"} died: ${event.reasons.join(", ")}`, { mono: event.runId ?? "" }]);
      break;
    case "model_failed":
      keep(seen.decisions, [clock(at), { tag: event.code, tone: "warn" }, { mono: event.candidate }, "the call failed", { mono: event.runId }]);
      break;
    case "candidate_skipped":
      keep(seen.decisions, [clock(at), { tag: event.why, tone: "warn" }, { mono: event.candidate }, event.until ? `not called; left alone until ${clock(event.until)}` : "not called", { mono: event.runId }]);
      break;
    case "cooldown_set":
      keep(seen.decisions, [clock(at), { tag: event.why, tone: "warn" }, { mono: event.candidate }, `left alone until ${clock(event.until)}`, ""]);
      break;
    case "lagged":
      say(`live; ${event.missed} events were missed`, "warn");
      break;
    default:
      break;
  }
  look();
};

// --- What is there now

const look = async () => {
  if (looking) {
    again = true;
    return;
  }
  looking = true;
  clearTimeout(timer);
  try {
    await show();
  } catch (error) {
    if (socket?.readyState === WebSocket.OPEN) say(`live; ${error.message}`, "warn");
  }
  looking = false;
  // Bursts of events are one look.
  const soon = again ? 200 : LOOK_EVERY;
  again = false;
  if (!document.hidden && socket?.readyState === WebSocket.OPEN) timer = setTimeout(look, soon);
};

document.addEventListener("visibilitychange", () => {
  if (!document.hidden && socket?.readyState === WebSocket.OPEN) look();
});

const show = async () => {
  const [health, sessions, announces, { waiting: waiters }] = await Promise.all([call("health"), call("sessions.list"), call("announce.list"), call("locks.waiting")]);
  const agents = [...new Set(sessions.sessions.map(({ key }) => key.split(":")[1]))];
  const folders = await Promise.all(agents.map((agent) => call("locks.inspect", { path: `sessions/${agent}` })));
  const locks = folders.flat();
  const busy = sessions.sessions.filter(({ turns }) => turns > 0);
  const undelivered = announces.rows.filter(({ state }) => !["delivered", "silent"].includes(state)).length;
  const stale = locks.filter(({ state }) => state === "stale").length;
  const waiting = busy.reduce((sum, { turns }) => sum + turns - 1, 0);

  numbers([
    ["Locks held", locks.filter(({ state }) => state !== "dead").length],
    ["Stale locks", stale, stale > 0 ? "warn" : undefined],
    ["Turns open", health.lanes.turns],
    ["Turns waiting", waiting],
    ["Lock waiters", waiters.length, waiters.length > 0 ? "warn" : undefined],
    ["Sends open", health.sends.open],
    ["Announces open", undelivered, undelivered > 0 ? "warn" : undefined],
  ]);
  locks.sort((a, b) => (b.ageMs ?? 0) - (a.ageMs ?? 0));
  table("locks", ["Session", "State", "Reasons", "Owner", "Held for", "Run"], locks.map(lockRow), "Nobody holds a lock.");
  const lanes = busy.filter(({ turns }) => turns > 1).map(({ key, turns }) => [{ mono: key }, "the turn before", turns === 2 ? "1 turn" : `${turns - 1} turns`, ""]);
  table("waiting", ["Session", "Waits for", "Who", "For"], [...waiters.map(waiterRow), ...lanes], "Nobody waits for a session.");
  const newest = announces.rows.slice(-KEPT).reverse();
  table("announces", ["Kept at", "State", "Requester", "Child run", "Sends", "Cause"], newest.map(announceRow), "No result of a child is kept.");
  table("trouble", ["At", "What", "Session", "How", "Run"], seen.trouble, "Nothing stale, and nobody taken over.");
  table("decisions", ["At", "Why", "Candidate", "What", "Run"], seen.decisions, "No model call failed.");
  showRuns();
};

const showRuns = () =>
  table("runs", ["Began", "Session", "Outcome", "Says, or code", "Took", "Run"], seen.runs.map(runRow), "No turn since this page was opened.");

// --- Begin

const given = new URLSearchParams(location.hash.slice(1)).get("token");
if (given !== null) history.replaceState(null, "", location.pathname);
try {
  if (given !== null && !(await login(given))) askForToken("The token in the address is not that of this gateway.");
  else connect();
} catch {
  askForToken("The gateway does not answer.");
}
