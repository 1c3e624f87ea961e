// The guest's folder on the host: curl, litmus, cadaver and rclone through share-proxy, daemon and session.
import { createHash, randomBytes } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { SessionGuestShare } from "../../src/programs/session-guest-share.ts";
import { systemClock } from "../../src/support/clock.ts";
import { recordingLog } from "../fakes/recording-log.ts";
import { program } from "./peers/agent.ts";
import { freePort } from "./peers/free-port.ts";
import { type GuestShare, startGuestShare } from "./peers/guest-share.ts";
import { run, startProcess } from "./peers/processes.ts";
import { cadaver, inBrowser, rcloneOf, withGvfs } from "./peers/share-clients.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";

const MIB = 1024 * 1024;
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

let share: GuestShare;
let dir: TempDir;

beforeAll(async () => {
  dir = makeTempDir("guest-share");
  share = await startGuestShare();
});

afterAll(async () => {
  await share?.[Symbol.asyncDispose]();
  dir?.[Symbol.dispose]();
});

describe("on the host, the guest's folder", () => {
  test("is read and written with equal content, 20 MB each way", async () => {
    const content = randomBytes(20 * MIB);
    writeFileSync(dir.join("up"), content);
    expect(await share.status("-T", dir.join("up"), `${share.url}up.bin`)).toBe("201");
    expect(md5(readFileSync(share.folder("up.bin")))).toBe(md5(content));
    await share.curl("-o", dir.join("down"), `${share.url}up.bin`);
    expect(md5(readFileSync(dir.join("down")))).toBe(md5(content));
    await share.curl("-r", "1000-1999", "-o", dir.join("part"), `${share.url}up.bin`);
    expect(readFileSync(dir.join("part"))).toEqual(content.subarray(1000, 2000));
  });

  test("is read by 20 at once beside one that takes nothing", async () => {
    const contents = Array.from({ length: 20 }, () => randomBytes(300_000));
    for (const [n, content] of contents.entries()) writeFileSync(share.folder(`f${n}`), content);
    writeFileSync(share.folder("large"), randomBytes(50 * MIB));
    const slow = connect(share.port, "127.0.0.1");
    const authorization = Buffer.from(`${share.user}:${share.password}`).toString("base64");
    slow.pause();
    slow.write(`GET /Public/large HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic ${authorization}\r\n\r\n`);
    await Promise.all(contents.map((_, n) => share.curl("-o", dir.join(`f${n}`), `${share.url}f${n}`)));
    for (const [n, content] of contents.entries()) expect(md5(readFileSync(dir.join(`f${n}`)))).toBe(md5(content));
    slow.destroy();
  });

  test("wants name and password, its own name, and no page of another server", async () => {
    const bare = ["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}"];
    expect(await run("curl", [...bare, share.url])).toBe("401");
    expect(await run("curl", [...bare, "-u", `${share.user}:wrong`, share.url])).toBe("401");
    expect(await share.status("-H", "Host: evil.example", share.url)).toBe("403");
    expect(await share.status("-H", "Origin: http://evil.example", share.url)).toBe("403");
    expect(await share.status("-H", `Origin: http://127.0.0.1:${share.port}`, share.url)).toBe("200");
    const file = share.home.join(".local/state/tsvdagent/guest-share-password");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(share.session.logged + share.daemon.logged + share.proxy.logged).not.toContain(share.password);
  });

  test("ends at itself: hidden files, paths and links that lead out are refused", async () => {
    writeFileSync(share.home.join("secret"), "secret");
    writeFileSync(share.folder(".hidden"), "hidden");
    writeFileSync(share.folder("plain"), "plain");
    symlinkSync(share.home.join("secret"), share.folder("out"));
    symlinkSync("plain", share.folder("in"));
    symlinkSync(share.home.path, share.folder("home"));
    await run("mkfifo", [share.folder("fifo")]);
    const asked = (path: string): Promise<string> => share.status("--path-as-is", `${share.url}${path}`);
    for (const path of ["out", "home/secret", ".hidden", "home/Public/.hidden", "fifo"])
      expect(await asked(path)).toBe("403");
    for (const path of ["../secret", "%2e%2e/secret", "..%2fsecret", "a%00b", "%ff"])
      expect(await asked(path)).toBe("400");
    expect(await share.curl(`${share.url}in`)).toBe("plain");
    expect(await share.status("-T", dir.join("part"), `${share.url}home/new`)).toBe("403");
    const listing = await share.curl(share.url);
    expect(listing).toContain(">in<");
    for (const name of [">out<", ">home", "hidden", "fifo"]) expect(listing).not.toContain(name);
  });

  test("loses nothing when something cannot be moved: hidden files of a folder, and what it was to replace", async () => {
    for (const name of ["full", "disk"]) mkdirSync(share.folder(name));
    await run("mount", ["-t", "tmpfs", "-o", "size=1m", "none", share.folder("disk")]);
    try {
      mkdirSync(share.folder("disk/full"));
      for (const name of ["full/.hidden", "full/seen", "disk/full/old", "file"])
        writeFileSync(share.folder(name), name);
      const moved = (name: string): Promise<string> =>
        share.status("-X", "MOVE", "-H", `Destination: ${share.url}disk/${name}`, `${share.url}${name}`);
      expect(await moved("full")).toBe("403");
      expect(readdirSync(share.folder("full"))).toEqual([".hidden", "seen"]);
      expect(readdirSync(share.folder("disk/full"))).toEqual(["old"]);
      expect(await moved("file")).toBe("201");
      expect(existsSync(share.folder("file"))).toBe(false);
      expect(readFileSync(share.folder("disk/file"), "utf8")).toBe("file");
      expect(readdirSync(share.folder("disk"))).toEqual(["file", "full"]);
    } finally {
      await run("umount", ["-l", share.folder("disk")]);
    }
  });

  test("keeps the old file when an upload breaks off, also by a killed session, and nothing of the new one", async () => {
    writeFileSync(share.folder("kept"), "old");
    writeFileSync(dir.join("endless"), randomBytes(8 * MIB));
    const upload = ["-sS", "-u", `${share.user}:${share.password}`, "--limit-rate", "200k", "-T", dir.join("endless")];
    const isWriting = ({ session, folder }: GuestShare): boolean =>
      readdirSync(`/proc/${session.pid}/fd`).some((fd) => {
        try {
          return readlinkSync(`/proc/${session.pid}/fd/${fd}`).startsWith(`${folder("")}#`);
        } catch {
          return false;
        }
      });
    const before = readdirSync(share.folder(""));
    await using first = await startProcess("curl", [...upload, `${share.url}kept`]);
    await until("the upload to begin", () => isWriting(share), 5000);
    expect(readFileSync(share.folder("kept"), "utf8")).toBe("old");
    await first.kill("SIGKILL");
    await until("it to be given up", () => !isWriting(share), 5000);
    expect(readFileSync(share.folder("kept"), "utf8")).toBe("old");
    expect(readdirSync(share.folder(""))).toEqual(before);
    await using killed = await startGuestShare();
    writeFileSync(killed.folder("kept"), "old");
    const again = [...upload.slice(0, 2), `${killed.user}:${killed.password}`, ...upload.slice(3)];
    await using second = await startProcess("curl", [...again, `${killed.url}kept`]);
    await until("the upload to begin", () => isWriting(killed), 5000);
    await killed.session.process.kill("SIGKILL");
    expect((await second.ended).code).not.toBe(0);
    expect(readFileSync(killed.folder("kept"), "utf8")).toBe("old");
    expect(readdirSync(killed.folder(""))).toEqual(["kept"]);
  });

  test("keeps the old folder when a COPY over it is ended by kill -9; what that has left goes at the next start", async () => {
    await using killed = await startGuestShare();
    const { folder, url, user, password } = killed;
    for (const name of ["many", "old"]) mkdirSync(folder(name));
    writeFileSync(folder("old/mine"), "mine");
    for (let n = 0; n < 1500; n++) writeFileSync(folder(`many/${n}`), String(n));
    const copy = ["-sS", "-u", `${user}:${password}`, "-X", "COPY", "-H", `Destination: ${url}old`, `${url}many`];
    await using copying = await startProcess("curl", copy);
    const left = (): string[] => readdirSync(folder("")).filter((name) => name.startsWith("."));
    await until("it to begin", () => left().length > 0, 5000, 1);
    await killed.session.process.kill("SIGKILL");
    expect((await copying.ended).code).not.toBe(0);
    expect(left()).toHaveLength(1);
    expect(readdirSync(folder("old"))).toEqual(["mine"]);
    const next = await killed.nextSession();
    await next.untilLogged(/cleared up after one that was killed: 1/);
    expect(readdirSync(folder("")).sort()).toEqual(["many", "old"]);
    expect(await killed.status("-X", "COPY", "-H", `Destination: ${url}old`, `${url}many`)).toBe("204");
    expect(readdirSync(folder("old"))).toHaveLength(1500);
  }, 30_000);

  test("a browser lists, downloads and uploads, and runs no script of a file's name", async () => {
    mkdirSync(share.folder("page"));
    const name = `<img src=x onerror="document.title='taken'">'&#.txt`;
    writeFileSync(share.folder(`page/${name}`), "from the guest");
    writeFileSync(dir.join("from the host.txt"), "from the host");
    await inBrowser(share, async (page, complaints) => {
      await page.goto(`${share.url}page/`);
      await page.getByText(name).click();
      await page.waitForURL(/\.txt$/);
      expect(await page.textContent("body")).toBe("from the guest");
      await page.goto(`${share.url}page/`);
      await page.setInputFiles("#files", dir.join("from the host.txt"));
      await page.getByRole("link", { name: "from the host.txt" }).waitFor({ timeout: 10_000 });
      expect(readFileSync(share.folder("page/from the host.txt"), "utf8")).toBe("from the host");
      expect(await page.title()).toBe("Public / page");
      // The page asks first whether the name is taken.
      expect(complaints).toEqual(["Failed to load resource: the server responded with a status of 404 (Not Found)"]);
    });
  });

  test("is told of by status, with the file of the password and not what is in it", async () => {
    const text = await run(process.execPath, [program, "status", "--control", share.control]);
    expect(text).toMatch(/share {5}port held: .*: the host is there/);
    expect(text).toMatch(/guest share: ~\/Public read-write, name and password in \/.*guest-share-password/);
    expect(text).not.toContain(share.password);
  });
});

describe("programs on the host", () => {
  test("litmus: 104 of 104", async () => {
    mkdirSync(share.folder("litmus-base"));
    const text = await run("litmus", ["-k", `${share.url}litmus-base/`, share.user, share.password], {
      cwd: dir.path,
      timeoutMs: 60_000,
    });
    const passed = [...text.matchAll(/(\d+) passed, (\d+) failed/g)].map(([, good, bad]) => [
      Number(good),
      Number(bad),
    ]);
    expect(passed).toHaveLength(5);
    expect(passed.reduce((sum, [good = 0]) => sum + good, 0)).toBe(104);
    expect(passed.every(([, bad]) => bad === 0)).toBe(true);
    expect(text).not.toContain("WARNING");
  }, 70_000);

  test("cadaver makes, puts, locks, edits, copies, moves and removes", async () => {
    writeFileSync(dir.join("note"), "first\n");
    const commands = [
      "mkcol desk",
      "cd desk",
      `put ${dir.join("note")} note`,
      "lock note",
      "showlocks",
      "unlock note",
      "edit note",
      "copy note copied",
      "move copied moved",
      "propset note colour blue",
      "propget note colour",
      `get moved ${dir.join("got")}`,
      "delete note",
    ];
    const text = await cadaver(share, dir, commands);
    expect(text).not.toMatch(/failed|error/i);
    expect(readFileSync(share.folder("desk/moved"), "utf8")).toBe("first\nedited\n");
    expect(readFileSync(dir.join("got"), "utf8")).toBe("first\nedited\n");
    expect(existsSync(share.folder("desk/note"))).toBe(false);
  });

  test("rclone copies 60 files both ways, finds them equal, and moves them", async () => {
    mkdirSync(dir.join("many/deep er"), { recursive: true });
    for (let n = 0; n < 60; n += 1)
      writeFileSync(
        dir.join(`many/${n % 3 === 0 ? "deep er/" : ""}file ${n} 'ü&#.txt`),
        randomBytes(1 + ((n * 997) % 20_000)),
      );
    const rclone = await rcloneOf(share, dir);
    await rclone("copy", dir.join("many"), "guest:many");
    await rclone("check", "--download", dir.join("many"), "guest:many");
    await rclone("copy", "guest:many", dir.join("back"));
    await rclone("check", "--download", dir.join("back"), "guest:many");
    await rclone("move", "guest:many", "guest:moved");
    expect(readdirSync(share.folder("moved"))).toHaveLength(41);
  });
});

describe("a file manager of GTK's, through gvfs,", () => {
  test("lists, reads, puts, makes a folder, moves, renames and removes", async () => {
    mkdirSync(share.folder("files"));
    writeFileSync(share.folder("files/hello ü#.txt"), "hello\n");
    writeFileSync(dir.join("from the host"), "from the host");
    const text = await withGvfs(share, dir, [
      'gio list "$at/files"',
      'gio cat "$at/files/hello%20%C3%BC%23.txt"',
      `gio copy "${dir.join("from the host")}" "$at/files/put"`,
      'gio mkdir "$at/files/d"',
      'gio move "$at/files/put" "$at/files/d/moved"',
      'gio rename "$at/files/d/moved" "re named" > /dev/null',
      'gio info -a standard::size "$at/files/d/re%20named" | grep ^size:',
      'gio remove "$at/files/hello%20%C3%BC%23.txt"',
    ]);
    expect(text).toBe("hello ü#.txt\nhello\nsize:  13\n");
    expect(readFileSync(share.folder("files/d/re named"), "utf8")).toBe("from the host");
    expect(readdirSync(share.folder("files"))).toEqual(["d"]);
  });
});

describe("the guest's folder is not served", () => {
  test("to be changed, where it is shared read-only", async () => {
    await using readOnly = await startGuestShare("");
    writeFileSync(readOnly.folder("file"), "content");
    expect(await readOnly.curl(`${readOnly.url}file`)).toBe("content");
    for (const method of ["PUT", "DELETE", "MKCOL", "LOCK", "PROPPATCH", "MOVE"])
      expect(await readOnly.status("-X", method, `${readOnly.url}file`)).toBe("403");
  });

  test("at an address that others reach, unless that is said in so many words", async () => {
    await using proxy = await startProcess(process.execPath, [
      program,
      "share-proxy",
      "--port",
      dir.join("none"),
      "--listen",
      "0.0.0.0:9844",
    ]);
    expect((await proxy.ended).code).toBe(2);
    expect(proxy.errors).toContain("--any-address");
  });

  test("while the session's agent is gone: whoever connects is closed at once", async () => {
    await using alone = await startGuestShare();
    await alone.session[Symbol.asyncDispose]();
    await alone.daemon.untilLogged(/agent of .* gone/);
    await expect(alone.curl("-m", "5", alone.url)).rejects.toThrow(/exit (52|56)/);
  });
});

test("on the guest's own loopback, the user's and root's programs are served, and no other user's", async () => {
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.stubEnv("XDG_STATE_HOME", dir.join("state"));
  const port = await freePort();
  const settings = { folders: [dir.path], isWritable: false, port };
  const { log, lines } = recordingLog();
  await using _share = await SessionGuestShare.start({ settings, clock: systemClock, log, report: () => {} });
  const asked = ["-sS", "--noproxy", "*", "-o", "/dev/null", "-w", "%{http_code}", `http://127.0.0.1:${port}/`];
  expect(await run("curl", asked)).toBe("401");
  await expect(run("setpriv", ["--reuid=65534", "--clear-groups", "curl", ...asked])).rejects.toThrow(/exit (52|56)/);
  expect(lines.join("\n")).toContain("a connection of user 65534 refused");
});
