// Whose connection it is, as the kernel's list of sockets says it.
import { existsSync, readdirSync, readlinkSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ConnectionOwners } from "../../../../src/system/shared-folder/connection-owners.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

let dir: TempDir;

beforeEach(() => {
  dir = makeTempDir("sockets");
});

afterEach(() => dir[Symbol.dispose]());

const HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
const line = (local: string, remote: string, state: string, uid: number, inode: number): string =>
  `${"   7: "}${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000 ${String(uid).padStart(5)}        0 ${inode} 1 0000000049eabd6f 20 4 30 10 -1\n`;

async function owner(tcp: readonly string[], tcp6: readonly string[] = []): Promise<number | undefined> {
  writeFileSync(dir.join("tcp"), HEAD + tcp.join(""));
  writeFileSync(dir.join("tcp6"), HEAD + tcp6.join(""));
  // 0x9C40 and 0x2673.
  const [peer, own] = [40_000, 9843].map((port) => ({ address: "127.0.0.1", port }));
  if (peer === undefined || own === undefined) throw new Error("two");
  using owners = new ConnectionOwners([dir.join("tcp"), dir.join("tcp6"), dir.join("none")]);
  return await owners.ownerOf(peer, own);
}

const [PEER, OWN] = ["0100007F:9C40", "0100007F:2673"];
const MAPPED = "0000000000000000FFFF0000";

test("the line of its own end, not of ours, of no other connection, and of none that is over", async () => {
  const others = [
    line(OWN, PEER, "01", 1, 11),
    line(PEER, "0100007F:2674", "01", 2, 12),
    line("0200007F:9C40", OWN, "01", 3, 13),
    line(PEER, OWN, "06", 0, 0),
  ];
  expect(await owner([...others, line(PEER, OWN, "01", 1000, 14)])).toBe(1000);
  expect(await owner([...others, line(PEER, OWN, "05", 1001, 15)])).toBe(1001);
  expect(await owner(others)).toBeUndefined();
});

test("an IPv4 address in the list of IPv6 is the same address", async () => {
  expect(await owner([], [line(`${MAPPED}${PEER}`, `${MAPPED}${OWN}`, "01", 1002, 16)])).toBe(1002);
});

test.each(["127.0.0.1", "::1"])("of a real connection over %s it is us", async (host) => {
  const server = createServer().listen(0, host);
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  const client = connect(port, host);
  await new Promise((resolve) => client.once("connect", resolve));
  const peer = { address: host, port: client.localPort ?? 0 };
  using owners = new ConnectionOwners();
  expect(await owners.ownerOf(peer, { address: host, port })).toBe(process.getuid?.());
  client.destroy();
  server.close();
  expect(await owners.ownerOf(peer, { address: host, port: port === 1 ? 2 : 1 })).toBeUndefined();
});

test("a list of thousands is read to its end, time after time, and one that is short again as before", async () => {
  const others = Array.from({ length: 1000 }, (_, n) =>
    line(`0100007F:${(4096 + n).toString(16)}`, OWN, "01", 1, 20 + n),
  );
  const last = line(PEER, OWN, "01", 1003, 17);
  using owners = new ConnectionOwners([dir.join("tcp")]);
  const [peer, own] = [40_000, 9843].map((port) => ({ address: "127.0.0.1", port }));
  if (peer === undefined || own === undefined) throw new Error("two");
  for (const lines of [[...others, last], [...others, last], [last], [last], [], others, [...others, last]]) {
    writeFileSync(dir.join("tcp"), HEAD + lines.join(""));
    expect(await owners.ownerOf(peer, own)).toBe(lines.includes(last) ? 1003 : undefined);
  }
});

test("each of many real connections is found, wherever the kernel's pages cut its list", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const own = { address: "127.0.0.1", port: (server.address() as AddressInfo).port };
  const clients = Array.from({ length: 100 }, () => connect(own.port, own.address));
  await Promise.all(clients.map((client) => new Promise((resolve) => client.once("connect", resolve))));
  using owners = new ConnectionOwners();
  for (const { localPort = 0 } of clients)
    expect(await owners.ownerOf({ address: "127.0.0.1", port: localPort }, own)).toBe(process.getuid?.());
  for (const client of clients) client.destroy();
  server.close();
});

test("a look-up that goes on while it is disposed of leaves no list open", async () => {
  const endpoint = { address: "127.0.0.1", port: 1 };
  const open = (): number =>
    readdirSync("/proc/self/fd").filter(
      (fd) => existsSync(`/proc/self/fd/${fd}`) && readlinkSync(`/proc/self/fd/${fd}`) === dir.join("tcp6"),
    ).length;
  // The first list is so long that it is read by and by.
  writeFileSync(dir.join("tcp"), HEAD + line(PEER, OWN, "01", 1, 11).repeat(2000));
  writeFileSync(dir.join("tcp6"), HEAD);
  const owners = new ConnectionOwners([dir.join("tcp"), dir.join("tcp6")]);
  const owner = owners.ownerOf(endpoint, endpoint);
  owners[Symbol.dispose]();
  expect(await owner).toBeUndefined();
  expect(open()).toBe(0);
});
