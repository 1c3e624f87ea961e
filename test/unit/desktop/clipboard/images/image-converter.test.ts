// What becomes of pictures that are none, never end, take all memory, or kill their thread; threads are real.
import { afterAll, beforeAll, expect, test } from "vitest";
import { ImageConverter } from "../../../../../src/desktop/clipboard/images/image-converter.ts";
import { systemClock } from "../../../../../src/support/clock.ts";

const never = new AbortController().signal;
const MIB = 1024 * 1024;
const limits = { inputBytes: MIB, heldBytes: 2 * MIB, growthBytes: 200 * MIB, timeMs: 10_000 };

function converter(script: string, timeMs = limits.timeMs): ImageConverter {
  const head = 'import { parentPort, workerData } from "node:worker_threads";';
  return new ImageConverter(systemClock, new URL(`data:text/javascript,${encodeURIComponent(head + script)}`), {
    ...limits,
    timeMs,
  });
}

async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text);
}

async function all(content: AsyncIterable<Uint8Array>): Promise<string> {
  let text = "";
  for await (const piece of content) text += Buffer.from(piece).toString();
  return text;
}

const echo = "parentPort.postMessage({ png: workerData.image });";

test("all of it goes to the thread, and what the thread made comes back", async () => {
  expect(await all(converter(echo).toPng(pieces("a", "bc", ""), never))).toBe("abc");
});

test("of a picture that is only looked at, what it shows comes back", async () => {
  const looking = converter("parentPort.postMessage({ pixels: workerData.wanted + workerData.image.length });");
  expect(await looking.pixels(pieces("a", "bc"), never)).toBe("pixels3");
  await expect(converter(echo).pixels(pieces("x"), never)).rejects.toMatchObject({ code: "clipboard.image-refused" });
});

test("several are done one after the other, also when one of them fails", async () => {
  const busy = converter(`if (workerData.image[0] === 120) throw new Error("x"); ${echo}`);
  const done = await Promise.allSettled(["1", "x", "2"].map((text) => all(busy.toPng(pieces(text), never))));
  expect(done.map((each) => (each.status === "fulfilled" ? each.value : "failed"))).toEqual(["1", "failed", "2"]);
});

test.each([
  ["is none", 'parentPort.postMessage({ refused: "no BMP" });', /no BMP/],
  ["breaks the code", 'throw new Error("oops");', /its conversion failed: oops/],
  ["ends the thread", "process.exit(3);", /ended without a word/],
  [
    "takes more and more memory",
    "const kept = []; for (let i = 0; i < 4000; i += 1) kept.push(new Uint8Array(1048576).fill(1));",
    /too much memory/,
  ],
  ["fills the heap", "const kept = []; for (;;) kept.push({ a: [1, 2, 3], b: String(Math.random()) });", /memory/],
])("a picture that %s is refused with a code, and the next one is converted", async (_, script, text) => {
  const refused = all(converter(script).toPng(pieces("x"), never));
  await expect(refused).rejects.toMatchObject({
    code: "clipboard.image-refused",
    message: expect.stringMatching(text),
  });
  expect(await all(converter(echo).toPng(pieces("next"), never))).toBe("next");
});

test("a picture that never ends is refused with a code, and the next one is converted", async () => {
  const refused = all(converter("for (;;);", 400).toPng(pieces("x"), never));
  await expect(refused).rejects.toMatchObject({
    code: "clipboard.image-refused",
    message: expect.stringMatching(/not done in 400 ms/),
  });
  expect(await all(converter(echo).toPng(pieces("next"), never))).toBe("next");
});

test("one with too many bytes is refused before a thread begins", async () => {
  const large = converter(echo).toPng(pieces("x".repeat(MIB), "x"), never);
  await expect(all(large)).rejects.toMatchObject({ code: "clipboard.image-refused" });
});

test("of many at once no more are held than the limit allows, and there is room again when they are done", async () => {
  const busy = converter(echo);
  const large = "x".repeat(MIB);
  const results = await Promise.allSettled([1, 2, 3, 4].map(() => all(busy.toPng(pieces(large), never))));
  const refusals = results.filter((each) => each.status === "rejected").map(({ reason }) => reason);
  expect(refusals.map(({ code, message }) => `${code} ${message}`)).toEqual([
    expect.stringMatching(/^clipboard.image-refused.*too many at once/),
    expect.stringMatching(/^clipboard.image-refused.*too many at once/),
  ]);
  expect(await all(busy.toPng(pieces(large), never))).toBe(large);
});

test("called off, it ends at once", async () => {
  const abort = new AbortController();
  const begun = all(converter("for (;;);").toPng(pieces("x"), abort.signal));
  setTimeout(() => abort.abort(), 50);
  await expect(begun).rejects.toMatchObject({ code: "clipboard.lost" });
});

let before: number;
beforeAll(() => {
  before = process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;
});
afterAll(() => {
  expect(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length).toBeLessThanOrEqual(before);
});
