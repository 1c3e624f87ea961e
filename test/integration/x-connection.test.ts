// A connection to an X server that falls silent while it is made.
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { XConnection } from "../../src/desktop/x11/x-connection.ts";
import { X11Desktop } from "../../src/desktop/x11/x11-desktop.ts";
import { type Clock, systemClock } from "../../src/support/clock.ts";
import { BackendError } from "../../src/support/errors.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { sleep, within } from "./peers/until.ts";
import type { XorgServer } from "./peers/xorg.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const FIRST_TCP_PORT = 6000;

let server: XorgServer;

beforeAll(async () => {
  server = await startXorgDummy();
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
});

/** Hands on what the client says, and only so many pieces of what the server answers; the counts of each connection. */
async function proxy(...pieces: readonly number[]): Promise<AsyncDisposable & { readonly display: string }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const listening: Server = createServer((client) => {
    const x = connect(`/tmp/.X11-unix/X${server.display.slice(1)}`);
    let left = pieces[connections++] ?? Number.POSITIVE_INFINITY;
    x.on("data", (data) => {
      if (left > 0) client.write(data);
      left -= 1;
    });
    client.pipe(x);
    for (const socket of [client, x]) sockets.add(socket.on("error", () => {}));
  });
  listening.listen(0, "127.0.0.1");
  await once(listening, "listening");
  return {
    display: `127.0.0.1:${(listening.address() as AddressInfo).port - FIRST_TCP_PORT}`,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      listening.close();
    },
  };
}

test("wherever it falls silent, opening it can be called off", async () => {
  let silent = 0;
  for (let pieces = 0; ; pieces++) {
    await using between = await proxy(pieces);
    const stop = new AbortController();
    const opening = XConnection.open(between.display, stop.signal).catch((error: unknown) => error);
    await Promise.race([opening, sleep(200)]);
    stop.abort();
    const result = await within("the opening to end", opening, 1000);
    if (result instanceof XConnection) {
      await result[Symbol.asyncDispose]();
      break;
    }
    silent += 1;
    expect(result).toBeInstanceOf(BackendError);
  }
  // The greeting, and the two extensions' numbers and versions.
  expect(silent).toBeGreaterThanOrEqual(5);
});

test("one that never answers whoever comes first is asked anew", async () => {
  await using between = await proxy(0);
  const { log, lines } = recordingLog();
  const hasty: Clock = { ...systemClock, after: (delayMs, call) => systemClock.after(delayMs / 10, call) };
  const faults: (string | undefined)[] = [];
  let connected = (): void => {};
  const up = new Promise<void>((resolve) => {
    connected = resolve;
  });
  await using _desktop = new X11Desktop(
    { display: between.display, selections: [], resize: false, dpi: false, clock: hasty, log },
    {
      clipboard: { copied: () => {}, cleared: () => {}, paste: async () => undefined },
      geometry: () => {},
      connected: () => connected(),
      fault: (error) => faults.push(error?.code),
      lost: () => {},
    },
  );
  await within("the second try", up, 20_000);
  expect(faults[0]).toBe("display.silent");
  expect(lines[0]).toContain(`display: display.silent: ${between.display}: no answer in 3000 ms: trying again`);
});
