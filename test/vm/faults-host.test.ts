// A host that hangs up: what a viewer of SPICE cannot do to its server, a socket at the other end of the port can.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ChunkPort, ClipboardType } from "../../src/wire/agent-constants.ts";
import { encodeChunks } from "../../src/wire/agent-frame.ts";
import type { FakeHost } from "../fakes/fake-host.ts";
import { monotonicMs, sleep, until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import {
  connectHost,
  copyIn,
  daemonPid,
  installProduct,
  md5,
  pasteIn,
  readStatus,
  targetsIn,
  textOf,
  waitForAgent,
} from "./product.ts";

const TEXT = ClipboardType.UTF8_TEXT;
const CLIPBOARD = 0;
/** The promise: function is back this soon. */
const BACK_MS = 5000;

let guest: Guest;
let desktop: Desktop;
let host: FakeHost;
let pid = 0;

beforeAll(async () => {
  guest = await startGuest({ host: "socket" });
  await guest.waitForBoot();
  await installProduct(guest);
  desktop = await Desktop.start(guest);
  host = await connectHost(guest.agentSocket);
  await waitForAgent(guest, desktop);
  await host.connectViewer();
  await works("before");
  pid = await daemonPid(guest);
});

afterAll(async () => {
  host?.close();
  await guest?.[Symbol.asyncDispose]();
});

/** Hangs up, and is there again after so long. */
async function hangUp(pauseMs: number): Promise<void> {
  host.close();
  await host.closed;
  await sleep(pauseMs);
  host = await connectHost(guest.agentSocket);
}

/**
 * Says who it is, as a viewer does that is told of an agent, until it and the agent know of each other; how long that took.
 * What is said just before the guest closes the port is lost; then the agent asks, and a viewer answers.
 */
async function welcomed(): Promise<number> {
  const sinceMs = monotonicMs();
  host.announce(true);
  const { value } = await host.next("ANNOUNCE_CAPABILITIES", 30_000);
  if (value.request) host.announce(false);
  return monotonicMs() - sinceMs;
}

/** Copied both ways, at the first try. */
async function works(mark: string): Promise<void> {
  const fromGuest = `${mark}: from the guest`;
  await using _copied = await copyIn(desktop, fromGuest);
  const grab = await host.next("CLIPBOARD_GRAB", 10_000);
  expect(grab.value.types).toContain(TEXT);
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: CLIPBOARD, type: TEXT } });
  const answer = await host.next("CLIPBOARD", 10_000);
  expect(Buffer.from(answer.data).toString()).toBe(fromGuest);

  const fromHost = textOf(10_000);
  const serial = grab.value.serial + 1;
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: CLIPBOARD, serial, types: [TEXT] } });
  await until("the host's offer", async () => (await targetsIn(desktop)).includes("UTF8_STRING"), 10_000, 100);
  const pasted = pasteIn(desktop);
  await host.next("CLIPBOARD_REQUEST", 10_000);
  host.send({ name: "CLIPBOARD", value: { selection: CLIPBOARD, type: TEXT } }, { data: fromHost });
  expect(await pasted).toEqual({ bytes: fromHost.length, md5: md5(fromHost) });
  expect(host.violations).toEqual([]);
}

describe("the host hangs up and comes back", () => {
  test.each([0, 100, 1000, 10_000])("after %i ms: within 5 s of its coming back", async (pauseMs) => {
    const times = [];
    for (let n = 1; n <= 3; n++) {
      await hangUp(pauseMs);
      times.push(Math.round(await welcomed()));
      await works(`hung up for ${pauseMs} ms, ${n}`);
    }
    console.log(`the host hung up for ${pauseMs} ms: welcomed after ${times.join(", ")} ms`);
    expect(Math.max(...times)).toBeLessThan(BACK_MS);
    expect((await readStatus(guest)).port.state).toBe("open");
  });

  test("in the middle of a paste: the application is told no, or gets what came", async () => {
    host.send({ name: "CLIPBOARD_GRAB", value: { selection: CLIPBOARD, serial: await nextSerial(), types: [TEXT] } });
    await until("the host's offer", async () => (await targetsIn(desktop)).includes("UTF8_STRING"), 10_000, 100);
    const pasted = pasteIn(desktop, "clipboard", 20_000);
    await host.next("CLIPBOARD_REQUEST", 10_000);
    // Half of a message, which nothing will ever complete.
    const message = { name: "CLIPBOARD", value: { selection: CLIPBOARD, type: TEXT } } as const;
    const chunks = encodeChunks(ChunkPort.CLIENT, message, host.layout, textOf(3_000_000));
    for (const chunk of chunks.slice(0, chunks.length / 2)) host.raw(chunk);
    await sleep(500);
    await hangUp(100);
    await welcomed();
    const sinceMs = monotonicMs();
    await pasted;
    expect(monotonicMs() - sinceMs).toBeLessThan(BACK_MS);
    await works("after half a paste");
  });

  test("again and again, a hundred times: no more memory, no more descriptors, the same daemon", async () => {
    const before = await resources();
    for (let n = 1; n <= 100; n++) {
      await hangUp(n % 20);
      if (n % 10 === 0) await welcomed();
    }
    await welcomed();
    await works("the hundredth time");
    const after = await resources();
    console.log(`before ${JSON.stringify(before)}, after 100 ${JSON.stringify(after)}`);
    expect(after.descriptors).toBe(before.descriptors);
    expect(after.privateKb - before.privateKb).toBeLessThan(3 * 1024);
    expect(await daemonPid(guest)).toBe(pid);
  }, 400_000);
});

/** A grab's number both sides agree on: one of the guest's tells. */
async function nextSerial(): Promise<number> {
  await using _copied = await copyIn(desktop, "asked for a number");
  return (await host.next("CLIPBOARD_GRAB", 10_000)).value.serial + 1;
}

async function resources(): Promise<{ readonly descriptors: number; readonly privateKb: number }> {
  // V8 gives back what it does not need when nobody has wanted anything for some seconds.
  await sleep(40_000);
  const files = await guest.output(["ls", `/proc/${pid}/fd`]);
  const memory = await guest.output(["cat", `/proc/${pid}/smaps_rollup`]);
  const kb = (field: string): number => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(memory)?.[1]);
  return { descriptors: files.trim().split("\n").length, privateKb: kb("Private_Clean") + kb("Private_Dirty") };
}
