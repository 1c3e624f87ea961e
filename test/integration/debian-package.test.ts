// The Debian package: built, judged by lintian, unpacked and run by the Node that it carries.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run } from "./nix/nix.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";

let folder: TempDir;
let file: string;

beforeAll(async () => {
  folder = makeTempDir("deb");
  // Packed as fast as can be: the other levels are no other package.
  const env = { ...process.env, TSVDAGENT_DEB_LEVEL: "0" };
  const { code, out, errors } = await run("scripts/build-deb", ["--output", folder.path, "--version", "9.8.7"], env);
  // The first time npm fetches the Node that it carries, and may tell of a newer npm.
  expect(errors.split("\n").filter((line) => line !== "" && !/^npm (notice|warn)\b/.test(line))).toEqual([]);
  expect(code).toBe(0);
  file = out.trim();
  mkdirSync(folder.join("root"));
  execFileSync("dpkg-deb", ["--raw-extract", file, folder.join("root")]);
}, 180_000);
afterAll(() => folder?.[Symbol.dispose]());

const root = (path: string): string => folder.join(`root/${path}`);

test("lintian finds no error", async () => {
  const { code, out } = await run("lintian", ["--no-cfg", "--allow-root", "--fail-on", "error", file]);
  expect(out.split("\n").filter((line) => line.startsWith("E:"))).toEqual([]);
  expect(code).toBe(0);
}, 120_000);

test("it carries its own Node, which runs the program and its native parts", () => {
  const library = root("usr/lib/tsvdagent");
  const node = `${library}/node`;
  expect(execFileSync(node, ["--version"], { encoding: "utf8" })).toMatch(/^v24\./);
  const said = execFileSync(node, [`${library}/dist/tsvdagent.js`, "--version"], { encoding: "utf8" });
  expect(said).toMatch(/^tsvdagent \d+\.\d+\.\d+\n$/);
  const natives =
    'require("@serialport/bindings-cpp"); console.log(require("koffi").load(null).func("int getpid()")())';
  expect(execFileSync(node, ["-e", natives], { cwd: library, encoding: "utf8" })).toMatch(/^\d+\n$/);
  expect(readFileSync(root("usr/bin/tsvdagent"), "utf8")).toBe(
    '#!/bin/sh\nexec /usr/lib/tsvdagent/node /usr/lib/tsvdagent/dist/tsvdagent.js "$@"\n',
  );
});

test("its units, rules and user are those of packaging, but for where the program is", () => {
  const places = {
    "lib/systemd/system": /^tsvdagentd/,
    "usr/lib/systemd/user": /^tsvdagent\.service$/,
    "lib/udev/rules.d": /\.rules$/,
  };
  const units = readdirSync("packaging/systemd");
  for (const [place, pattern] of Object.entries(places)) {
    for (const name of units.filter((unit) => pattern.test(unit))) {
      const ours = readFileSync(`packaging/systemd/${name}`, "utf8").replaceAll("@tsvdagent@", "/usr/bin/tsvdagent");
      expect(readFileSync(root(`${place}/${name}`), "utf8"), name).toBe(ours);
    }
  }
  for (const target of ["graphical-session", "default"]) {
    const link = root(`usr/lib/systemd/user/${target}.target.wants/tsvdagent.service`);
    expect(readlinkSync(link)).toBe("../tsvdagent.service");
  }
  expect(existsSync(root("usr/lib/sysusers.d/tsvdagent.conf"))).toBe(true);
});

test("the configuration is the administrator's, and nothing is writable by others", () => {
  expect(readFileSync(root("DEBIAN/conffiles"), "utf8")).toBe("/etc/tsvdagent/config.toml\n");
  const listed = execFileSync("dpkg-deb", ["--contents", file], { encoding: "utf8", maxBuffer: 1 << 24 });
  for (const line of listed.trim().split("\n"))
    expect(line).toMatch(/^(-rw-r--r--|-rwxr-xr-x|drwxr-xr-x|lrwxrwxrwx) root\/root /);
  expect(statSync(file).size).toBeGreaterThan(1 << 20);
});

test("what is wrong is told in one line", async () => {
  const { code, errors } = await run("scripts/build-deb", ["--output", folder.join("nowhere")]);
  expect(code).toBe(1);
  expect(errors).toMatch(/^build-deb: .*no such folder\n$/);
});
