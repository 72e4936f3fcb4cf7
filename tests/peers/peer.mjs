// A process of another program: it takes the same lock with that program's own library, enters the critical section,
// and lets go, until its time is up or it is killed. Usage: node peer.mjs PACKAGE DIR ID RUN_MS
//
// The critical section is a file created exclusively with the pid inside. Whoever finds one asks whether its maker lives:
// a killed one is cleared away, a living one is a double entry.
import fs from "node:fs";
import path from "node:path";

const [, , name, dir, id, runMs] = process.argv;
const { acquireFileLock } = await import(`${name}/file-lock`);
const target = path.join(dir, "session.jsonl");
const section = path.join(dir, "section");
const end = Date.now() + Number(runMs);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function stat(pid) {
  try {
    const rest = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ");
    return { state: rest[0], starttime: Number(rest[19]) };
  } catch {
    return null;
  }
}

function gone(pid, starttime) {
  const now = stat(pid);
  return now === null || now.state === "Z" || now.state === "X" || (starttime !== undefined && now.starttime !== starttime);
}

const dead = (payload) => typeof payload?.pid === "number" && gone(payload.pid, payload.starttime);
const report = (line) => fs.appendFileSync(path.join(dir, "violations"), `${line}\n`);

async function enter() {
  let maker = "";
  for (let tries = 0; tries < 200; tries += 1) {
    try {
      fs.writeFileSync(section, String(process.pid), { flag: "wx" });
      return;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
    }
    try {
      maker = fs.readFileSync(section, "utf8");
    } catch {
      // Removed just now: its maker was inside a moment ago.
      report(`double ${id}: somebody left while it entered`);
      continue;
    }
    if (maker !== "" && gone(Number(maker))) fs.rmSync(section, { force: true });
    else await sleep(2);
  }
  // An empty one is what a kill between creating and writing left.
  if (maker !== "") report(`double ${id}: ${maker} is inside`);
  fs.rmSync(section, { force: true });
}

let entries = 0;
const mine = stat(process.pid);
while (Date.now() < end) {
  const handle = await acquireFileLock(target, {
    staleMs: 3_600_000,
    timeoutMs: 60_000,
    retry: { retries: 100_000, factor: 1, minTimeout: 5, maxTimeout: 10 },
    staleRecovery: "remove-if-unchanged",
    payload: () => ({ pid: process.pid, createdAt: new Date().toISOString(), maxHoldMs: 300_000, starttime: mine.starttime }),
    shouldReclaim: ({ payload }) => dead(payload),
    shouldRemoveStaleLock: ({ payload }) => dead(payload),
  });
  await enter();
  await sleep(1);
  let owner = null;
  try {
    owner = JSON.parse(fs.readFileSync(`${target}.lock`, "utf8")).pid;
  } catch {
    // Reported as lost below.
  }
  if (owner !== process.pid) report(`lost ${id}`);
  fs.rmSync(section, { force: true });
  await handle.release();
  entries += 1;
  console.log(`ack ${id} ${entries}`);
  // That library has no queue; without a pause one process would keep the lock to itself.
  await sleep(5);
}
