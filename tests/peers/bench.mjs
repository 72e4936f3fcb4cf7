// The other program's own lock library under the loads of `cargo bench -p moorline-lock-core --bench lock`, which starts this.
// Usage: node bench.mjs PACKAGE cycles DIR           COUNT on each line of standard input: so many acquires and releases
//        node bench.mjs PACKAGE tasks DIR TASKS MILLISECONDS START
// START is in milliseconds since the epoch, so that several processes begin together. Each answer is one line of JSON, with
// times in microseconds.
//
// Settings are that library's defaults with the budget its host program gives (60 s), and that program's rule for what may be
// reclaimed: the lock of a dead owner, or one of this very process that the library does not know it holds.
import fs from "node:fs";
import path from "node:path";
import readline from "node:readline";

const [, , name, mode, dir, ...numbers] = process.argv;
const [count, milliseconds, start] = numbers.map(Number);
const { acquireFileLock } = await import(`${name}/file-lock`);
const target = path.join(dir, "session.jsonl");
const line = '{"type":"message","text":"one line of a transcript"}\n';

function starttime(pid) {
  try {
    return Number(fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").pop().split(" ")[19]);
  } catch {
    return null;
  }
}

const mine = starttime(process.pid);

function reclaimable({ payload, heldByThisProcess }) {
  if (typeof payload?.pid !== "number") return false;
  if (payload.pid === process.pid) return heldByThisProcess === false;
  const now = starttime(payload.pid);
  return now === null || now !== payload.starttime;
}

const options = {
  staleMs: 1_800_000,
  timeoutMs: 60_000,
  staleRecovery: "remove-if-unchanged",
  payload: () => ({ pid: process.pid, createdAt: new Date().toISOString(), maxHoldMs: 300_000, starttime: mine }),
  shouldReclaim: reclaimable,
  shouldRemoveStaleLock: ({ payload }) => reclaimable({ payload, heldByThisProcess: false }),
};

async function cycle() {
  const handle = await acquireFileLock(target, options);
  await handle.release();
}

/** Acquires and releases alone. */
async function cycles() {
  // A JIT compiler gets its time first.
  for (let number = 0; number < 300; number += 1) await cycle();
  for await (const count of readline.createInterface({ input: process.stdin })) {
    const took = [];
    for (let number = 0; number < Number(count); number += 1) {
      const began = performance.now();
      await cycle();
      took.push((performance.now() - began) * 1000);
    }
    console.log(JSON.stringify(took));
  }
}

/** Tasks that lock, append a line and release until the time is up. */
async function tasks() {
  const open = () => fs.readdirSync("/proc/self/fd").length;
  let inside = 0;
  let doubles = 0;
  const errors = {};
  const took = [];
  const before = open();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, start - Date.now())));
  const end = Date.now() + milliseconds;
  await Promise.all(
    Array.from({ length: count }, async () => {
      while (Date.now() < end) {
        const began = performance.now();
        let handle;
        try {
          handle = await acquireFileLock(target, options);
        } catch (error) {
          errors[error.code ?? "other"] = (errors[error.code ?? "other"] ?? 0) + 1;
          continue;
        }
        took.push((performance.now() - began) * 1000);
        if (inside > 0) doubles += 1;
        inside += 1;
        await fs.promises.appendFile(target, line);
        inside -= 1;
        await handle.release();
      }
    }),
  );
  const seconds = (Date.now() - end + milliseconds) / 1000;
  console.log(JSON.stringify({ took, doubles, errors, seconds, descriptors: open() - before }));
}

await (mode === "cycles" ? cycles() : tasks());
