// What a client takes for granted when it changes something, and what happens to that while the change is on its way.
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import type { OutgoingHttpHeaders } from "node:http";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { mountTable } from "../../../../src/support/mount-table.ts";
import { until } from "../../../integration/peers/until.ts";
import { closed, head, type RawClient, ServedFolder } from "./served-folder.ts";

/** Called before a file is copied, and waited for. */
let beforeCopy: () => Promise<void>;
/** Called when a file has been given its mode, and waited for. */
let afterChmod: () => Promise<void>;
/** As if what is shared were on two file systems: nothing is renamed from one name to another that is not hidden. */
let areApart = false;
vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  return {
    ...real,
    copyFile: async (...args: Parameters<typeof real.copyFile>) => {
      await beforeCopy();
      await real.copyFile(...args);
    },
    open: async (...args: Parameters<typeof real.open>) => {
      const handle = await real.open(...args);
      const chmod = handle.chmod.bind(handle);
      handle.chmod = async (mode) => {
        await chmod(mode);
        await afterChmod();
      };
      return handle;
    },
    rename: async (from: string, to: string) => {
      if (areApart && !/\.tsvdagent-/.test(from + to)) throw Object.assign(new Error("apart"), { code: "EXDEV" });
      await real.rename(from, to);
    },
  };
});

vi.mock("../../../../src/support/mount-table.ts", { spy: true });

const LOCK = `<lockinfo xmlns="DAV:"><lockscope><exclusive/></lockscope><locktype><write/></locktype></lockinfo>`;
const CHANGE = `<propertyupdate xmlns="DAV:"><set><prop><x xmlns="u:">1</x></prop></set></propertyupdate>`;

let served: ServedFolder;

beforeEach(async () => {
  beforeCopy = async () => {};
  afterChmod = async () => {};
  areApart = false;
  served = await ServedFolder.start();
});

afterEach(() => {
  served[Symbol.dispose]();
  vi.mocked(mountTable).mockReset();
});

const inside = (name: string): string => served.dir.join(`p/${name}`);
const content = (name: string): string => readFileSync(inside(name), "utf8");
const put = (name: string, text: string): void => writeFileSync(inside(name), text);

async function status(method: string, path: string, headers: OutgoingHttpHeaders = {}, body = ""): Promise<number> {
  return (await served.ask(method, path, { headers, body })).status;
}

async function etag(path: string): Promise<string> {
  return (await served.ask("HEAD", path)).headers.etag as string;
}

/** Half of a file of 8 bytes is there; the rest is to come. */
async function beginPut(path: string, headers = ""): Promise<RawClient> {
  const expecting = `Content-Length: 8\r\nExpect: 100-continue\r\n${headers}`;
  const client = served.raw(head("PUT", path, expecting));
  await until("the go-ahead", () => client.heard().includes(" 100 "), 5000, 2);
  client.socket.write("half");
  return client;
}

async function endPut({ socket, heard }: RawClient): Promise<number> {
  socket.write("rest");
  await until("the answer", () => /HTTP\/1\.1 [2-5]\d\d/.test(heard().replace(" 100 ", "")), 5000, 2);
  socket.destroy();
  return Number(/HTTP\/1\.1 ([2-5]\d\d)/.exec(heard())?.[1]);
}

const openFiles = (): number => served.open().filter((path) => path === inside("large")).length;

/** Of what was on its way. */
function left(): string[] {
  const notes = served.dir.join("notes");
  return [...served.parts(), ...(existsSync(notes) ? readdirSync(notes) : [])];
}

describe("what comes to be meanwhile", () => {
  test("is not replaced by a file that was to be new", async () => {
    const client = await beginPut("/p/f", "If-None-Match: *\r\n");
    put("f", "another's");
    expect(await endPut(client)).toBe(412);
    expect(content("f")).toBe("another's");
    expect(await endPut(await beginPut("/p/g", "If-None-Match: *\r\n"))).toBe(201);
    expect(content("g")).toBe("halfrest");
    expect(served.parts()).toEqual([]);
  });

  test("is not replaced by a file that was to take the place of another", async () => {
    put("f", "old");
    const first = await beginPut("/p/f", `If-Match: ${await etag("/p/f")}\r\n`);
    put("f", "changed");
    utimesSync(inside("f"), 1, 1);
    expect(await endPut(first)).toBe(412);
    expect(content("f")).toBe("changed");
    expect(await endPut(await beginPut("/p/f", `If-Match: ${await etag("/p/f")}\r\n`))).toBe(204);
    expect(content("f")).toBe("halfrest");
  });

  test("counts for the If header, too", async () => {
    put("f", "old");
    const client = await beginPut("/p/f", `If: ([${await etag("/p/f")}])\r\n`);
    put("f", "changed");
    utimesSync(inside("f"), 1, 1);
    expect(await endPut(client)).toBe(412);
    expect(content("f")).toBe("changed");
  });

  test("counts until all but its name is settled of a file that takes another's place", async () => {
    afterChmod = async () => {
      put("f", "changed");
      utimesSync(inside("f"), 1, 1);
    };
    for (const condition of [(tag: string) => ({ "If-Match": tag }), (tag: string) => ({ If: `([${tag}])` })]) {
      put("f", "old");
      expect(await status("PUT", "/p/f", condition(await etag("/p/f")), "new")).toBe(412);
      expect(content("f")).toBe("changed");
    }
    put("g", "old");
    afterChmod = async () => void (await served.ask("LOCK", "/p/g", { body: LOCK }));
    expect(await status("PUT", "/p/g", {}, "new")).toBe(423);
    expect(content("g")).toBe("old");
  });

  test("counts for the If header of properties whose body takes its time", async () => {
    put("f", "old");
    const expecting = `Content-Length: ${CHANGE.length}\r\nExpect: 100-continue\r\n`;
    const slowly = async (condition: string, meanwhile: () => void): Promise<string> => {
      const { socket, heard } = served.raw(head("PROPPATCH", "/p/f", `If: (${condition})\r\n${expecting}`));
      await until("the go-ahead", () => heard().includes(" 100 "), 5000, 2);
      meanwhile();
      socket.write(CHANGE);
      await until("the answer", () => /HTTP\/1\.1 [2-5]\d\d/.test(heard()), 5000, 2);
      socket.destroy();
      return /HTTP\/1\.1 ([2-5]\d\d)/.exec(heard())?.[1] ?? "";
    };
    expect(await slowly(`[${await etag("/p/f")}]`, () => utimesSync(inside("f"), 1, 1))).toBe("412");
    const { headers } = await served.ask("LOCK", "/p/f", { body: LOCK, headers: { Timeout: "Second-10" } });
    expect(await slowly(String(headers["lock-token"]), () => served.clock.advance(20_000))).toBe("412");
    expect((await served.ask("PROPFIND", "/p/f", { headers: { Depth: "0" } })).text).not.toContain("u:");
    expect(await slowly(`[${await etag("/p/f")}]`, () => {})).toBe("207");
  });

  test("is not replaced by a file when it is a folder", async () => {
    const client = await beginPut("/p/f");
    mkdirSync(inside("f"));
    expect(await endPut(client)).toBe(405);
    expect(readdirSync(inside("f"))).toEqual([]);
  });

  test.each([
    ["file", "f"],
    ["folder", "d"],
  ])("is not replaced by the copy of a %s that is to replace nothing", async (_, from) => {
    put("f", "new");
    mkdirSync(inside("d"));
    put("d/inside", "new");
    beforeCopy = async () => put("to", "another's");
    expect(await status("COPY", `/p/${from}`, { Destination: "/p/to", Overwrite: "F" })).toBe(412);
    expect(content("to")).toBe("another's");
    expect(await status("COPY", `/p/${from}`, { Destination: "/p/free", Overwrite: "F" })).toBe(201);
    expect(content(from === "f" ? "free" : "free/inside")).toBe("new");
    expect(left()).toEqual([]);
  });

  test("is replaced where that was asked for, and what has gone is not missed", async () => {
    for (const name of ["d", "gone"]) mkdirSync(inside(name));
    put("d/inside", "new");
    beforeCopy = async () => put("to", "another's");
    expect(await status("COPY", "/p/d", { Destination: "/p/to" })).toBe(201);
    expect(content("to/inside")).toBe("new");
    beforeCopy = async () => rmdirSync(inside("gone"));
    expect(await status("COPY", "/p/d", { Destination: "/p/gone" })).toBe(204);
    expect(content("gone/inside")).toBe("new");
    expect(left()).toEqual([]);
  });

  test("two copies over one folder at once are both done, and one of them is there as a whole", async () => {
    for (const name of ["one", "other", "to"]) {
      mkdirSync(inside(name));
      for (const file of ["a", "b"]) put(`${name}/${file}`, name);
    }
    for (let round = 0; round < 30; round += 1) {
      const both = ["one", "other"].map((from) => status("COPY", `/p/${from}`, { Destination: "/p/to" }));
      for (const code of await Promise.all(both)) expect([201, 204]).toContain(code);
      expect(readdirSync(inside("to"))).toEqual(["a", "b"]);
      expect(content("to/a")).toBe(content("to/b"));
    }
    expect(left()).toEqual([]);
    // What one has put aside comes back under another name if the other was in between.
    const names = readdirSync(inside("")).filter((name) => !/^to \(\d+\)$/.test(name));
    expect(names.sort()).toEqual(["one", "other", "to"]);
  });

  test("what is to replace nothing is moved where nothing is, and only there", async () => {
    for (const name of ["d", "full"]) mkdirSync(inside(name));
    for (const name of ["f", "d/inside", "full/inside"]) put(name, name);
    for (const name of ["f", "d"]) {
      expect(await status("MOVE", `/p/${name}`, { Destination: "/p/full", Overwrite: "F" })).toBe(412);
      expect(await status("MOVE", `/p/${name}`, { Destination: `/p/${name}2`, Overwrite: "F" })).toBe(201);
    }
    expect(readdirSync(inside("")).sort()).toEqual(["d2", "f2", "full"]);
    expect([content("f2"), content("d2/inside"), content("full/inside")]).toEqual(["f", "d/inside", "full/inside"]);
  });

  test("a lock that somebody takes is heeded, and who has it is let in", async () => {
    const client = await beginPut("/p/f");
    const { headers } = await served.ask("LOCK", "/p/f", { body: LOCK });
    expect(await endPut(client)).toBe(423);
    expect(content("f")).toBe("");
    expect(await endPut(await beginPut("/p/f", `If: (${headers["lock-token"]})\r\n`))).toBe(204);
    put("g", "g");
    const expecting = `Content-Length: ${CHANGE.length}\r\nExpect: 100-continue\r\n`;
    const change = served.raw(head("PROPPATCH", "/p/g", expecting));
    await until("the go-ahead", () => change.heard().includes(" 100 "), 5000, 2);
    await served.ask("LOCK", "/p/g", { body: LOCK });
    change.socket.write(CHANGE);
    await until("the answer", () => change.heard().includes(" 423 "), 5000, 2);
    change.socket.destroy();
    put("from", "new");
    beforeCopy = async () => void (await served.ask("LOCK", "/p/to", { body: LOCK }));
    expect(await status("COPY", "/p/from", { Destination: "/p/to" })).toBe(423);
    expect(content("to")).toBe("");
    expect(served.parts()).toEqual([]);
  });
});

describe("a file that is moved to another file system", () => {
  const move = (to: string): Promise<number> => status("MOVE", "/p/f", { Destination: `/p/${to}` });

  test("is there as a whole before anything is taken away; a folder is not moved", async () => {
    areApart = true;
    put("f", "new");
    for (const name of ["d", "e"]) mkdirSync(inside(name));
    put("d/mine", "old");
    let seen = "";
    beforeCopy = async () => {
      seen = content("d/mine");
    };
    expect(await move("d")).toBe(204);
    expect([seen, content("d"), existsSync(inside("f"))]).toEqual(["old", "new", false]);
    expect(await status("MOVE", "/p/e", { Destination: "/p/g" })).toBe(403);
    expect(left()).toEqual([]);
  });

  test("stays, too, if it is changed while it is copied", async () => {
    areApart = true;
    put("f", "new");
    beforeCopy = async () => put("f", "newer");
    expect(await move("g")).toBe(409);
    expect(content("f")).toBe("newer");
  });
});

test("a folder in which a drive is mounted is neither removed nor replaced, not even in part", async () => {
  for (const name of ["full/a drive", "full/other", "new"]) mkdirSync(inside(name), { recursive: true });
  put("full/other/mine", "mine");
  vi.mocked(mountTable).mockResolvedValue([{ device: "8:1", path: inside("full/a drive") }]);
  expect(await status("DELETE", "/p/full")).toBe(403);
  expect(await status("COPY", "/p/new", { Destination: "/p/full" })).toBe(403);
  expect(content("full/other/mine")).toBe("mine");
  expect(await status("DELETE", "/p/full/other")).toBe(204);
  expect(left()).toEqual([]);
});

test("what is around it, or what it is itself, is not replaced by it, by whatever way its name leads there", async () => {
  mkdirSync(inside("a/b"), { recursive: true });
  for (const name of ["a/.hidden", "a/mine", "a/b/.hidden", "a/b/f"]) put(name, name);
  symlinkSync("a", inside("link"));
  symlinkSync("a/b", inside("deep"));
  const all = readdirSync(inside(""), { recursive: true });
  for (const [method, from, to] of [
    ["COPY", "link/b", "a"],
    ["MOVE", "link/b", "a"],
    ["COPY", "deep", "a"],
    ["COPY", "link/b", "a/b"],
    ["COPY", "deep", "a/b"],
    ["MOVE", "a", "link/c"],
    ["COPY", "a", "link/c"],
    ["COPY", "link", "a/c"],
    ["MOVE", "a/b/f", "link/b/f"],
  ] as const)
    expect([method, from, to, await status(method, `/p/${from}`, { Destination: `/p/${to}` })]).toEqual([
      method,
      from,
      to,
      403,
    ]);
  expect(readdirSync(inside(""), { recursive: true })).toEqual(all);
  // The link itself is not what it leads to.
  expect(await status("COPY", "/p/a/b", { Destination: "/p/deep" })).toBe(204);
  expect(await status("MOVE", "/p/link", { Destination: "/p/a/b/link" })).toBe(201);
});

test("a folder is there until the file that takes its place is whole", async () => {
  put("f", "new");
  mkdirSync(inside("d"));
  put("d/mine", "old");
  let seen = "";
  beforeCopy = async () => {
    seen = content("d/mine");
  };
  expect(await status("COPY", "/p/f", { Destination: "/p/d" })).toBe(204);
  expect([seen, content("d")]).toEqual(["old", "new"]);
  expect(left()).toEqual([]);
});

describe("conditions of what is to be changed", () => {
  test.each([
    ["DELETE", {}, 204],
    ["MOVE", { Destination: "/p/to" }, 201],
    ["COPY", { Destination: "/p/to" }, 201],
    ["PROPPATCH", {}, 207],
  ] as const)("%s", async (method, headers, done) => {
    put("f", "f");
    utimesSync(inside("f"), 1000, 1000);
    const body = method === "PROPPATCH" ? CHANGE : "";
    const tag = await etag("/p/f");
    for (const condition of [
      { "If-Match": '"another"' },
      { "If-None-Match": `"another", ${tag}` },
      { "If-Unmodified-Since": new Date(999_000).toUTCString() },
    ])
      expect(await status(method, "/p/f", { ...headers, ...condition }, body)).toBe(412);
    expect(readdirSync(inside(""))).toEqual(["f"]);
    expect((await served.ask("PROPFIND", "/p/f", { headers: { Depth: "0" } })).text).not.toContain("u:");
    const holds = { "If-Match": tag, "If-None-Match": '"another"' };
    expect(await status(method, "/p/f", { ...headers, ...holds }, body)).toBe(done);
  });

  test("a link has the tag of what it leads to; what is not there has none", async () => {
    put("f", "f");
    symlinkSync("f", inside("link"));
    symlinkSync("none", inside("nowhere"));
    expect(await status("DELETE", "/p/link", { "If-Match": await etag("/p/f") })).toBe(204);
    expect(await status("DELETE", "/p/nowhere", { "If-Match": "*" })).toBe(412);
    expect(await status("DELETE", "/p/nowhere", { "If-None-Match": "*" })).toBe(204);
    expect(await status("DELETE", "/p/none", { "If-Match": "*" })).toBe(404);
  });

  test("in an If header, what is elsewhere or nobody's business holds nothing, and spoils no other list", async () => {
    put("f", "f");
    const lists = ['<http://elsewhere/p/f> (["x"])', '<http://localhost/p/.hidden> (["x"])', '<mailto:a@b> (["x"])'];
    for (const list of lists) {
      expect(await status("PUT", "/p/f", { If: list }, "x")).toBe(412);
      expect(await status("PUT", "/p/f", { If: `${list} </p/f> ([${await etag("/p/f")}])` }, "x")).toBe(204);
    }
  });
});

describe("several requests at once on a connection", () => {
  test("are as if each had waited for the one before", async () => {
    const large = "x".repeat(300_000);
    const { socket, heard } = served.raw(
      [
        `${head("PUT", "/p/a", `Content-Length: ${large.length}\r\n`)}${large}`,
        head("MOVE", "/p/a", "Destination: /p/b\r\n"),
        head("MKCOL", "/p/d", ""),
        head("COPY", "/p/b", "Destination: /p/d/c\r\n"),
        head("DELETE", "/p/b", ""),
        head("HEAD", "/p/d/c", ""),
        head("GET", "/p/b", "Connection: close\r\n"),
      ].join(""),
    );
    await closed(socket);
    const statuses = [...heard().matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, code]) => Number(code));
    expect(statuses).toEqual([201, 201, 201, 201, 204, 200, 404]);
    expect(heard()).toContain("Content-Length: 300000\r\n");
  });

  test("what waits for its turn when the client leaves is not done, and holds nothing open", async () => {
    put("f", "f");
    writeFileSync(inside("large"), Buffer.alloc(20_000_000));
    const { socket } = served.raw("");
    socket.pause();
    socket.write([head("GET", "/p/large", ""), head("GET", "/p/large", ""), head("DELETE", "/p/f", "")].join(""));
    await until("the first to be sent", () => openFiles() > 0, 5000, 2);
    socket.destroy();
    await until("nothing to be open", () => openFiles() === 0, 5000, 5);
    expect(content("f")).toBe("f");
  });

  test("more than a hundred that wait end the connection", async () => {
    const { socket } = served.raw(head("PROPFIND", "/p/", "Depth: 0\r\n").repeat(500));
    await closed(socket);
    expect((await served.ask("OPTIONS", "/")).status).toBe(200);
  });

  test("what follows one after which the connection ends is not done", async () => {
    put("f", "f");
    const client = served.raw(`${head("PUT", "/p/none/f", "Content-Length: 8\r\n")}half`);
    await until("the refusal", () => client.heard().includes(" 409 "), 5000, 2);
    expect(client.heard()).toContain("Connection: close\r\n");
    client.socket.write(`rest${head("DELETE", "/p/f", "")}`);
    await closed(client.socket);
    expect((await served.ask("GET", "/p/f")).status).toBe(200);
  });
});

describe("the form of a request", () => {
  test("a whole URL is served, and it is the server that it names that is judged", async () => {
    put("f", "f");
    const { port } = served;
    expect((await served.ask("GET", `http://localhost:${port}/p/f`)).text).toBe("f");
    expect(await status("GET", `http://localhost:${port}?a=b`)).toBe(200);
    for (const there of [
      "evil.example",
      "evil.example?@localhost",
      "localhost@evil.example",
      "a@localhost@evil.example",
    ])
      for (const method of ["GET", "OPTIONS"])
        expect(await status(method, `http://${there}/p/f`, { Host: `localhost:${port}` })).toBe(403);
    const destination = { Host: "elsewhere", Destination: `http://127.0.0.1:${port}/p/g` };
    expect(await status("MOVE", `http://127.0.0.1:${port}/p/f`, destination)).toBe(201);
    expect(content("g")).toBe("f");
  });

  test("a folder's slash is added to its path alone, and leads to this server", async () => {
    mkdirSync(inside("d ä"));
    for (const path of ["/p/d%20%C3%A4", "//p/d%20%C3%A4", "/p/d%20%C3%A4?a=/"])
      expect((await served.ask("GET", path)).headers.location).toBe("/p/d%20%C3%A4/");
    expect(await status("GET", "/p/d%20%C3%A4/?a=b")).toBe(200);
  });

  test("a head of more than 64 KiB, and noise, are told so", async () => {
    const long = served.raw(head("GET", "/p/", `X: ${"x".repeat(70_000)}\r\n`));
    await until("the answer", () => long.heard().startsWith("HTTP/1.1 431 "), 5000, 2);
    const noise = served.raw("noise\r\n\r\n");
    await until("the answer", () => noise.heard().startsWith("HTTP/1.1 400 "), 5000, 2);
    await Promise.all([long, noise].map(({ socket }) => closed(socket)));
  });

  test("a folder that is not shared cannot be locked; those that are can", async () => {
    expect(await status("LOCK", "/q", {}, LOCK)).toBe(404);
    expect(await status("LOCK", "/p", {}, LOCK)).toBe(200);
  });

  test("the depth of a file is of no concern; a folder is not removed without what is in it", async () => {
    put("f", "f");
    mkdirSync(inside("d"));
    expect(await status("DELETE", "/p/f", { Depth: "0" })).toBe(204);
    expect(await status("DELETE", "/p/d", { Depth: "0" })).toBe(400);
    expect([existsSync(inside("f")), lstatSync(inside("d")).isDirectory()]).toEqual([false, true]);
  });

  test("a folder that is moved into itself by way of a link is refused", async () => {
    for (const name of ["d", "d/e"]) mkdirSync(inside(name));
    symlinkSync("d", inside("link"));
    expect(await status("MOVE", "/p/d", { Destination: "/p/link/e/d" })).toBe(403);
    expect(lstatSync(inside("d/e")).isDirectory()).toBe(true);
  });
});
