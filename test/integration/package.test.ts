// What `npm pack` makes, installed as a stranger would: elsewhere, without this checkout, dev dependencies or compilers.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ClipboardType } from "../../src/wire/agent-constants.ts";
import { FakeHost } from "../fakes/fake-host.ts";
import { makePicture, pictureDifference } from "./peers/pixbuf.ts";
import { startProcess } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";
import { copyFile } from "./peers/x-clipboard.ts";
import { startXorgDummy } from "./peers/xorg-dummy.ts";
import { rawPty } from "./raw-pty.ts";

test("the packed program installs without compilers, its native part reads a character device, its worker makes PNG of a picture", async () => {
  using folder = makeTempDir("package");
  execFileSync("npm", ["pack", "--ignore-scripts", "--silent", "--pack-destination", folder.path]);
  const tarball = (await readdir(folder.path)).find((name) => name.endsWith(".tgz")) ?? "";

  // Only these programs are to be found: no cc, no make, no python.
  const bin = folder.join("bin");
  await mkdir(bin);
  for (const program of ["npm", "sh", "env", "setpriv"]) {
    const path = execFileSync("which", [program], { encoding: "utf8" }).trim();
    await symlink(path, join(bin, program));
  }
  await symlink(process.execPath, join(bin, "node"));
  const elsewhere = folder.join("elsewhere");
  await mkdir(elsewhere);
  const env = { ...process.env, PATH: bin, HOME: process.env.HOME ?? "/" };
  // What this checkout has come with is the same as what the registry has.
  const quietly = ["--prefer-offline", "--no-audit", "--no-fund", "--silent"];
  const install = ["install", "--omit=dev", ...quietly, join(folder.path, tarball)];
  execFileSync(join(bin, "npm"), install, { cwd: elsewhere, env, timeout: 120_000 });
  expect(await readdir(join(elsewhere, "node_modules"))).not.toContain("typescript");

  const program = join(elsewhere, "node_modules/.bin/tsvdagent");
  expect(execFileSync(program, ["--version"], { env, encoding: "utf8" })).toMatch(/^tsvdagent \d+\.\d+\.\d+\n$/);
  await using pty = await rawPty();
  const host = new FakeHost(pty.duplex);
  await using xorg = await startXorgDummy();
  const options = ["--uinput", "none", "--port", pty.path, "--display", xorg.display];
  await using agent = await startProcess(program, ["run", ...options], { env: { PATH: bin } });
  await until("the port to be open", () => /port: open/.test(agent.errors), 10_000);
  expect((await host.connectViewer()).value.request).toBe(false);
  expect(dirname(program)).not.toContain(process.cwd());

  await until("the agent to be on the desktop", () => /display: connected/.test(agent.errors), 10_000);
  const picture = folder.join("picture.jpeg");
  await makePicture(picture, "jpeg", 320, 200);
  await using _owner = await copyFile(xorg.display, picture, { target: "image/jpeg" });
  const types = (await host.next("CLIPBOARD_GRAB")).value.types;
  expect(types).toEqual([ClipboardType.IMAGE_PNG, ClipboardType.IMAGE_JPG]);
  host.send({ name: "CLIPBOARD_REQUEST", value: { selection: 0, type: ClipboardType.IMAGE_PNG } });
  const { data } = await host.next("CLIPBOARD", 30_000);
  await writeFile(folder.join("picture.png"), data);
  expect(await pictureDifference(folder.join("picture.png"), picture)).toBeLessThanOrEqual(6);
}, 180_000);
