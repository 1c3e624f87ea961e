// scripts/install-systemd into a folder that stands for a machine, and what it puts there, as systemd's own tools see it.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, test } from "vitest";
import { defaultConfig, readConfig } from "../../src/support/config.ts";
import { configSchema } from "../../src/support/config-schema.ts";
import { isGroupRunning } from "./peers/processes.ts";
import { makeTempDir, type TempDir } from "./peers/temp-dir.ts";
import { sleep, until } from "./peers/until.ts";

const LIBRARY = "usr/local/lib/tsvdagent";
const LAUNCHER = "usr/local/bin/tsvdagent";
const CONFIG = "etc/tsvdagent/config.toml";
const isRoot = process.getuid?.() === 0;

interface Result {
  readonly code: number | null;
  readonly said: string;
  readonly complained: string;
}

/** Runs the script of `tree` as `user`, or as we are. */
function script(tree: string, args: readonly string[], options: { uid?: number; path?: string } = {}): Result {
  const { uid, path } = options;
  const { status, stdout, stderr } = spawnSync(join(tree, "scripts/install-systemd"), args, {
    encoding: "utf8",
    env: { ...process.env, ...(path === undefined ? {} : { PATH: path }) },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return { code: status, said: stdout, complained: stderr };
}

function install(root: TempDir, tree = process.cwd(), ...args: readonly string[]): void {
  const result = script(tree, ["--root", root.path, "--node", process.execPath, ...args]);
  expect(result).toMatchObject({ code: 0, complained: "" });
}

/** The script and all that it has started, killed after so long; resolves when none of them is left. */
async function installKilled(root: TempDir, afterMs: number): Promise<void> {
  const args = ["--root", root.path, "--node", process.execPath];
  // A group of its own.
  const { pid } = spawn(join(process.cwd(), "scripts/install-systemd"), args, { detached: true, stdio: "ignore" });
  if (pid === undefined) throw new Error("cannot start the script");
  await sleep(afterMs);
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has come to its end already.
  }
  // One that is dying may still be writing.
  await until("the script's processes to be gone", () => !isGroupRunning(pid), 20_000);
}

function uninstall(root: TempDir, ...args: readonly string[]): Result {
  return script(process.cwd(), ["--uninstall", "--root", root.path, ...args]);
}

/** A machine as it was before: folders, and other people's files. */
function machine(): TempDir {
  const root = makeTempDir("machine");
  const folders = ["sysusers.d", "modules-load.d", "udev/rules.d", "systemd/system", "systemd/user"];
  for (const folder of folders) mkdirSync(root.join(`etc/${folder}`), { recursive: true });
  for (const folder of ["lib", "bin", "share/man", "share/zsh"])
    mkdirSync(root.join(`usr/local/${folder}`), { recursive: true });
  writeFileSync(root.join("etc/udev/rules.d/99-other.rules"), "");
  writeFileSync(root.join("etc/systemd/system/other.service"), "");
  return root;
}

/** A tree of our own to spoil: what the script needs of this one, with the same packages. */
function treeCopy(): TempDir {
  const tree = makeTempDir("tree");
  for (const name of [
    "scripts/install-systemd",
    "scripts/program-files.mjs",
    "packaging",
    "package.json",
    "LICENSE",
    "dist",
  ]) {
    cpSync(name, tree.join(name), { recursive: true });
  }
  symlinkSync(join(process.cwd(), "node_modules"), tree.join("node_modules"));
  return tree;
}

/** Path → kind, mode, time of the last change where it is asked for, and content. */
function everythingIn(folder: string, withTimes = false): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string): void => {
    for (const name of readdirSync(join(folder, path))) {
      const at = join(path, name);
      const full = join(folder, at);
      const stat = lstatSync(full);
      const content = stat.isSymbolicLink()
        ? readlinkSync(full)
        : stat.isDirectory()
          ? ""
          : createHash("sha256").update(readFileSync(full)).digest("hex");
      const time = withTimes && !stat.isDirectory() ? stat.mtimeMs : "";
      found.set(at, `${stat.mode.toString(8)} ${content} ${time}`);
      if (stat.isDirectory()) visit(at);
    }
  };
  visit("");
  return found;
}

/** The one folder with a program in it. */
function programFolder(root: TempDir): string {
  const versions = readdirSync(root.join(LIBRARY)).filter((name) => name !== "installed");
  expect(versions).toHaveLength(1);
  return root.join(`${LIBRARY}/${versions[0]}`);
}

/** The launcher as it would run if `root` were the machine. */
function launch(root: string, ...args: readonly string[]): string {
  const text = readFileSync(join(root, LAUNCHER), "utf8").replaceAll("/usr/local/lib", join(root, "usr/local/lib"));
  return execFileSync("sh", ["-c", text, "tsvdagent", ...args], { encoding: "utf8", cwd: "/", timeout: 10_000 });
}

function oneLine(result: Result, expected: RegExp): void {
  expect(result.complained).toMatch(expected);
  expect(result.complained.trim().split("\n")).toHaveLength(1);
  expect(result.code).toBe(1);
}

describe("install", () => {
  test("program, launcher, units, rules and configuration lie where systemd and people look for them", () => {
    using root = machine();
    install(root);
    const links = ["graphical-session", "default"].map((target) => `etc/systemd/user/${target}.target.wants/`);
    for (const path of [
      LAUNCHER,
      CONFIG,
      "etc/systemd/system/tsvdagentd.service",
      "etc/systemd/system/tsvdagentd-session.socket",
      "etc/systemd/system/tsvdagentd-control.socket",
      "etc/systemd/user/tsvdagent.service",
      "etc/udev/rules.d/71-tsvdagent.rules",
      "etc/sysusers.d/tsvdagent.conf",
      "etc/modules-load.d/tsvdagent.conf",
      "usr/local/share/man/man1/tsvdagent.1",
      "usr/local/share/man/man5/tsvdagent.toml.5",
      "usr/local/share/bash-completion/completions/tsvdagent",
      "usr/local/share/zsh/site-functions/_tsvdagent",
      "usr/local/share/fish/vendor_completions.d/tsvdagent.fish",
    ]) {
      expect(lstatSync(root.join(path)).mode & 0o777, path).toBe(path === LAUNCHER ? 0o755 : 0o644);
      expect(readFileSync(root.join(path), "utf8"), path).not.toMatch(/@tsvdagent@|XXXX/);
    }
    for (const link of links) {
      expect(readlinkSync(root.join(`${link}tsvdagent.service`))).toBe("/etc/systemd/user/tsvdagent.service");
    }
    expect(readFileSync(root.join("etc/systemd/system/tsvdagentd.service"), "utf8")).toContain(
      "\nExecStart=/usr/local/bin/tsvdagent daemon\n",
    );
    expect(readFileSync(root.join("etc/systemd/user/tsvdagent.service"), "utf8")).toContain(
      "\nExecStart=/usr/local/bin/tsvdagent session\n",
    );
  });

  test("only what is needed at run time is installed", () => {
    using root = machine();
    install(root);
    const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
    const packages = readdirSync(join(programFolder(root), "node_modules"), { recursive: true, encoding: "utf8" });
    for (const name of Object.keys(dependencies)) expect(packages).toContain(join(name, "package.json"));
    for (const name of ["typescript", "esbuild", "vitest"]) expect(packages).not.toContain(name);
    expect(packages.filter((name) => /\.(ts|map|md|cc|cpp|h)$/.test(name) && !/licen[cs]e/i.test(name))).toEqual([]);
    expect(packages.filter((name) => /darwin|win32|android/.test(dirname(name)))).toEqual([]);
  });

  test("the launcher runs the program and its native parts when nothing of the tree is left", () => {
    using tree = treeCopy();
    using root = machine();
    using elsewhere = makeTempDir("elsewhere");
    install(root, tree.path);
    cpSync(root.path, elsewhere.join("root"), { recursive: true, verbatimSymlinks: true });
    rmSync(tree.path, { recursive: true });
    rmSync(root.path, { recursive: true });
    expect(launch(elsewhere.join("root"), "--version")).toMatch(/^tsvdagent \d+\.\d+\.\d+\n$/);
    const [version] = readdirSync(elsewhere.join(`root/${LIBRARY}`)).filter((name) => name !== "installed");
    const natives =
      'require("@serialport/bindings-cpp"); console.log(require("koffi").load(null).func("int getpid()")())';
    const cwd = elsewhere.join(`root/${LIBRARY}/${version}`);
    expect(execFileSync(process.execPath, ["-e", natives], { cwd, encoding: "utf8" })).toMatch(/^\d+\n$/);
  });

  test("what the units call is what the program knows", () => {
    using root = machine();
    install(root);
    for (const command of ["daemon", "session"]) expect(launch(root.path, command, "--help")).toContain("usage:");
  });

  test("a second run changes nothing", () => {
    using root = machine();
    install(root);
    const before = everythingIn(root.path, true);
    install(root);
    // The links are made anew each time.
    const after = everythingIn(root.path, true);
    for (const [path, entry] of before) {
      if (!path.includes(".wants/")) expect(`${path} ${after.get(path)}`).toBe(`${path} ${entry}`);
    }
    expect([...after.keys()]).toEqual([...before.keys()]);
  });

  test("a second run puts right what was damaged, and keeps the configuration", () => {
    using root = machine();
    install(root);
    const before = everythingIn(root.path);
    writeFileSync(join(programFolder(root), "dist/tsvdagent.js"), "");
    rmSync(root.join(LAUNCHER));
    rmSync(root.join("etc/systemd/user/default.target.wants/tsvdagent.service"));
    writeFileSync(root.join("etc/systemd/system/tsvdagentd.service"), "");
    chmodSync(root.join("etc/udev/rules.d/71-tsvdagent.rules"), 0o600);
    install(root);
    expect(everythingIn(root.path)).toEqual(before);

    writeFileSync(root.join(CONFIG), '[log]\nlevel = "debug"\n');
    install(root);
    expect(readFileSync(root.join(CONFIG), "utf8")).toContain("debug");
  });

  test("an upgrade leaves nothing of the version before", () => {
    using root = machine();
    using tree = treeCopy();
    writeFileSync(tree.join("dist/of-the-first.js"), "");
    install(root, tree.path);
    const first = programFolder(root);
    // As a later version may: a rule that is gone.
    writeFileSync(root.join("etc/udev/rules.d/70-tsvdagent-old.rules"), "");
    const record = root.join(`${LIBRARY}/installed`);
    writeFileSync(record, `${readFileSync(record, "utf8")}file /etc/udev/rules.d/70-tsvdagent-old.rules\n`);

    rmSync(tree.join("dist/of-the-first.js"));
    install(root, tree.path);
    expect(programFolder(root)).not.toBe(first);
    expect(existsSync(root.join("etc/udev/rules.d/70-tsvdagent-old.rules"))).toBe(false);
    expect(launch(root.path, "--version")).toMatch(/^tsvdagent /);
  });

  test("what an administrator has masked stays masked", () => {
    using root = machine();
    const unit = root.join("etc/systemd/user/tsvdagent.service");
    symlinkSync("/dev/null", unit);
    const { code, complained } = script(process.cwd(), ["--root", root.path, "--node", process.execPath]);
    expect(code).toBe(0);
    expect(complained).toMatch(/tsvdagent\.service is masked: left as it is/);
    expect(readlinkSync(unit)).toBe("/dev/null");
  });

  test("the tree may be read-only, and is not touched", () => {
    using tree = treeCopy();
    using root = machine();
    const folders = ["", "scripts", "packaging", "packaging/systemd", "dist"];
    for (const folder of folders) chmodSync(tree.join(folder), 0o555);
    const before = everythingIn(join(tree.path), true);
    install(root, tree.path);
    expect(everythingIn(tree.path, true)).toEqual(before);
    expect(launch(root.path, "--version")).toMatch(/^tsvdagent /);
    uninstall(root, "--purge");
    expect(existsSync(root.join(LIBRARY))).toBe(false);
    for (const folder of folders) chmodSync(tree.join(folder), 0o755);
  });

  test.runIf(isRoot)("the daemon's user is made in the other system, and taken away again", () => {
    using root = machine();
    writeFileSync(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
    writeFileSync(root.join("etc/group"), "root:x:0:\n");
    install(root);
    expect(readFileSync(root.join("etc/passwd"), "utf8")).toMatch(/^tsvdagent:x:\d+:\d+:.*:\/usr\/sbin\/nologin$/m);
    expect(readFileSync(root.join("etc/group"), "utf8")).toMatch(/^uinput:x:\d+:tsvdagent$/m);
    install(root);
    expect(uninstall(root)).toMatchObject({ code: 0, complained: "" });
    for (const file of ["passwd", "group"]) {
      expect(readFileSync(root.join(`etc/${file}`), "utf8")).not.toMatch(/tsvdagent|uinput/);
    }
  });

  test.runIf(isRoot)("a group that was there before is not taken away", () => {
    using root = machine();
    writeFileSync(root.join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n");
    writeFileSync(root.join("etc/group"), "root:x:0:\nuinput:x:321:\n");
    install(root);
    uninstall(root);
    expect(readFileSync(root.join("etc/group"), "utf8")).toBe("root:x:0:\nuinput:x:321:\n");
  });
});

describe("uninstall", () => {
  test("nothing is left", () => {
    using root = machine();
    const before = everythingIn(root.path);
    install(root);
    expect(uninstall(root, "--purge")).toMatchObject({ code: 0, complained: "" });
    expect(everythingIn(root.path)).toEqual(before);
  });

  test("the configuration is kept, and only that", () => {
    using root = machine();
    const before = everythingIn(root.path);
    install(root);
    expect(uninstall(root).said).toContain(`Kept: ${root.join(CONFIG)}`);
    expect([...everythingIn(root.path).keys()].filter((path) => !before.has(path))).toEqual([dirname(CONFIG), CONFIG]);
  });

  test("nothing is left of an installation that broke off in the middle", () => {
    using root = machine();
    // A file where a folder should be.
    rmSync(root.join("etc/udev"), { recursive: true });
    writeFileSync(root.join("etc/udev"), "");
    const before = everythingIn(root.path);
    oneLine(
      script(process.cwd(), ["--root", root.path, "--node", process.execPath]),
      /^install-systemd: mkdir: .*etc\/udev/,
    );
    expect(everythingIn(root.path)).not.toEqual(before);
    expect(uninstall(root, "--purge")).toMatchObject({ code: 0, complained: "" });
    expect(everythingIn(root.path)).toEqual(before);
  });

  test("nothing is left of one that was killed, whenever that was", async () => {
    using root = machine();
    const before = everythingIn(root.path);
    for (const afterMs of [60, 100, 150, 200, 300]) {
      await installKilled(root, afterMs);
      expect(uninstall(root, "--purge")).toMatchObject({ code: 0, complained: "" });
      expect(everythingIn(root.path)).toEqual(before);
    }
  });

  test("links that an administrator has made go, too", () => {
    using root = machine();
    install(root);
    mkdirSync(root.join("etc/systemd/system/multi-user.target.wants"));
    symlinkSync("../tsvdagentd.service", root.join("etc/systemd/system/multi-user.target.wants/tsvdagentd.service"));
    uninstall(root);
    expect(readdirSync(root.join("etc/systemd/system/multi-user.target.wants"))).toEqual([]);
  });

  test("where nothing is installed it says so", () => {
    using root = machine();
    expect(uninstall(root, "--purge")).toMatchObject({ code: 0, said: "Nothing of tsvdagent is installed.\n" });
  });
});

describe("what is wrong is told in one line", () => {
  function withNode(text: string): Result {
    using folder = makeTempDir("node");
    using root = machine();
    const before = everythingIn(root.path);
    writeFileSync(folder.join("node"), text, { mode: 0o755 });
    // Found in PATH as well as by its name.
    const named = script(process.cwd(), ["--root", root.path, "--node", folder.join("node")]);
    const found = script(process.cwd(), ["--root", root.path], { path: `${folder.path}:/usr/bin:/bin` });
    expect(found).toEqual(named);
    expect(everythingIn(root.path)).toEqual(before);
    return named;
  }

  test("a Node.js that is too old", () => {
    oneLine(withNode("#!/bin/sh\necho v18.20.4\n"), /node is v18\.20\.4, but 20\.19 or later is needed: .*--node PATH/);
    oneLine(withNode("#!/bin/sh\necho v20.18.3\n"), /node is v20\.18\.3, but 20\.19/);
  });

  test("something else than Node.js", () => {
    oneLine(withNode("#!/bin/sh\necho hello\n"), /is no Node\.js: its version is hello/);
    oneLine(withNode("#!/bin/sh\nexit 1\n"), /cannot be run/);
  });

  test("no Node.js", () => {
    using root = machine();
    using bin = makeTempDir("bin");
    for (const program of ["bash", "env", "dirname", "realpath", "mkdir", "flock", "sed", "sh"]) {
      symlinkSync(execFileSync("which", [program], { encoding: "utf8" }).trim(), bin.join(program));
    }
    oneLine(
      script(process.cwd(), ["--root", root.path], { path: bin.path }),
      /there is no node in PATH: .*--node PATH/,
    );
    const missing = script(process.cwd(), ["--root", root.path, "--node", "/nonexistent/node"]);
    oneLine(missing, /\/nonexistent\/node: no such program/);
  });

  test("a tree that is not built", () => {
    using root = machine();
    using tree = treeCopy();
    const before = everythingIn(root.path);
    rmSync(tree.join("dist"), { recursive: true });
    const args = ["--root", root.path, "--node", process.execPath];
    oneLine(script(tree.path, args), /dist\/tsvdagent\.js is missing: build it with npm ci/);
    cpSync("dist", tree.join("dist"), { recursive: true });
    rmSync(tree.join("node_modules"));
    oneLine(script(tree.path, args), /which tsvdagent needs, is missing in .*node_modules: get it with npm ci/);
    renameSync(tree.join("packaging"), tree.join("elsewhere"));
    oneLine(script(tree.path, args), /packaging\/.* is missing: the tree is not whole/);
    expect(everythingIn(root.path)).toEqual(before);
  });

  test("wrong words", () => {
    oneLine(script(process.cwd(), ["--rot", "/"]), /unknown argument --rot: see --help/);
    oneLine(script(process.cwd(), ["--root"]), /--root needs a path/);
    oneLine(script(process.cwd(), ["--root", "/nonexistent"]), /--root \/nonexistent: no such folder/);
    oneLine(script(process.cwd(), ["--purge"]), /--purge goes with --uninstall only/);
    expect(script(process.cwd(), ["--help"])).toMatchObject({ code: 0, complained: "" });
  });

  test("not being root", () => {
    using tree = treeCopy();
    chmodSync(tree.path, 0o755);
    const options = isRoot ? { uid: 65534 } : {};
    for (const args of [[], ["--uninstall"], ["--root", "/"]]) {
      oneLine(script(tree.path, args, options), /only root may do this: try sudo/);
    }
  });
});

describe("units", () => {
  /** The installed units, with the launcher where it really is. */
  function units(root: TempDir): string {
    install(root);
    for (const unit of ["system/tsvdagentd.service", "system/tsvdagentd-mount@.service", "user/tsvdagent.service"]) {
      const path = root.join(`etc/systemd/${unit}`);
      writeFileSync(path, readFileSync(path, "utf8").replaceAll("/usr/local/bin/tsvdagent", root.join(LAUNCHER)));
    }
    return root.join("etc/systemd");
  }

  function analyze(root: TempDir, ...args: readonly string[]): string {
    const env = { ...process.env, XDG_RUNTIME_DIR: root.path, SYSTEMD_COLORS: "0", LC_ALL: "C" };
    const { stdout, stderr, status, error } = spawnSync("systemd-analyze", args, { encoding: "utf8", env });
    if (error !== undefined) throw error;
    expect(status, stderr).toBe(0);
    return stdout + stderr;
  }

  test("systemd has nothing to say against them", () => {
    using root = machine();
    const folder = units(root);
    const names = readdirSync(`${folder}/system`).filter((name) => name.startsWith("tsvdagent"));
    expect(names).toHaveLength(5);
    expect(analyze(root, "verify", "--man=no", ...names.map((name) => `${folder}/system/${name}`))).toBe("");
    expect(analyze(root, "--user", "verify", "--man=no", `${folder}/user/tsvdagent.service`)).toBe("");
  });

  test("the daemon's exposure is at most 1.5", () => {
    using root = machine();
    const said = analyze(root, "security", "--offline=yes", "--no-pager", `${units(root)}/system/tsvdagentd.service`);
    const exposure = /Overall exposure level for tsvdagentd\.service: (\d+\.\d+)/.exec(said)?.[1];
    expect(Number(exposure)).toBeLessThanOrEqual(1.5);
  });

  test("the session's unit is silent without a port, and waits for the ports that the rules give to the daemon", () => {
    const rules = readFileSync("packaging/systemd/71-tsvdagent.rules", "utf8");
    const unit = readFileSync("packaging/systemd/tsvdagent.service", "utf8");
    const [, ports = ""] = /^ConditionPathExistsGlob=\/dev\/virtio-ports\/\{(.*)\}\.0$/m.exec(unit) ?? [];
    const named = [...rules.matchAll(/ATTR\{name\}=="([^"]*)"/g)].flatMap(([, names = ""]) => names.split("|"));
    expect(named).toEqual(ports.split(",").map((port) => `${port}.0`));
    expect(defaultConfig.port.path).toBe(`/dev/virtio-ports/${named[0]}`);
  });
});

test("the example configuration names every key, and changes nothing as it is or with its marks taken away", async () => {
  using folder = makeTempDir("config");
  const text = readFileSync("packaging/config.toml", "utf8");
  const file = folder.join("config.toml");
  for (const content of [text, text.replaceAll(/^#(?=[a-z-]+ = )/gm, "")]) {
    writeFileSync(file, content);
    expect(await readConfig(file, true)).toEqual(defaultConfig);
  }
  const keys = [...text.matchAll(/^#?\[?([a-z-.]+)(?:\]$| = )/gm)].map(([, key]) => key);
  expect(keys).toEqual(Object.entries(configSchema).flatMap(([table, entries]) => [table, ...Object.keys(entries)]));
});
