// The viewer's folder mounted by the session, where root's service is not there: `tsvdagent run`, rclone, and libphodav behind it.
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { hostSocket } from "../fakes/host-socket.ts";
import { shareHost } from "../fakes/share-host.ts";
import { type Agent, startAgent } from "./peers/agent.ts";
import { startChezdav } from "./peers/chezdav.ts";
import { freePort } from "./peers/free-port.ts";
import { run } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";

const isMounted = (path: string): boolean => readFileSync("/proc/self/mountinfo", "latin1").includes(` ${path} `);
const md5 = (bytes: Uint8Array): string => createHash("md5").update(bytes).digest("hex");

async function startRun(home: string, port: string, device: string): Promise<Agent> {
  const listen = `127.0.0.1:${await freePort()}`;
  const where = ["--port", port, "--uinput", "none", "--webdav-device", device, "--webdav-listen", listen];
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
  await agent.process.kill();
  await until("the mount to be gone", () => !isMounted(shared), 10_000);
  expect(agent.process.exit?.code).toBe(0);
  await run("pgrep", ["-f", shared]).then(
    (pids) => expect(pids).toBe(""),
    () => {},
  );
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
