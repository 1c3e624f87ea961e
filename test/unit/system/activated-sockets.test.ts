// Sockets that systemd has opened for us.
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { expect, test } from "vitest";
import { activatedSockets } from "../../../src/system/activated-sockets.ts";
import { startProcess } from "../../integration/peers/processes.ts";
import { makeTempDir } from "../../integration/peers/temp-dir.ts";
import { until } from "../../integration/peers/until.ts";

const ours = String(process.pid);
const anySocket = (_fd: number): boolean => true;

function socketsIn(env: Record<string, string>, isSocket = anySocket): Record<string, number> {
  return Object.fromEntries(activatedSockets({ LISTEN_PID: ours, ...env }, isSocket));
}

test("each socket goes by its name", () => {
  expect(socketsIn({ LISTEN_FDS: "2", LISTEN_FDNAMES: "session:control" })).toEqual({ session: 3, control: 4 });
  expect(socketsIn({ LISTEN_FDS: "1" })).toEqual({ unknown: 3 });
  expect(socketsIn({ LISTEN_FDS: "0", LISTEN_FDNAMES: "" })).toEqual({});
});

test("without activation there are none, nor when another process is meant", () => {
  expect(activatedSockets({})).toEqual(new Map());
  expect(socketsIn({ LISTEN_PID: "1", LISTEN_FDS: "1", LISTEN_FDNAMES: "session" })).toEqual({});
});

test("no child inherits the variables, whomever they were meant for", () => {
  for (const pid of [ours, "1"]) {
    const env = { HOME: "/", LISTEN_PID: pid, LISTEN_FDS: "1", LISTEN_FDNAMES: "session", LISTEN_PIDFDID: "7" };
    activatedSockets(env, anySocket);
    expect(env).toEqual({ HOME: "/" });
  }
});

test.each<[string, Record<string, string>, string]>([
  ["a count that is none", { LISTEN_FDS: "two" }, 'LISTEN_FDS="two": expected is a number up to 64'],
  ["a count beyond all need", { LISTEN_FDS: "1000000000" }, 'LISTEN_FDS="1000000000": expected is a number up to 64'],
  [
    "a pid that is none",
    { LISTEN_PID: "me", LISTEN_FDS: "1" },
    'LISTEN_PID="me": expected is a number up to 2147483648',
  ],
  [
    "too few names",
    { LISTEN_FDS: "2", LISTEN_FDNAMES: "session" },
    'LISTEN_FDNAMES="session": expected is 2 names with colons between them',
  ],
  [
    "one name for two",
    { LISTEN_FDS: "2", LISTEN_FDNAMES: "session:session" },
    'LISTEN_FDNAMES="session:session": expected is a name for one socket only, but there are two session',
  ],
])("%s is refused with what is allowed", (_, env, message) => {
  expect(() => socketsIn(env)).toThrow(expect.objectContaining({ name: "ConfigError", message }));
});

test("a descriptor that is closed or no socket is refused", () => {
  const message = 'LISTEN_FDS="2": expected is sockets from 3 on, but 4 is none';
  expect(() => socketsIn({ LISTEN_FDS: "2", LISTEN_FDNAMES: "a:b" }, (fd) => fd === 3)).toThrow(message);
});

/** systemd's part: opens the socket, and becomes the service. */
const systemd = `
import os, socket, sys
path, *command = sys.argv[1:]
s = socket.socket(socket.AF_UNIX)
s.bind(path + ".new")
s.listen()
os.rename(path + ".new", path)
if s.fileno() != 3: os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="session")
os.execv(command[0], command)
`;

const service = `
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { activatedSockets } from ${JSON.stringify(resolve("src/system/activated-sockets.ts"))};
const fd = activatedSockets(process.env).get("session");
const flags = parseInt(/flags:\\s+(\\d+)/.exec(readFileSync("/proc/self/fdinfo/" + fd, "utf8"))[1], 8);
const server = createServer((socket) => {
  socket.end(JSON.stringify({ fd, closedInChildren: (flags & 0o2000000) !== 0 }));
  server.close();
});
server.listen({ fd });
`;

test("a real process serves the socket it was started with, and keeps it from its children", async () => {
  using folder = makeTempDir("activated");
  const path = folder.join("socket");
  const node = [process.execPath, "--import", "tsx", "--input-type=module", "-e", service];
  await using child = await startProcess("python3", ["-c", systemd, path, ...node]);
  await until("the socket", () => existsSync(path), 5000);
  expect(JSON.parse(await text(connect(path)))).toEqual({ fd: 3, closedInChildren: true });
  expect(await child.ended).toEqual({ code: 0, signal: null });
}, 20_000);
