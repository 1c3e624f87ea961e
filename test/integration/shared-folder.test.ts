// The viewer's folder on the guest's loopback: curl on one side, on the other libphodav, the server inside a SPICE viewer.
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { muxHeader } from "../../src/wire/webdav-mux.ts";
import { program } from "./peers/agent.ts";
import { type Chezdav, startChezdav } from "./peers/chezdav.ts";
import { freePort } from "./peers/free-port.ts";
import { run, startProcess } from "./peers/processes.ts";
import { type ServedFolder, serveFolder } from "./peers/shared-folder.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { monotonicMs, sleep, until } from "./peers/until.ts";

const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");
const MiB = 1024 * 1024;
/** `nobody`: a user who is not on the screen. */
const OTHER_UID = 65534;

/** What curl says of a connection that is closed before there is an answer, depending on how far it has come. */
const CUT_OFF = /Empty reply|reset by peer|Recv failure|Send failure|Couldn't connect/;

const held: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of held.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});
function hold<T extends AsyncDisposable>(resource: T): T {
  held.push(resource);
  return resource;
}

async function shared(options?: { readOnly?: boolean }): Promise<{ viewer: Chezdav; guest: ServedFolder }> {
  const viewer = hold(await startChezdav(options));
  return { viewer, guest: hold(await serveFolder(viewer.port)) };
}

/** A server whose answers the test writes by hand. */
async function handmade(answer: (socket: Socket, request: string) => void): Promise<ServedFolder> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("data", (bytes) => {
      const request = bytes.toString("latin1");
      if (/^(OPTIONS|DELETE|PROPFIND) /.test(request)) socket.end("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
      else answer(socket, request);
    });
  });
  const port = await freePort();
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  held.push({
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  return hold(await serveFolder(port));
}

const curl = (...args: readonly string[]): Promise<string> => run("curl", ["-sS", "--noproxy", "*", ...args]);
const status = (...args: readonly string[]): Promise<string> => curl("-o", "/dev/null", "-w", "%{http_code}", ...args);

const send = async (
  guest: ServedFolder,
  ...files: readonly string[]
): Promise<{ code: number | null; said: string }> => {
  await using sender = await startProcess(process.execPath, [
    program,
    "send",
    "--address",
    `127.0.0.1:${guest.port}`,
    ...files,
  ]);
  const { code } = await sender.ended;
  return { code, said: sender.errors };
};

/** What comes of one request, until the connection is closed. */
async function raw(port: number, text: string): Promise<string> {
  const socket = connect(port, "127.0.0.1");
  let answer = "";
  socket.on("error", () => {});
  socket.on("data", (bytes) => {
    answer += bytes.toString("latin1");
  });
  socket.write(text);
  await once(socket, "close");
  return answer;
}

describe("row 91: a viewer's folder is read and written by HTTP", () => {
  test("both addresses, a listing, ranges, and 20 MB each way with equal content", async () => {
    const { viewer, guest } = await shared();
    const content = randomBytes(20 * MiB);
    writeFileSync(viewer.folder.join("large.bin"), content);
    using dir = makeTempDir("dav");
    await curl("-o", dir.join("got"), `${guest.url}/large.bin`);
    expect(md5(readFileSync(dir.join("got")))).toBe(md5(content));
    await curl("-r", "1000-1999", "-o", dir.join("part"), `http://[::1]:${guest.port}/large.bin`);
    expect(md5(readFileSync(dir.join("part")))).toBe(md5(content.subarray(1000, 2000)));
    // curl asks for leave to send more than a megabyte, which this server answers with an empty file.
    await curl("-T", dir.join("got"), `${guest.url}/put.bin`);
    expect(md5(readFileSync(viewer.folder.join("put.bin")))).toBe(md5(content));
    await curl("-T", dir.join("part"), "-H", "Transfer-Encoding: chunked", `${guest.url}/chunked.bin`);
    expect(readFileSync(viewer.folder.join("chunked.bin"))).toEqual(content.subarray(1000, 2000));
    expect(await curl("-X", "PROPFIND", "-H", "Depth: 1", `${guest.url}/`)).toContain("put.bin");
    expect(guest.folder.report).toMatchObject({ viewer: "read-write", entries: 0 });
  });

  test("20 at a time are interleaved, each with an id of its own that is never used again", async () => {
    const { viewer, guest } = await shared();
    const contents = Array.from({ length: 20 }, () => randomBytes(300_000));
    for (const [n, content] of contents.entries()) writeFileSync(viewer.folder.join(`f${n}`), content);
    using dir = makeTempDir("dav");
    await Promise.all(contents.map((_, n) => curl("-o", dir.join(`f${n}`), `${guest.url}/f${n}`)));
    for (const [n, content] of contents.entries()) expect(md5(readFileSync(dir.join(`f${n}`)))).toBe(md5(content));
    expect(new Set(guest.host.ids).size).toBe(guest.host.ids.length);
    expect(guest.host.ids.length).toBeGreaterThanOrEqual(20);
  });

  test("a folder that is shared read-only is known as such, and one that changes its mind, too", async () => {
    const { guest } = await shared({ readOnly: true });
    expect(guest.folder.report.viewer).toBe("read-only");
    expect(await status("-X", "MKCOL", `${guest.url}/new`)).toBe("403");
  });
});

describe("rows 92-94: closes are passed on both ways", () => {
  test("row 92, 94: a client that closes, and one that is reset", async () => {
    const guest = await handmade((socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1"));
    for (const end of ["destroy", "resetAndDestroy"] as const) {
      const client = connect(guest.port, "127.0.0.1");
      client.write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
      await once(client, "data");
      const id = guest.host.ids.at(-1) as bigint;
      client[end]();
      await until(`connection ${id} to be closed`, () => guest.host.closedByGuest.includes(id), 20_000);
    }
  });

  test("row 93: the viewer closes: the client has all that came, and an end", async () => {
    const guest = await handmade((socket) => void socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end"));
    const answer = await raw(guest.port, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(answer).toBe("HTTP/1.0 200 OK\r\n\r\nuntil the end");
    expect(guest.host.closedByGuest).not.toContain(guest.host.ids.at(-1));
  });

  test("bytes and closes for connections that never were do nothing", async () => {
    const { guest } = await shared();
    for (const id of [-1n, 0n, 1n, 9999n, 2n ** 63n - 1n])
      guest.host.send(Buffer.concat([muxHeader(id, 4), Buffer.from("junk"), muxHeader(id, 0)]));
    guest.host.send(randomBytes(0));
    expect(await status("-X", "OPTIONS", `${guest.url}/`)).toBe("200");
  });
});

describe("row 95: a reader that stands still stops nobody", () => {
  test("100 MB lie for one client while others go on, and arrive whole when it reads", {
    timeout: 60_000,
  }, async () => {
    const { viewer, guest } = await shared();
    const content = randomBytes(100 * MiB);
    writeFileSync(viewer.folder.join("large.bin"), content);
    const slow = connect(guest.port, "127.0.0.1");
    slow.write("GET /large.bin HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    await once(slow, "readable");
    for (let n = 0; n < 5; n++) {
      const startMs = monotonicMs();
      expect(await status("-X", "PROPFIND", "-H", "Depth: 0", `${guest.url}/`)).toBe("207");
      // A stalled port would never answer; libphodav takes its time while it sends the large file.
      expect(monotonicMs() - startMs).toBeLessThan(5000);
    }
    const hash = createHash("md5");
    let bytes = 0;
    let isBody = false;
    for await (const piece of slow as AsyncIterable<Buffer>) {
      const from = isBody ? 0 : piece.indexOf("\r\n\r\n") + 4;
      isBody = true;
      hash.update(piece.subarray(from));
      bytes += piece.length - from;
    }
    expect(bytes).toBe(content.length);
    expect(hash.digest("hex")).toBe(md5(content));
  });
});

describe("rows 96, 97: while no viewer shares, everybody is refused at once", () => {
  test("it leaves, comes back, and leaves in the middle of a PUT", async () => {
    const { viewer, guest } = await shared();
    const upload = await startProcess(
      "curl",
      [...["-sS", "--noproxy", "*", "-T", "-", "--limit-rate", "100K", `${guest.url}/half.bin`]],
      { stdin: "pipe" },
    );
    hold(upload);
    upload.stdin.write(randomBytes(MiB));
    await until("the upload to be under way", () => guest.host.ids.length > 3, 20_000);
    await guest.host.leave();
    const { code } = await upload.ended;
    expect(code).not.toBe(0);
    await until("the folder not to be served", () => guest.folder.report.listening.length === 0, 20_000);
    const startMs = monotonicMs();
    await expect(curl(`${guest.url}/`)).rejects.toThrow(/Connection refused|Failed to connect|Couldn't connect/);
    expect(monotonicMs() - startMs).toBeLessThan(2000);
    const before = guest.host.ids.length;
    await guest.host.comeBack();
    await guest.untilListening();
    writeFileSync(viewer.folder.join("a"), "again");
    expect(await curl(`${guest.url}/a`)).toBe("again");
    expect(guest.host.ids.slice(before).every((id) => !guest.host.ids.slice(0, before).includes(id))).toBe(true);
  });

  test("a viewer that freezes: who waits is let go within 5 s, the others are refused, and it goes on when the viewer does", async () => {
    const { viewer, guest } = await shared();
    viewer.process.signal("SIGSTOP");
    const startMs = monotonicMs();
    await expect(curl(`${guest.url}/`)).rejects.toThrow(CUT_OFF);
    expect(monotonicMs() - startMs).toBeLessThan(5000);
    await expect(curl(`${guest.url}/`)).rejects.toThrow(CUT_OFF);
    // The address is not left to whoever takes it.
    const squatter = createServer().listen(guest.port, "127.0.0.1");
    await expect(once(squatter, "listening")).rejects.toMatchObject({ code: "EADDRINUSE" });
    expect(guest.folder.report).toMatchObject({ listening: [], fault: "the viewer has stopped answering" });
    expect((await send(guest, "/bin/sh")).said).toContain("the viewer has left or stopped answering");
    viewer.process.signal("SIGCONT");
    await guest.untilListening();
    expect(await status(`${guest.url}/`)).toBe("200");
  });

  test("a file that is long in coming or going is no frozen viewer: it answers when it is asked for something else", async () => {
    const guest = await handmade((socket, request) => {
      if (request.startsWith("PUT ")) return;
      setTimeout(() => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate"), 4000);
    });
    // It ends by its own time, not by being closed.
    const slowPut = status("--limit-rate", "1K", "-m", "5", "-T", "/proc/self/exe", `${guest.url}/up`);
    const ended = expect(slowPut).rejects.toThrow("exit 28");
    const startMs = monotonicMs();
    expect(await curl(`${guest.url}/slow`)).toBe("late");
    expect(monotonicMs() - startMs).toBeGreaterThan(3900);
    await ended;
    expect(guest.folder.report.listening).toHaveLength(2);
  });

  test("after a sleep half a frame of another time puts nothing out of step; a viewer that answers is let be", async () => {
    const { guest } = await shared();
    const before = guest.host.openings;
    guest.folder.beginAnew();
    await sleep(2500);
    expect(guest.host.openings).toBe(before);
    // The head of a frame of which the rest was lost.
    guest.host.send(muxHeader(12345n, 60_000));
    guest.folder.beginAnew();
    await until("the port to be opened anew", () => guest.host.openings === before + 1, 20_000);
    await guest.untilListening();
    expect(await status(`${guest.url}/`)).toBe("200");
  });

  test("a viewer whose server does not answer is not served", async () => {
    const port = await freePort();
    const silent = createServer((socket) => void socket.on("error", () => {}));
    silent.listen(port, "127.0.0.1");
    await once(silent, "listening");
    held.push({ [Symbol.asyncDispose]: async () => void silent.close() });
    const guest = hold(await serveFolder(port, { isAwaited: false }));
    await until("the viewer to be given up", () => guest.folder.report.fault !== null, 8000);
    expect(guest.folder.report).toMatchObject({ viewer: "silent", listening: [] });
    expect(guest.folder.report.fault).toMatch(/^shared-folder.no-answer/);
  });
});

describe("row 99: only root and the user on the screen, and nobody else's web pages", () => {
  test("another user's program gets 403, and the log says so", async () => {
    const { guest } = await shared();
    const args = [`--reuid=${OTHER_UID}`, `--regid=${OTHER_UID}`, "--clear-groups", "curl", "-sS", "--noproxy", "*"];
    const answer = await run("setpriv", [...args, "-i", `${guest.url}/`]);
    expect(answer).toContain("403 Forbidden");
    expect(guest.logged.join("\n")).toContain(`user ${OTHER_UID} refused`);
    // As the user on the screen it may, and root may always.
    guest.folder.screenChanged(OTHER_UID);
    const code = await run("setpriv", [
      ...args,
      "-o",
      "/dev/null",
      "-w",
      "%{http_code}",
      `http://[::1]:${guest.port}/`,
    ]);
    expect(code).toBe("200");
    expect(await status(`${guest.url}/`)).toBe("200");
  });

  test("who is no longer on the screen is cut off in the middle of an answer", async () => {
    let isAnswered = false;
    const guest = await handmade((socket) => {
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1");
      isAnswered = true;
    });
    guest.folder.screenChanged(OTHER_UID);
    const args = [`--reuid=${OTHER_UID}`, `--regid=${OTHER_UID}`, "--clear-groups", "curl", "-sS", "--noproxy", "*"];
    const answer = run("setpriv", [...args, "-m", "10", `${guest.url}/`]);
    await until("it to be answered", () => isAnswered, 20_000);
    const cut = expect(answer).rejects.toThrow(/exit (18|52|56)/);
    guest.folder.screenChanged(OTHER_UID - 1);
    await cut;
  });

  test("a page that gave its name to this machine's address (DNS rebinding), and one that sends from elsewhere", async () => {
    const { viewer, guest } = await shared();
    const rebound = `http://rebound.example:${guest.port}/`;
    expect(await status("--resolve", `rebound.example:${guest.port}:127.0.0.1`, rebound)).toBe("403");
    expect(await status("-X", "PUT", "-d", "x", "-H", "Origin: http://evil.example", `${guest.url}/evil`)).toBe("403");
    expect(existsSync(viewer.folder.join("evil"))).toBe(false);
    // Hidden behind a request that may pass.
    const hidden =
      "PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" +
      "DELETE /a HTTP/1.1\r\nHost: evil.example\r\n\r\n";
    expect(await raw(guest.port, hidden)).toMatch(/^HTTP\/1\.1 400 /);
    const second = "OPTIONS / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    const client = connect(guest.port, "127.0.0.1");
    client.write(second);
    await once(client, "data");
    client.write("GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n");
    const [answer] = (await once(client, "data")) as [Buffer];
    expect(answer.toString("latin1")).toMatch(/^HTTP\/1\.1 403 /);
    client.destroy();
  });

  test("requests on one connection, one after the other and each with a body", async () => {
    const { viewer, guest } = await shared();
    using dir = makeTempDir("dav");
    for (const name of ["a", "b", "c"]) writeFileSync(dir.join(name), randomBytes(3 * MiB));
    await curl("-T", `{${["a", "b", "c"].map((name) => dir.join(name)).join(",")}}`, `${guest.url}/`);
    for (const name of ["a", "b", "c"])
      expect(md5(readFileSync(viewer.folder.join(name)))).toBe(md5(readFileSync(dir.join(name))));
  });
});

describe("tsvdagent send", () => {
  test("files of every name arrive whole, and never over another", async () => {
    const { viewer, guest } = await shared();
    using dir = makeTempDir("send");
    const names = ["a.txt", "ä ö#?%.bin", "no extension", "empty"];
    const contents = [randomBytes(3 * MiB), randomBytes(70_000), randomBytes(1), new Uint8Array(0)];
    for (const [n, name] of names.entries()) writeFileSync(dir.join(name), contents[n] ?? "");
    writeFileSync(viewer.folder.join("a.txt"), "the viewer's own");
    const { code, said } = await send(guest, ...names.map((name) => dir.join(name)));
    expect({ code, said }).toMatchObject({ code: 0 });
    expect(said).toContain("a.txt: sent as a (1).txt");
    expect(readFileSync(viewer.folder.join("a.txt"), "utf8")).toBe("the viewer's own");
    for (const [n, name] of ["a (1).txt", ...names.slice(1)].entries())
      expect(md5(readFileSync(viewer.folder.join(name)))).toBe(md5(contents[n] ?? new Uint8Array(0)));
    expect(readdirSync(viewer.folder.path).sort()).toEqual(["a (1).txt", "a.txt", ...names.slice(1)].sort());
  });

  test("what cannot be sent is told, with exit code 1, and the others are sent; nothing of it is left", async () => {
    const { viewer, guest } = await shared();
    using dir = makeTempDir("send");
    writeFileSync(dir.join("good"), "good");
    const { code, said } = await send(guest, dir.join("missing"), dir.path, dir.join("good"));
    expect(code).toBe(1);
    expect(said).toMatch(/missing: ENOENT/);
    expect(said).toMatch(/not a file/);
    expect(readdirSync(viewer.folder.path)).toEqual(["good"]);
    await guest.host.leave();
    await until("the folder not to be served", () => guest.folder.report.listening.length === 0, 20_000);
    expect(await send(guest, dir.join("good"))).toMatchObject({
      code: 1,
      said: expect.stringContaining("no viewer shares a folder"),
    });
    expect((await send(guest)).code).toBe(2);
  });

  test("into a folder that is shared read-only", async () => {
    const { guest } = await shared({ readOnly: true });
    const { code, said } = await send(guest, "/bin/sh");
    expect(code).toBe(1);
    expect(said).toMatch(/read-only/);
  });
});
