// Who is at the other end of a real unix socket.
import { chmodSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { peerCredentials } from "../../../../src/support/native/peer-credentials.ts";
import { startProcess } from "../../../integration/peers/processes.ts";
import { makeTempDir, type TempDir } from "../../../integration/peers/temp-dir.ts";

const isRoot = process.getuid?.() === 0;
/** Connects and stays until it is ended. */
const client = "require('node:net').connect(process.argv[1])";

let folder: TempDir;
let server: Server;
let accepted: Promise<Socket>;

beforeEach(async () => {
  folder = makeTempDir("peer");
  // Nothing is read before it is known who is there.
  server = createServer({ pauseOnConnect: true });
  accepted = new Promise((resolve) => server.once("connection", resolve));
  await new Promise<void>((resolve) => server.listen(folder.join("socket"), resolve));
});

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  folder[Symbol.dispose]();
});

test("a peer in this process is this process", async () => {
  const near = connect(folder.join("socket"));
  const far = await accepted;
  const own = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };
  expect(await peerCredentials(far)).toEqual(own);
  expect(await peerCredentials(near)).toEqual(own);
  near.destroy();
  far.destroy();
});

test("another process is named by its pid, also when it has gone", async () => {
  await using child = await startProcess(process.execPath, ["-e", client, folder.join("socket")]);
  const far = await accepted;
  const known = { pid: child.pid, uid: process.getuid?.(), gid: process.getgid?.() };
  expect(await peerCredentials(far)).toEqual(known);
  await child.kill();
  expect(await peerCredentials(far)).toEqual(known);
  far.destroy();
});

test.runIf(isRoot)("another user is named by uid and gid", async () => {
  chmodSync(folder.path, 0o755);
  chmodSync(folder.join("socket"), 0o777);
  await using child = await startProcess("setpriv", [
    ...["--reuid=65534", "--regid=65533", "--clear-groups"],
    ...[process.execPath, "-e", client, folder.join("socket")],
  ]);
  const far = await accepted;
  expect(await peerCredentials(far)).toEqual({ pid: child.pid, uid: 65534, gid: 65533 });
  far.destroy();
});

test("a socket that is closed, or is closed while we look, has no peer", async () => {
  const near = connect(folder.join("socket"));
  const far = await accepted;
  const asked = peerCredentials(far);
  far.destroy();
  const failed = expect.objectContaining({ name: "BackendError", code: "native.failed" });
  await expect(asked).rejects.toEqual(failed);
  await expect(peerCredentials(far)).rejects.toEqual(failed);
  near.destroy();
});

test("a peer across the network has no credentials", async () => {
  const remote = createServer();
  await new Promise<void>((resolve) => remote.listen(0, "127.0.0.1", resolve));
  const address = remote.address();
  const arriving = new Promise<Socket>((resolve) => remote.once("connection", resolve));
  const near = connect(typeof address === "object" ? (address?.port ?? 0) : 0, "127.0.0.1");
  const far = await arriving;
  await expect(peerCredentials(far)).rejects.toEqual(expect.objectContaining({ code: "native.failed" }));
  near.destroy();
  far.destroy();
  await new Promise((resolve) => remote.close(resolve));
});
