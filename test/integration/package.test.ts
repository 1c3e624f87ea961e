// What `npm pack` makes, installed as a stranger would: elsewhere, without this checkout, dev dependencies or compilers.
import { execFileSync } from "node:child_process";
import { mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { FakeHost } from "../fakes/fake-host.ts";
import { startProcess } from "./peers/processes.ts";
import { makeTempDir } from "./peers/temp-dir.ts";
import { until } from "./peers/until.ts";
import { rawPty } from "./raw-pty.ts";

test("the packed program installs without compilers, and its native part reads a character device", async () => {
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
  const install = ["install", "--omit=dev", "--no-audit", "--no-fund", "--silent", join(folder.path, tarball)];
  execFileSync(join(bin, "npm"), install, { cwd: elsewhere, env, timeout: 120_000 });
  expect(await readdir(join(elsewhere, "node_modules"))).not.toContain("typescript");

  const program = join(elsewhere, "node_modules/.bin/tsvdagent");
  expect(execFileSync(program, ["--version"], { env, encoding: "utf8" })).toMatch(/^tsvdagent \d+\.\d+\.\d+\n$/);
  await using pty = await rawPty();
  const host = new FakeHost(pty.duplex);
  await using agent = await startProcess(program, ["run", "--uinput", "none", "--port", pty.path], {
    env: { PATH: bin },
  });
  await until("the port to be open", () => /port: open/.test(agent.errors), 10_000);
  expect((await host.connectViewer()).value.request).toBe(false);
  expect(dirname(program)).not.toContain(process.cwd());
}, 180_000);
