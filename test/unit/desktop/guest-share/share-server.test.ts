// The server of the guest's folders, as whoever connects sees it: whom it serves, what it refuses, and what is left after that.
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { type Duplex, duplexPair } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { parseXml } from "../../../../src/desktop/guest-share/dav-xml.ts";
import type { TempDir } from "../../../integration/peers/temp-dir.ts";
import { until } from "../../../integration/peers/until.ts";
import { type Asked, closed, head, ServedFolder } from "./served-folder.ts";

let isDiskFull = false;
/** False as on FAT and many network file systems. */
let hasUnnamed = true;
vi.mock("../../../../src/support/native/unnamed-file.ts", async (original) => {
  const real = await original<typeof import("../../../../src/support/native/unnamed-file.ts")>();
  return {
    openUnnamedFile: async (...args: Parameters<typeof real.openUnnamedFile>) => {
      if (hasUnnamed) {
        const file = await real.openUnnamedFile(...args);
        if (isDiskFull) file.handle.writev = () => Promise.reject(Object.assign(new Error("full"), { code: "ENOSPC" }));
        return file;
      }
      throw Object.assign(new Error("not supported"), { code: "EOPNOTSUPP" });
    },
  };
});

/** What the disk waits for before a file is copied. */
let disk: Promise<void> = Promise.resolve();
/** Until it is told to go on. */
function holdDisk(): () => void {
  let goOn = (): void => {};
  disk = new Promise((resolve) => {
    goOn = resolve;
  });
  return goOn;
}
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    copyFile: async (...args: Parameters<typeof real.copyFile>) => {
      await disk;
      await real.copyFile(...args);
    },
  };
});

let served: ServedFolder;
let dir: TempDir;

beforeEach(async () => {
  hasUnnamed = true;
  isDiskFull = false;
  disk = Promise.resolve();
  served = await ServedFolder.start();
  ({ dir } = served);
});

afterEach(() => served[Symbol.dispose]());

const ask: ServedFolder["ask"] = (...args) => served.ask(...args);
const raw: ServedFolder["raw"] = (text) => served.raw(text);
const parts = (): string[] => served.parts();

const openFiles = (): string[] => served.open().filter((path) => path !== dir.join("p"));
const openFolders = (): number => served.open().filter((path) => path === dir.join("p")).length;

describe("who is served", () => {
  test("whoever knows the password; a wrong one waits, and many of them keep nobody else waiting", async () => {
    const wrong = Array.from({ length: 16 }, () => ask("GET", "/", { password: "a bad secret" }));
    await until("all of them to wait", () => served.clock.waiting === 16, 5000, 2);
    expect((await ask("GET", "/", { password: "a bad secret" })).status).toBe(429);
    expect((await ask("GET", "/")).status).toBe(200);
    served.clock.advance(1000);
    for (const { status, headers } of await Promise.all(wrong)) {
      expect(status).toBe(401);
      expect(headers["www-authenticate"]).toMatch(/^Basic /);
    }
    expect(served.log.lines.join("\n")).toContain("wrong name or password");
    expect(served.log.lines.join("\n")).not.toContain("secret");
  });

  test("256 at once, and a place is free again when one goes", async () => {
    const all = Array.from({ length: 256 }, () => raw(""));
    await until("all to be served", () => served.server.connections === 256, 5000, 5);
    const { socket: late } = raw("");
    await closed(late);
    all[0]?.socket.destroy();
    await until("a free place", () => served.server.connections === 255, 5000, 5);
    for (const { socket } of all) socket.destroy();
    expect((await ask("OPTIONS", "/")).headers.dav).toBe("1, 2");
  });

  test("no name of another machine, and no page of another server", async () => {
    const status = async (headers: OutgoingHttpHeaders): Promise<number> => (await ask("GET", "/", { headers })).status;
    expect(await status({ Host: "evil.example" })).toBe(403);
    expect(await status({ Host: "localhost.evil.example:9844" })).toBe(403);
    expect(await status({ Host: "[::1]:9844" })).toBe(200);
    expect(await status({ Host: "localhost:9844", Origin: "http://localhost:1" })).toBe(403);
    expect(await status({ Host: "localhost:9844", Origin: "null" })).toBe(403);
    expect(await status({ Host: "localhost:9844", Origin: "http://localhost:9844" })).toBe(200);
  });

  test("noise ends its connection and no other", async () => {
    for (const noise of [
      randomBytes(5000),
      Buffer.from("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
      Buffer.alloc(70_000, "a"),
    ]) {
      const { socket } = raw("");
      socket.write(noise);
      await closed(socket);
    }
    expect((await ask("GET", "/")).status).toBe(200);
  });
});

describe("what is refused", () => {
  test("read-only: everything that changes something", async () => {
    served[Symbol.dispose]();
    served = await ServedFolder.start({ isWritable: false });
    ({ dir } = served);
    writeFileSync(dir.join("p/f"), "f");
    for (const method of ["PUT", "PROPPATCH", "MKCOL", "DELETE", "COPY", "MOVE", "LOCK", "UNLOCK"])
      expect((await ask(method, "/p/f")).status).toBe(403);
    expect((await ask("OPTIONS", "/p/")).headers.allow).toBe("OPTIONS, GET, HEAD, PROPFIND");
    expect((await ask("GET", "/p/f")).text).toBe("f");
  });

  test.each([
    ["POST", "/p/f", {}, 501],
    ["PUT", "/p/new/", {}, 405],
    ["PUT", "/p/none/f", {}, 409],
    ["PUT", "/f", {}, 403],
    ["PUT", "/p/f", { headers: { "Content-Range": "bytes 0-0/2" }, body: "x" }, 400],
    ["PUT", "/p/f", { headers: { "If-None-Match": "*" }, body: "x" }, 412],
    ["PUT", "/p/f", { headers: { If: "(<urn:uuid:none>)" }, body: "x" }, 412],
    ["MKCOL", "/p/new", { body: "x" }, 415],
    ["DELETE", "/p", {}, 403],
    ["DELETE", "/p/none", {}, 404],
    ["PROPFIND", "/p/", { headers: { Depth: "infinity" } }, 403],
    ["PROPFIND", "/p/", { headers: { Depth: "2" } }, 400],
    ["PROPFIND", "/p/", { headers: { Depth: "0" }, body: "x".repeat(70_000) }, 413],
    ["COPY", "/p/f", {}, 400],
    ["COPY", "/p/f", { headers: { Destination: "http://elsewhere/p/g" } }, 502],
    ["MOVE", "/p/f", { headers: { Destination: "/p/.hidden" } }, 403],
    ["MOVE", "/p/f", { headers: { Destination: "/p/../../g" } }, 400],
    ["MOVE", "/p/f", { headers: { Destination: "/p/f" } }, 403],
    ["MOVE", "/p/f", { headers: { Destination: "/p/d", Overwrite: "F" } }, 412],
    ["COPY", "/p/d", { headers: { Destination: "/p/d/in itself" } }, 403],
    ["LOCK", "/p/f", { body: "<a/>" }, 400],
    ["LOCK", "/p/f", { body: `<!DOCTYPE a><lockinfo xmlns="DAV:"/>` }, 400],
    ["UNLOCK", "/p/f", {}, 400],
    ["UNLOCK", "/p/f", { headers: { "Lock-Token": "<urn:uuid:none>" } }, 409],
  ] as [string, string, Asked, number][])("%s %s %j: %i", async (method, path, asked, status) => {
    mkdirSync(dir.join("p/d"));
    writeFileSync(dir.join("p/f"), "f");
    expect((await ask(method, path, asked)).status).toBe(status);
    expect(readFileSync(dir.join("p/f"), "utf8")).toBe("f");
    expect(parts()).toEqual([]);
  });

  test("a body that nobody wants is not asked for: no go-ahead before all else is settled", async () => {
    const { socket, heard } = raw(head("PUT", "/p/none/f", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    await until("the answer", () => heard().includes("\r\n\r\n"), 5000, 2);
    expect(heard()).toMatch(/^HTTP\/1\.1 409 /);
    socket.destroy();
    const { socket: good, heard: told } = raw(head("PUT", "/p/f", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    await until("the go-ahead", () => told() === "HTTP/1.1 100 Continue\r\n\r\n", 5000, 2);
    good.write("12345");
    await until("the answer", () => told().includes("HTTP/1.1 201 "), 5000, 2);
    expect(readFileSync(dir.join("p/f"), "utf8")).toBe("12345");
    good.destroy();
  });
});

describe("a connection on which nothing comes or goes", () => {
  /** Of which a test says when it has been silent for too long. */
  function silentStream(): { readonly client: Duplex; readonly passTime: () => void; readonly limits: number[] } {
    const [client, stream] = duplexPair();
    const limits: number[] = [];
    served.server.connect(Object.assign(stream, { setTimeout: (ms: number) => limits.push(ms) }));
    client.on("error", () => {});
    return { client, passTime: () => void stream.emit("timeout"), limits };
  }

  test("is kept while the disk works on what was asked for, and the answer comes", async () => {
    mkdirSync(dir.join("p/d"));
    writeFileSync(dir.join("p/d/f"), "f");
    const goOn = holdDisk();
    const { client, passTime, limits } = silentStream();
    client.write(head("COPY", "/p/d", "Destination: /p/e\r\n"));
    await until("the copy to begin", () => parts().length === 1, 5000, 2);
    for (let n = 1; n <= 10; n++) {
      passTime();
      expect(limits).toHaveLength(n + 1);
    }
    expect(client.destroyed).toBe(false);
    goOn();
    const [answer] = (await once(client, "data")) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 201 /);
    expect(readFileSync(dir.join("p/e/f"), "utf8")).toBe("f");
    passTime();
    await until("it to be closed", () => served.server.connections === 0, 5000, 2);
  });

  test.each([
    ["without a request", ""],
    ["in the middle of a head", "GET /p/ HTTP/1.1\r\nHo"],
    ["in the middle of a body", head("PUT", "/p/f", "Content-Length: 10\r\n")],
    ["by a client that takes nothing", head("GET", "/p/large", "")],
  ])("is closed %s", async (_when, text) => {
    writeFileSync(dir.join("p/large"), Buffer.alloc(8 * 1024 * 1024));
    const { client, passTime } = silentStream();
    client.write(text);
    // Until it waits for the client, time that passes is the server's own.
    const isClosed = (): boolean => {
      passTime();
      return served.server.connections === 0;
    };
    await until("it to be closed", isClosed, 5000, 20);
    client.destroy();
  });
});

test.each(["PROPFIND", "PROPPATCH", "LOCK", "MKCOL"])(
  "%s, whose body is small, has its go-ahead as soon as it may ask at all",
  async (method) => {
    const { socket, heard } = raw(head(method, "/p/new", "Content-Length: 5\r\nExpect: 100-continue\r\n"));
    await until("the go-ahead", () => heard().startsWith("HTTP/1.1 100 Continue\r\n\r\n"), 5000, 2);
    socket.write("12345");
    await until("the answer", () => /HTTP\/1\.1 4\d\d /.test(heard()), 5000, 2);
    socket.destroy();
  },
);

describe("what is written", () => {
  test.each([true, false])(
    "is there when it is whole; broken off, the old one stays and nothing is left (files without a name: %s)",
    async (has) => {
      hasUnnamed = has;
      writeFileSync(dir.join("p/f"), "old", { mode: 0o640 });
      const { socket } = raw(`${head("PUT", "/p/f", "Content-Length: 1000\r\n")}half`);
      await until("what has come", () => openFiles().length === 1, 5000, 2);
      expect(parts()).toHaveLength(hasUnnamed ? 0 : 1);
      socket.destroy();
      await until("it to be gone", () => openFiles().length + parts().length === 0, 5000, 2);
      expect(readFileSync(dir.join("p/f"), "utf8")).toBe("old");
      expect((await ask("PUT", "/p/f", { body: "new" })).status).toBe(204);
      expect(readFileSync(dir.join("p/f"), "utf8")).toBe("new");
      expect(statSync(dir.join("p/f")).mode & 0o777).toBe(0o640);
    },
  );

  test("a file that is copied over another takes its place in one step, with its own mode; a failure leaves the old one", async () => {
    writeFileSync(dir.join("p/f"), "new", { mode: 0o600 });
    writeFileSync(dir.join("p/g"), "old");
    mkdirSync(dir.join("p/d"));
    const copied = async (to: string): Promise<number> =>
      (await ask("COPY", "/p/f", { headers: { Destination: `/p/${to}` } })).status;
    expect(await copied("g")).toBe(204);
    expect(readFileSync(dir.join("p/g"), "utf8")).toBe("new");
    expect(statSync(dir.join("p/g")).mode & 0o777).toBe(0o600);
    expect(await copied("h")).toBe(201);
    expect(await copied("d")).toBe(204);
    expect(statSync(dir.join("p/d")).isFile()).toBe(true);
    expect(readdirSync(dir.join("p")).sort()).toEqual(["d", "f", "g", "h"]);
  });

  test("a file that is read only is copied, and its copy is read only, too", async () => {
    writeFileSync(dir.join("p/f"), "mine", { mode: 0o444 });
    expect((await ask("COPY", "/p/f", { headers: { Destination: "/p/g" } })).status).toBe(201);
    expect(readFileSync(dir.join("p/g"), "utf8")).toBe("mine");
    expect(statSync(dir.join("p/g")).mode & 0o777).toBe(0o444);
  });

  test("a folder is copied without its links that lead nowhere, out, or back to what they lie in", async () => {
    for (const name of ["d", "d/e"]) mkdirSync(dir.join(`p/${name}`));
    writeFileSync(dir.join("p/d/e/f"), "content");
    const links = { nowhere: "none", out: dir.path, "e/back": "../../d", "e/same": "f" };
    for (const [name, to] of Object.entries(links)) symlinkSync(to, dir.join(`p/d/${name}`));
    expect((await ask("COPY", "/p/d", { headers: { Destination: "/p/g" } })).status).toBe(201);
    const copied = readdirSync(dir.join("p/g"), { recursive: true, encoding: "utf8" });
    expect(copied.sort()).toEqual(["e", "e/f", "e/same"]);
    expect(readFileSync(dir.join("p/g/e/same"), "utf8")).toBe("content");
  });

  test("a folder that is copied is there when it is whole; what it replaces stays until then", async () => {
    for (const name of ["d", "d/e", "old"]) mkdirSync(dir.join(`p/${name}`));
    for (const name of ["d/f", "d/e/g", "old/mine"]) writeFileSync(dir.join(`p/${name}`), name);
    const goOn = holdDisk();
    const answers = ["new", "old"].map((to) => ask("COPY", "/p/d", { headers: { Destination: `/p/${to}` } }));
    await until("both to begin", () => parts().length === 2, 5000, 2);
    expect(readdirSync(dir.join("p")).filter((name) => !name.startsWith("."))).toEqual(["d", "old"]);
    expect(readdirSync(dir.join("p/old"))).toEqual(["mine"]);
    expect(readdirSync(dir.join("notes"))).toHaveLength(2);
    goOn();
    expect((await Promise.all(answers)).map(({ status }) => status).sort()).toEqual([201, 204]);
    for (const name of ["new", "old"]) {
      expect(readdirSync(dir.join(`p/${name}`)).sort()).toEqual(["e", "f"]);
      expect(readFileSync(dir.join(`p/${name}/e/g`), "utf8")).toBe("d/e/g");
    }
    expect([...parts(), ...readdirSync(dir.join("notes"))]).toEqual([]);
  });

  test("a link to a folder is copied as the folder, and moved as the link", async () => {
    mkdirSync(dir.join("p/d"));
    writeFileSync(dir.join("p/d/f"), "f");
    symlinkSync("d", dir.join("p/link"));
    const asked = async (method: string, to: string): Promise<number> =>
      (await ask(method, "/p/link", { headers: { Destination: `/p/${to}` } })).status;
    expect(await asked("COPY", "copied")).toBe(201);
    expect(lstatSync(dir.join("p/copied")).isDirectory()).toBe(true);
    expect(readFileSync(dir.join("p/copied/f"), "utf8")).toBe("f");
    expect(await asked("MOVE", "moved")).toBe(201);
    expect(readlinkSync(dir.join("p/moved"))).toBe("d");
  });

  test("what the disk has no room for is told, while the client is still sending; the old one stays", async () => {
    writeFileSync(dir.join("p/f"), "old");
    isDiskFull = true;
    const { socket, heard } = raw(head("PUT", "/p/f", "Content-Length: 100000000\r\n"));
    socket.write(Buffer.alloc(3 * 1024 * 1024));
    await until("the answer", () => heard().includes("\r\n\r\n"), 5000, 2);
    expect(heard()).toMatch(/^HTTP\/1\.1 507 /);
    expect(readFileSync(dir.join("p/f"), "utf8")).toBe("old");
    expect(openFiles()).toEqual([]);
    socket.destroy();
  });

  test("two at once do not mix, the last that is whole stays", async () => {
    const contents = [randomBytes(300_000), randomBytes(300_000)];
    const statuses = await Promise.all(contents.map(async (body) => (await ask("PUT", "/p/f", { body })).status));
    expect(statuses.every((status) => status === 201 || status === 204)).toBe(true);
    const there = readFileSync(dir.join("p/f"));
    expect(contents.some((content) => content.equals(there))).toBe(true);
  });

  test("a lock keeps others out, lets its owner in, and is told of", async () => {
    const body = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>me &amp; I</owner></lockinfo>`;
    const locked = await ask("LOCK", "/p/f", { body, headers: { Timeout: "Second-60" } });
    expect(locked.status).toBe(201);
    const token = locked.headers["lock-token"] as string;
    const put = async (headers: OutgoingHttpHeaders): Promise<number> =>
      (await ask("PUT", "/p/f", { body: "x", headers })).status;
    expect(await put({})).toBe(423);
    expect(await put({ If: `(${token})` })).toBe(204);
    const found = await ask("PROPFIND", "/p/f", { headers: { Depth: "0" } });
    expect(found.text).toContain("me &#38; I");
    expect(found.text).toContain(token.slice(1, -1));
    served.clock.advance(60_000);
    expect(await put({})).toBe(204);
  });
});

describe("what is read", () => {
  test("names that XML cannot say spoil neither listing nor page, and lead to their file", async () => {
    writeFileSync(dir.join("p/bell\x07 <b>&'\"\n"), "ding");
    const { status, text } = await ask("PROPFIND", "/p/", { headers: { Depth: "1" } });
    expect(status).toBe(207);
    expect(parseXml(Buffer.from(text)).children.filter((child) => typeof child !== "string")).toHaveLength(2);
    const [, href = ""] = /<D:href>(\/p\/bell[^<]*)</.exec(text) ?? [];
    expect((await ask("GET", href)).text).toBe("ding");
    const page = (await ask("GET", "/p/")).text;
    expect(page).toContain(`href="${href.replaceAll("'", "%27")}"`);
    expect(page).not.toContain("<b>");
  });

  test("a file that shrinks while it is sent breaks the connection, and is not filled up", async () => {
    writeFileSync(dir.join("p/f"), Buffer.alloc(64 * 1024 * 1024));
    const { socket, heard } = raw(head("GET", "/p/f", ""));
    socket.pause();
    await until("it to begin", () => socket.bytesRead > 0, 5000, 2);
    truncateSync(dir.join("p/f"), 1000);
    socket.resume();
    await closed(socket);
    expect(heard()).toMatch(/^HTTP\/1\.1 200 /);
    expect(heard().length).toBeLessThan(64 * 1024 * 1024);
  });

  test("a browser that leaves in the middle of a page leaves no folder open", async () => {
    for (let n = 0; n < 1500; n++) writeFileSync(dir.join(`p/${n}${"x".repeat(200)}`), "");
    await ask("GET", "/");
    for (let n = 0; n < 20; n++) {
      const { socket } = raw(head("GET", "/p/", ""));
      await once(socket, "readable");
      socket.destroy();
    }
    await until("all of them to be closed", () => openFolders() === 0, 5000, 5);
  });

  test("a client that leaves in the middle costs nothing: the file is closed, the next is served", async () => {
    writeFileSync(dir.join("p/f"), Buffer.alloc(64 * 1024 * 1024));
    const open = (): number => readdirSync("/proc/self/fd").length;
    await ask("GET", "/");
    const before = open();
    for (let n = 0; n < 20; n++) {
      const { socket } = raw(head("GET", "/p/f", ""));
      await once(socket, "readable");
      socket.destroy();
    }
    await until("all to be closed", () => served.server.connections <= 1 && open() <= before, 5000, 5);
    expect((await ask("HEAD", "/p/f")).headers["content-length"]).toBe(String(64 * 1024 * 1024));
  });
});
