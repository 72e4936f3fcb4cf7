// An MCP client nobody here wrote, driven line by line: a command as JSON on standard input, its outcome as JSON on
// standard output, with the name it was given. Usage: node mcp.mjs stdio PROGRAM [ARG...] | node mcp.mjs http URL HEADERS
import readline from "node:readline";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";

const [, , kind, target, ...rest] = process.argv;
const transport =
  kind === "stdio"
    ? new StdioClientTransport({ command: target, args: rest, stderr: "inherit" })
    : new StreamableHTTPClientTransport(new URL(target), { requestInit: { headers: JSON.parse(rest[0]) } });

const client = new Client({ name: "test", version: "1" });
const say = (as, outcome) => process.stdout.write(`${JSON.stringify({ as, ...outcome })}\n`);
const settle = (as, promise) =>
  promise.then(
    (result) => say(as, { result }),
    (error) => say(as, { error: { code: error.code ?? null, message: String(error.message) } }),
  );

await settle(
  "connect",
  client.connect(transport).then(() => ({
    server: client.getServerVersion(),
    capabilities: client.getServerCapabilities(),
    instructions: client.getInstructions(),
  })),
);

// Answers to requests that were written by hand are not the client's own.
const byHand = new Map();
const ours = transport.onmessage;
transport.onmessage = (message, extra) => {
  const as = byHand.get(message.id);
  if (as === undefined) ours(message, extra);
  else say(as, { result: message.result, error: message.error });
};

const cancels = new Map();
for await (const line of readline.createInterface({ input: process.stdin })) {
  const { op, as, ...given } = JSON.parse(line);
  if (op === "list") settle(as, client.listTools());
  else if (op === "call") {
    const cancel = new AbortController();
    cancels.set(as, cancel);
    settle(as, client.callTool(given, undefined, { signal: cancel.signal }));
  } else if (op === "cancel") cancels.get(as).abort("no longer wanted");
  else if (op === "by-hand") {
    byHand.set(given.request.id, as);
    transport.send({ jsonrpc: "2.0", ...given.request }).catch((error) => say(as, { error: { message: String(error) } }));
  }
}
await client.close();
