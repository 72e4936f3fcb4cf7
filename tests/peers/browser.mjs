// A headless browser, driven line by line: a command as JSON on standard input, its outcome as JSON on standard output.
// Usage: node browser.mjs CHROMIUM PROFILE_DIR
import readline from "node:readline";
import { chromium } from "playwright-core";

const [, , executablePath, profile] = process.argv;
const context = await chromium.launchPersistentContext(profile, {
  executablePath,
  headless: true,
  viewport: { width: 1200, height: 900 },
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = context.pages()[0] ?? (await context.newPage());
// Everything that a reader of the console would see as wrong.
const errors = [];
page.on("console", (message) => ["error", "warning"].includes(message.type()) && errors.push(message.text()));
page.on("pageerror", (error) => errors.push(String(error)));
page.setDefaultTimeout(60000);

const does = {
  open: ({ url }) => page.goto(url).then(() => page.url()),
  // Waits until an element's text contains something, as a reader would.
  wait: ({ selector, contains }) =>
    page
      .waitForFunction(([selector, contains]) => document.querySelector(selector)?.innerText.includes(contains), [selector, contains])
      .then(() => page.innerText(selector)),
  evaluate: ({ js }) => page.evaluate(js),
  type: ({ selector, text }) => page.fill(selector, text).then(() => page.press(selector, "Enter")),
  press: ({ key }) => page.keyboard.press(key).then(() => page.evaluate("document.activeElement.id || document.activeElement.className")),
  look: ({ width, height, scheme }) =>
    page.setViewportSize({ width, height }).then(() => page.emulateMedia({ colorScheme: scheme })),
  screenshot: ({ path }) => page.screenshot({ path, fullPage: true }).then(() => path),
  cookies: () => context.cookies(),
  errors: async () => errors.splice(0),
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  const outcome = await does[command.op](command).then(
    (result) => ({ result: result ?? null }),
    (error) => ({ error: String(error) }),
  );
  process.stdout.write(`${JSON.stringify(outcome)}\n`);
}
await context.close();
