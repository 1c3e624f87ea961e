// The viewer's folder mounted by the session, where root's service is not there: `tsvdagent run`, rclone, and libphodav behind it.
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { hostSocket } from "../fakes/host-socket.ts";
import { shareHost } from "../fakes/share-host.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { startChezdav } from "./peers/chezdav.ts";
import { freePort } from "./peers/free-port.ts";
import { run } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { until, within } from "./peers/until.ts";
import { clipboardTargets, pasteToFile } from "./peers/x-clipboard.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";

const FILES = ClipboardType.FILE_LIST;

const isMounted = (path: string): boolean => readFileSync("/proc/self/mountinfo", "latin1").includes(` ${path} `);
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

async function startRun(home: string, port: string, device: string, more: readonly string[] = []): Promise<Agent> {
  const listen = `127.0.0.1:${await freePort()}`;
  const where = ["--port", port, "--uinput", "none", "--webdav-device", device, "--webdav-listen", listen, ...more];
  // As in a terminal, and not as a unit.
  return startAgent(["run", ...where], { env: { HOME: home, XDG_CONFIG_HOME: "", INVOCATION_ID: "" } });
}

test("row 100: mounted by rclone at ~/Shared, with a bookmark, and all of it goes with the viewer", async () => {
  using home = makeTempDir("home");
  const [shared, bookmarks] = [home.join("Shared"), home.join(".config/gtk-3.0/bookmarks")];
  mkdirSync(home.join(".config/gtk-3.0"), { recursive: true });
  writeFileSync(bookmarks, "file:///srv Mine\n");
  await using port = await hostSocket();
  await using viewer = await startChezdav();
  await using host = await shareHost(viewer.port);
  const content = randomBytes(3_000_000);
  writeFileSync(viewer.folder.join("a b.bin"), content);
  await using agent = await startRun(home.path, port.path, host.path);
  await agent.untilLogged(/mounted read-write at .*Shared by the session/, 20_000);
  // Not synchronously: the viewer's side runs in this process.
  expect(await readdir(shared)).toContain("a b.bin");
  expect(md5(await readFile(`${shared}/a b.bin`))).toBe(md5(content));
  await writeFile(`${shared}/back`, "from the guest");
  await until("the file at the viewer", () => existsSync(viewer.folder.join("back")), 10_000);
  await until("the bookmark", () => readFileSync(bookmarks, "utf8").includes("Viewer's folder"), 5000);
  expect(readFileSync(bookmarks, "utf8")).toBe(`file:///srv Mine\nfile://${home.path}/Shared Viewer's folder\n`);

  await host.leave();
  await until("the mount to be gone", () => !isMounted(shared), 10_000);
  await until("the bookmark to be gone", () => readFileSync(bookmarks, "utf8") === "file:///srv Mine\n", 5000);
  expect(await readdir(shared)).toEqual([]);
  await host.comeBack();
  await until("the mount to be back", () => isMounted(shared), 20_000);
  expect(await readdir(shared)).toContain("a b.bin");
  // Ended, it leaves nothing either.
  agent.process.signal("SIGTERM");
  expect(await within("the agent's end", agent.process.ended, 20_000)).toEqual({ code: 0, signal: null });
  expect(isMounted(shared)).toBe(false);
  // It has found none.
  await expect(run("pgrep", ["-f", shared])).rejects.toThrow(/exit 1: $/);
});

test("what an agent that was killed has left mounted is mounted anew by the next", async () => {
  using home = makeTempDir("home");
  const shared = home.join("Shared");
  await using port = await hostSocket();
  await using viewer = await startChezdav();
  await using host = await shareHost(viewer.port);
  writeFileSync(viewer.folder.join("file"), "content");
  const killed = await startRun(home.path, port.path, host.path);
  await killed.untilLogged(/mounted read-write at/, 20_000);
  killed.process.signal("SIGKILL");
  await killed.process.ended;
  await killed[Symbol.asyncDispose]();
  expect(isMounted(shared)).toBe(true);
  await using agent = await startRun(home.path, port.path, host.path);
  await agent.untilLogged(/mounted read-write at/, 20_000);
  expect(await readFile(`${shared}/file`, "utf8")).toBe("content");
});

test("a folder that is not empty is left alone", async () => {
  using home = makeTempDir("home");
  mkdirSync(home.join("Shared"));
  writeFileSync(home.join("Shared/mine"), "mine");
  await using port = await hostSocket();
  await using viewer = await startChezdav({ readOnly: true });
  await using host = await shareHost(viewer.port);
  await using agent = await startRun(home.path, port.path, host.path);
  await agent.untilLogged(/not mounted by the session: mount.not-empty/, 20_000);
  expect(readdirSync(home.join("Shared"))).toEqual(["mine"]);
});

test("row 62: files that the viewer copies are pasted as paths in the folder, while it is there", async () => {
  using home = makeTempDir("home");
  await using xorg = await startXorgDummy();
  await using port = await hostSocket();
  await using viewer = await startChezdav();
  await using share = await shareHost(viewer.port);
  writeFileSync(viewer.folder.join("ä b.txt"), "content");
  await using agent = await startRun(home.path, port.path, share.path, ["--display", xorg.display]);
  const host = await port.opened();
  await host.connectViewer();
  await agent.untilLogged(/mounted read-write at .*Shared by the session/, 20_000);
  const targets = (): Promise<readonly string[]> => clipboardTargets(xorg.display);
  host.send({ name: "CLIPBOARD_GRAB", value: { selection: 0, serial: 0, types: [ClipboardType.UTF8_TEXT, FILES] } });
  await until("the files to be on offer", async () => (await targets()).includes("text/uri-list"), 5000);
  expect(await targets()).toEqual(
    expect.arrayContaining(["x-special/gnome-copied-files", "application/x-kde-cutselection", "UTF8_STRING"]),
  );

  const paste = async (target: string, list: string): Promise<string> => {
    const answer = async (): Promise<void> => {
      const { value } = await host.next("CLIPBOARD_REQUEST");
      expect(value).toEqual({ selection: 0, type: FILES });
      host.send({ name: "CLIPBOARD", value }, { data: Buffer.from(list) });
    };
    const to = home.join("pasted");
    await Promise.all([answer(), pasteToFile(xorg.display, to, { target })]);
    return readFileSync(to, "utf8");
  };
  const uri = `file://${home.path}/Shared/%C3%A4%20b.txt`;
  expect(await paste("text/uri-list", "copy\0/ä b.txt\0")).toBe(`${uri}\r\n`);
  expect(await paste("x-special/gnome-copied-files", "cut\0/ä b.txt\0")).toBe(`cut\n${uri}`);
  expect(await paste("application/x-kde-cutselection", "cut\0/ä b.txt\0")).toBe("1");
  // What it names is there.
  expect(await readFile(new URL(uri), "utf8")).toBe("content");
  await expect(paste("text/uri-list", "copy\0/../../etc/passwd\0")).rejects.toThrow();

  await share.leave();
  await until("only the text to be on offer", async () => !(await targets()).includes("text/uri-list"), 10_000);
  expect(await targets()).toContain("UTF8_STRING");
});
