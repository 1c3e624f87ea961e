// Copy and paste between applications on a real X server and a fake host: what each of them sees.
import { readFile, writeFile } from "node:fs/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { AgentCap, ChunkPort, ClipboardType } from "../../src/wire/agent-constants.ts";
import { encodeChunks } from "../../src/wire/agent-frame.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { type HostSocket, hostSocket } from "../fakes/host-socket.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { OddApplication } from "./peers/odd-application.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";
import { clipboardTargets, copyFile, pasteToFile } from "./peers/x-clipboard.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const TEXT = ClipboardType.UTF8_TEXT;
const sample = Buffer.from("Grüße, 🙂 and 漢字\n");
const textTargets = ["COMPOUND_TEXT", "STRING", "TEXT", "UTF8_STRING", "text/plain", "text/plain;charset=utf-8"];

let xorg: Awaited<ReturnType<typeof startXorgDummy>>;
let port: HostSocket;
let agent: Agent;
let host: FakeHost;
let folder: TempDir;
/** Both sides count grabs alike; see section 3.4 of the protocol. */
let serial = 0;

beforeAll(async () => {
  folder = makeTempDir("clipboard");
  xorg = await startXorgDummy();
});

afterAll(async () => {
  await xorg?.[Symbol.asyncDispose]();
  folder?.[Symbol.dispose]();
});

/** Every test has an agent and a viewer of its own: nothing that the one before copied can be on its way. */
beforeEach(async () => {
  await until("nobody to own the clipboard", async () => (await clipboardTargets(xorg.display)).length === 0, 20_000);
  port = await hostSocket();
  agent = await startAgent(["run", "--uinput", "none", "--port", port.path, "--display", xorg.display]);
  host = await port.opened();
  await agent.untilLogged(/display: connected/);
  await host.connectViewer();
  serial = 0;
});

afterEach(async () => {
  await agent[Symbol.asyncDispose]();
  await port[Symbol.asyncDispose]();
});

async function viewerCopies(selection: 0 | 1 = 0): Promise<void> {
  host.send({ name: "CLIPBOARD_GRAB", value: { selection, serial, types: [TEXT] } });
  serial += 1;
  const name = selection === 0 ? "clipboard" : "primary";
  const offered = async () => (await clipboardTargets(xorg.display, { selection: name })).includes("UTF8_STRING");
  await until("the viewer's text to be on offer", offered, 20_000);
}

async function answer(data: Uint8Array): Promise<void> {
  await host.next("CLIPBOARD_REQUEST");
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: TEXT } }, { data });
}

/** What an application gets when it pastes a target that the viewer answers with `data`. */
async function paste(target: string, data: Uint8Array): Promise<Buffer> {
  const file = folder.join("pasted");
  const [, pasted] = await Promise.all([answer(data), pasteToFile(xorg.display, file, { target, timeoutMs: 30_000 })]);
  const bytes = await readFile(file);
  expect(bytes).toHaveLength(pasted.bytes);
  return bytes;
}

async function applicationCopies(data: Uint8Array, target = "UTF8_STRING") {
  const file = folder.join("copied");
  await writeFile(file, data);
  const owner = await copyFile(xorg.display, file, { target });
  const grab = await host.next("CLIPBOARD_GRAB");
  serial += 1;
  return { owner, grab };
}

async function viewerPastes(): Promise<{ type: number; data: Uint8Array }> {
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: TEXT } });
  const { value, data } = await host.next("CLIPBOARD", 30_000);
  return { type: value.type, data };
}

test("rows 42, 43: text that an application copies is told once and given byte for byte", async () => {
  const { owner, grab } = await applicationCopies(sample);
  await using _ = owner;
  expect(grab.value).toEqual({ selection: 0, serial: 0, types: [TEXT] });
  const { type, data } = await viewerPastes();
  expect(type).toBe(TEXT);
  expect(sample.equals(data)).toBe(true);
});

test.each([
  ["STRING", Buffer.from("Gr\xfc\xdfe", "latin1"), "Grüße"],
  ["COMPOUND_TEXT", Buffer.concat([Buffer.from("a\xe9 ", "latin1"), Buffer.from("\x1b%G漢\x1b%@")]), "aé 漢"],
  ["text/plain;charset=utf-8", Buffer.from("é🙂"), "é🙂"],
])("row 43: text that an application has as %s only arrives as UTF-8", async (target, copied, expected) => {
  const { owner } = await applicationCopies(copied, target);
  await using _ = owner;
  const { data } = await viewerPastes();
  expect(Buffer.from(data).toString()).toBe(expected);
});

test("row 46: the viewer's text is offered under every name of text, and nothing else", async () => {
  await viewerCopies();
  const targets = [...(await clipboardTargets(xorg.display))].sort();
  expect(targets).toEqual([...textTargets, "MULTIPLE", "TARGETS", "TIMESTAMP"].sort());
});

test("row 47: looking at what is on offer asks nothing of the viewer", async () => {
  await viewerCopies();
  await clipboardTargets(xorg.display);
  await sleep(100);
  expect(host.unread).toEqual([]);
});

test.each([
  ["UTF8_STRING", sample],
  ["text/plain;charset=utf-8", sample],
  ["TEXT", sample],
  ["STRING", Buffer.from("Gr\xfc\xdfe, ? and ??\n", "latin1")],
  [
    "COMPOUND_TEXT",
    Buffer.concat([Buffer.from("Gr\xfc\xdfe, ", "latin1"), Buffer.from("\x1b%G🙂\x1b%@ and \x1b%G漢字\x1b%@\n")]),
  ],
])("row 46: an application that pastes %s gets it so encoded", async (target, expected) => {
  await viewerCopies();
  expect((await paste(target, sample)).equals(expected)).toBe(true);
});

test.each([1, 1024, 262_080, 262_081, 1024 * 1024, 20 * 1024 * 1024])(
  "row 56: %i bytes are pasted and copied byte for byte, incrementally where X11 wants it",
  async (size) => {
    const data = Buffer.alloc(size, "0123456789🙂abcdefg\n");
    await viewerCopies();
    expect((await paste("UTF8_STRING", data)).equals(data)).toBe(true);
    const { owner } = await applicationCopies(data);
    await using _ = owner;
    expect(data.equals((await viewerPastes()).data)).toBe(true);
  },
);

test("row 48: a viewer that has nothing after all refuses the paste at once", async () => {
  await viewerCopies();
  const startMs = performance.now();
  const pasted = pasteToFile(xorg.display, folder.join("none"), {});
  const refused = expect(pasted).rejects.toThrow(/not available/);
  // Refused UTF8_STRING, xclip asks for STRING.
  for (let question = 0; question < 2; question += 1) {
    await host.next("CLIPBOARD_REQUEST");
    host.send({ name: "CLIPBOARD", value: { selection: 0, type: ClipboardType.NONE } });
  }
  await refused;
  expect(performance.now() - startMs).toBeLessThan(3000);
});

test("row 49: a viewer that never answers refuses the paste within 5 s", async () => {
  await viewerCopies();
  const startMs = performance.now();
  // Refused UTF8_STRING, xclip asks for STRING: a viewer that was silent once is waited for less.
  await expect(pasteToFile(xorg.display, folder.join("none"), {})).rejects.toThrow(/not available/);
  expect(performance.now() - startMs).toBeLessThan(5000);
  // Late data is nobody's; the next paste gets its own.
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: TEXT } }, { data: Buffer.from("late") });
  await host.next("CLIPBOARD_REQUEST");
  await host.next("CLIPBOARD_REQUEST");
  expect((await paste("UTF8_STRING", sample)).equals(sample)).toBe(true);
});

test("a viewer that was too late for one paste is waited for at the next", async () => {
  await viewerCopies();
  await expect(pasteToFile(xorg.display, folder.join("none"), {})).rejects.toThrow(/not available/);
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: TEXT } }, { data: sample });
  await host.next("CLIPBOARD_REQUEST");
  await host.next("CLIPBOARD_REQUEST");
  const file = folder.join("pasted");
  const pasted = pasteToFile(xorg.display, file, { timeoutMs: 30_000 });
  await host.next("CLIPBOARD_REQUEST");
  // Longer than a viewer that has never been late is given.
  await sleep(4500);
  host.send({ name: "CLIPBOARD", value: { selection: 0, type: TEXT } }, { data: sample });
  await pasted;
  expect((await readFile(file)).equals(sample)).toBe(true);
});

test("a viewer that has begun to answer is waited for as long as something comes", async () => {
  await viewerCopies();
  const data = Buffer.alloc(5 * 2048, "all of it, in the end");
  const file = folder.join("pasted");
  const pasted = pasteToFile(xorg.display, file, { timeoutMs: 30_000 });
  await host.next("CLIPBOARD_REQUEST");
  await sleep(2000);
  const chunks = encodeChunks(
    ChunkPort.CLIENT,
    { name: "CLIPBOARD", value: { selection: 0, type: TEXT } },
    host.layout,
    data,
    2048,
  );
  // Ten seconds in all, from the question on.
  for (const [index, chunk] of chunks.entries()) {
    if (index > 0) await sleep(8000 / (chunks.length - 1));
    host.raw(chunk);
  }
  await pasted;
  expect((await readFile(file)).equals(data)).toBe(true);
});

test("row 50: what is asked for and not there is answered NONE, without content: nothing, another type, the viewer's own", async () => {
  const asked = async (type: number) => {
    host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type } });
    const { value, data } = await host.next("CLIPBOARD");
    return [value.type, data.length];
  };
  expect(await asked(TEXT)).toEqual([ClipboardType.NONE, 0]);
  const { owner } = await applicationCopies(sample);
  await using _ = owner;
  expect(await asked(ClipboardType.IMAGE_PNG)).toEqual([ClipboardType.NONE, 0]);
  expect(await asked(TEXT)).toEqual([TEXT, sample.length]);
  await viewerCopies();
  expect(await asked(TEXT)).toEqual([ClipboardType.NONE, 0]);
});

test("row 53: when both copy at once the viewer's is pasted, and a grab of before that is passed over", async () => {
  const file = folder.join("copied");
  await writeFile(file, "the guest's");
  const owner = await copyFile(xorg.display, file);
  await using _ = owner;
  await host.next("CLIPBOARD_GRAB");
  // It had not seen ours when it sent its own: both have the number 0.
  await viewerCopies();
  await owner.lost();
  expect((await paste("UTF8_STRING", Buffer.from("the viewer's"))).toString()).toBe("the viewer's");
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 7, types: [ClipboardType.IMAGE_PNG] } });
  await agent.untilLogged(/grab 7 of the viewer discarded: ours is 1/);
  expect(await clipboardTargets(xorg.display)).toContain("UTF8_STRING");
});

test("row 54: a viewer that knows neither selections nor serials gets neither, and nothing of PRIMARY", async () => {
  const { CLIPBOARD_BY_DEMAND } = AgentCap;
  host.layout = { selection: false, serial: false };
  await host.connectViewer([1 << CLIPBOARD_BY_DEMAND]);
  const file = folder.join("copied");
  await writeFile(file, sample);
  await using _primary = await copyFile(xorg.display, file, { selection: "primary" });
  const { owner, grab } = await applicationCopies(sample);
  await using _ = owner;
  expect(grab.value.types).toEqual([TEXT]);
  expect(sample.equals((await viewerPastes()).data)).toBe(true);
  expect(host.unread).toEqual([]);
  expect(host.messages.filter(({ name }) => name === "CLIPBOARD_GRAB")).toHaveLength(1);
});

test("row 51: an application that ends is told with a release; one that copies again is not", async () => {
  const { owner } = await applicationCopies(Buffer.from("one"));
  const next = await applicationCopies(Buffer.from("two"));
  await using _ = owner;
  expect(host.messages.slice(-2).map(({ name }) => name)).toEqual(["CLIPBOARD_GRAB", "CLIPBOARD_GRAB"]);
  await next.owner[Symbol.asyncDispose]();
  await host.next("CLIPBOARD_RELEASE");
});

test("row 52: what the viewer releases is on nobody's clipboard", async () => {
  await viewerCopies();
  host.send({ name: "CLIPBOARD_RELEASE", value: { selection: 0 } });
  await until("the offer to go", async () => (await clipboardTargets(xorg.display)).length === 0, 20_000);
});

test("row 57: TIMESTAMP is the time of the copy, and MULTIPLE gives several targets at once", async () => {
  await viewerCopies();
  await using application = await OddApplication.start(xorg.display);
  const first = await application.timestamp();
  await sleep(50);
  expect(await application.timestamp()).toBe(first);
  expect(first).toBeGreaterThan(0);
  const answered = (async () => {
    await answer(sample);
    await answer(sample);
  })();
  expect(await application.multiple(["UTF8_STRING", "image/x-nothing", "TEXT"])).toEqual([
    sample.toString(),
    undefined,
    sample.toString(),
  ]);
  await answered;
});

test("row 58: what the viewer asked of an application that stalls is answered NONE when another copies", async () => {
  await using stalling = await OddApplication.start(xorg.display);
  await stalling.own({ targets: ["UTF8_STRING"], answers: "never" });
  await host.next("CLIPBOARD_GRAB");
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: TEXT } });
  await until("the application to be asked", () => stalling.wasAskedFor("UTF8_STRING"), 20_000);
  const { owner } = await applicationCopies(sample);
  await using _ = owner;
  const none = host.messages.findLast(({ name }) => name === "CLIPBOARD");
  expect(none?.value).toEqual({ selection: 0, type: ClipboardType.NONE });
  expect(sample.equals((await viewerPastes()).data)).toBe(true);
});

test("row 59: after the viewer has gone a paste is refused, not hung", async () => {
  await viewerCopies();
  const pasted = pasteToFile(xorg.display, folder.join("none"), { timeoutMs: 3000 });
  const refused = expect(pasted).rejects.toThrow(/not available/);
  await host.next("CLIPBOARD_REQUEST");
  host.disconnectViewer();
  await refused;
  await expect(pasteToFile(xorg.display, folder.join("none"), { timeoutMs: 3000 })).rejects.toThrow(/not available/);
});

test("row 45: PRIMARY is shared beside CLIPBOARD, and not mixed up with it", async () => {
  await viewerCopies(1);
  const file = folder.join("primary");
  const pasted = pasteToFile(xorg.display, file, { selection: "primary" });
  const request = await host.next("CLIPBOARD_REQUEST");
  expect(request.value).toEqual({ selection: 1, type: TEXT });
  host.send({ name: "CLIPBOARD", value: { selection: 1, type: TEXT } }, { data: sample });
  await pasted;
  expect((await readFile(file)).equals(sample)).toBe(true);
  expect(await clipboardTargets(xorg.display)).toEqual([]);
});

test("an application that never answers is given 5 s, and the viewer NONE", async () => {
  await using stalling = await OddApplication.start(xorg.display);
  await stalling.own({ targets: ["UTF8_STRING"], answers: "never" });
  await host.next("CLIPBOARD_GRAB");
  const startMs = performance.now();
  expect((await viewerPastes()).type).toBe(ClipboardType.NONE);
  expect(performance.now() - startMs).toBeLessThan(6000);
});

test.each(["never", "stalled-incr"] as const)(
  "an application that ends with a question open (%s): the viewer gets NONE without a wait",
  async (answers) => {
    const leaving = await OddApplication.start(xorg.display);
    await leaving.own({ targets: ["UTF8_STRING"], answers });
    await host.next("CLIPBOARD_GRAB");
    const startMs = performance.now();
    const pasted = viewerPastes();
    await until("it to be asked", async () => leaving.wasAskedFor("UTF8_STRING"), 5000);
    await leaving[Symbol.asyncDispose]();
    expect((await pasted).type).toBe(ClipboardType.NONE);
    expect(performance.now() - startMs).toBeLessThan(4000);
  },
);

test.each([
  ["lies about its targets", { targets: ["UTF8_STRING"], answers: "refuse" }],
  ["answers with a property that is not there", { targets: ["UTF8_STRING"], answers: "no-property" }],
  ["begins an incremental answer and stops", { targets: ["UTF8_STRING"], answers: "stalled-incr" }],
  ["dies when it is asked", { targets: ["UTF8_STRING"], answers: "die" }],
] as const)("an application that %s gets the viewer NONE, and the next copy works", async (_, behaviour) => {
  await using liar = await OddApplication.start(xorg.display);
  await liar.own(behaviour);
  await host.next("CLIPBOARD_GRAB");
  expect((await viewerPastes()).type).toBe(ClipboardType.NONE);
  const { owner } = await applicationCopies(sample);
  await using __ = owner;
  expect(sample.equals((await viewerPastes()).data)).toBe(true);
});

test("an application that offers nonsense as its targets offers nothing", async () => {
  await using liar = await OddApplication.start(xorg.display);
  await liar.own({ targets: "nonsense", answers: "refuse" });
  await agent.untilLogged(/offers nothing that can be read: clipboard\.refused/);
  expect((await viewerPastes()).type).toBe(ClipboardType.NONE);
});

test("an application that begins to take 5 MB and never goes on holds up nobody else", async () => {
  await viewerCopies();
  const data = Buffer.alloc(5 * 1024 * 1024, "x");
  await using stuck = await OddApplication.start(xorg.display);
  const begun = stuck.beginPaste("UTF8_STRING");
  await answer(data);
  expect(await begun).toBe("INCR");
  const startMs = performance.now();
  expect((await paste("UTF8_STRING", sample)).equals(sample)).toBe(true);
  expect(performance.now() - startMs).toBeLessThan(3000);
  await agent.untilLogged(/a paste failed: clipboard\.no-answer/, 10_000);
});

test("the X server may die and come back: the viewer's text is on offer there, and copies are told", async () => {
  await viewerCopies();
  await xorg.restart();
  const isOffered = async () => (await clipboardTargets(xorg.display)).includes("UTF8_STRING");
  await until("the offer to be renewed", isOffered, 10_000);
  expect((await paste("UTF8_STRING", sample)).equals(sample)).toBe(true);
  const { owner } = await applicationCopies(sample);
  await using _ = owner;
  expect(sample.equals((await viewerPastes()).data)).toBe(true);
});
