// The listeners of the viewer's folder: whose they are, who is connected, and what is gathered for a viewer that takes nothing.
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { DavProxy, type ProxyOptions } from "../../../../src/system/shared-folder/dav-proxy.ts";
import { MuxConnections } from "../../../../src/system/shared-folder/mux-connections.ts";
import { ManualClock } from "../../../fakes/manual-clock.ts";
import { recordingLog } from "../../../fakes/recording-log.ts";
import { freePort } from "../../../integration/peers/free-port.ts";
import { sleep, until } from "../../../integration/peers/until.ts";

const held: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of held.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

/** A line to a viewer, as far as it is taken from. */
function viewer() {
  const line = {
    taken: 0,
    bytes: 0,
    isFull: false,
    letOn: (): void => {},
    write(bytes: Uint8Array): boolean {
      line.bytes += bytes.length;
      return !line.isFull;
    },
    drained: (): Promise<void> =>
      line.isFull
        ? new Promise((resolve) => {
            line.letOn = resolve;
          })
        : Promise.resolve(),
    pause: () => {},
    resume: () => {},
  };
  let lastId = 0n;
  return { line, mux: new MuxConnections(line, () => ++lastId, recordingLog().log) };
}

function options(rest: Partial<ProxyOptions> = {}): ProxyOptions {
  const nothing = (): void => {};
  const asked = { connected: nothing, changeRefused: nothing, unanswered: nothing };
  return { mayConnect: () => true, ...asked, clock: new ManualClock(), log: recordingLog().log, ...rest };
}

/** How it ends: by an end, or an error's code. */
async function ending(client: Socket): Promise<string> {
  return new Promise((resolve) => {
    client.once("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? ""));
    client.once("close", () => resolve("closed"));
    client.resume();
  });
}

test("an address that somebody else has is no small matter: they would be taken for the viewer", async () => {
  const squatter = createServer().listen(0, "127.0.0.1");
  await once(squatter, "listening");
  held.push({ [Symbol.asyncDispose]: async () => void squatter.close() });
  const { port } = squatter.address() as { port: number };
  const both = [
    { host: "::1", port },
    { host: "127.0.0.1", port },
  ];
  await expect(DavProxy.listen(both, options())).rejects.toMatchObject({
    code: "shared-folder.not-listening",
    message: expect.stringContaining("EADDRINUSE"),
  });
  // And the other is given up again.
  expect(await ending(connect(port, "::1"))).toBe("ECONNREFUSED");
});

test("an address that this machine does not have is done without, and not named", async () => {
  const port = await freePort();
  const addresses = [
    { host: "192.0.2.1", port },
    { host: "127.0.0.1", port },
  ];
  await using proxy = await DavProxy.listen(addresses, options());
  expect(proxy.addresses).toEqual([{ host: "127.0.0.1", port }]);
});

test("while nobody is served the address stays ours, and whoever connects is reset at once", async () => {
  const address = { host: "127.0.0.1", port: await freePort() };
  await using proxy = await DavProxy.listen([address], options());
  expect(await ending(connect(address))).toBe("ECONNRESET");
  const { mux } = viewer();
  proxy.serve(mux);
  const client = connect(address);
  const ended = ending(client);
  await until("it to be connected", () => mux.count === 1, 2000, 2);
  proxy.quiet();
  expect(await ended).toMatch(/closed|ECONNRESET/);
  expect(await ending(connect(address))).toBe("ECONNRESET");
  await expect(DavProxy.listen([address], options())).rejects.toMatchObject({ code: "shared-folder.not-listening" });
});

test("whoever may no longer be connected is cut off", async () => {
  const address = { host: "127.0.0.1", port: await freePort() };
  let isTheirs = true;
  await using proxy = await DavProxy.listen([address], options({ mayConnect: () => isTheirs }));
  const { mux } = viewer();
  proxy.serve(mux);
  const client = connect(address);
  const ended = ending(client);
  await until("it to be connected", () => mux.count === 1, 2000, 2);
  proxy.judgeAnew();
  await sleep(20);
  expect(mux.count).toBe(1);
  isTheirs = false;
  proxy.judgeAnew();
  await ended;
  await until("it to be cut off", () => mux.count === 0 && proxy.connections === 0, 2000, 2);
});

test("a viewer that takes nothing is given nothing of those who come and go; and it is noticed", async () => {
  const address = { host: "127.0.0.1", port: await freePort() };
  const clock = new ManualClock();
  let frozen = 0;
  const unanswered = (): void => {
    frozen += 1;
  };
  await using proxy = await DavProxy.listen([address], options({ clock, unanswered }));
  const { line, mux } = viewer();
  line.isFull = true;
  proxy.serve(mux);
  const clients = Array.from({ length: 5 }, () => connect(address));
  const request = `PUT /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n${"x".repeat(60_000)}`;
  for (const client of clients) client.on("error", () => {}).write(request);
  await until("all to be connected", () => mux.count === 5, 2000, 2);
  await sleep(50);
  expect(line.bytes).toBe(0);
  clock.advance(1500);
  clock.advance(1500);
  expect(frozen).toBeGreaterThan(0);
  line.isFull = false;
  const before = line.bytes;
  line.letOn();
  await until("the last one's request", () => line.bytes - before > 60_000, 2000, 2);
  for (const client of clients) client.destroy();
});
