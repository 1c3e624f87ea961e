// The NixOS module under our own stand-in of NixOS (nixos-module/tests/standin): what it makes of configurations, and what it refuses.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { narHash, thisSystem } from "../../../scripts/reference/dependency-hash.ts";
import { defaultConfig } from "../../../src/support/config.ts";
import { makeTempDir } from "../peers/temp-dir.ts";
import { copyOfTree, Nix, run } from "./nix.ts";
import {
  activationProblems,
  assertionProblems,
  type Evaluated,
  type Evaluation,
  evaluate,
  flakeProblems,
  offProblems,
  optionProblems,
  parseProblems,
  refusalProblems,
  settingsProblems,
  unitProblems,
} from "./offline-checks.ts";

const tree = process.cwd();
let nix: Nix;
let evaluation: Evaluation;

beforeAll(async () => {
  nix = new Nix();
  evaluation = await evaluate(nix, tree);
});
afterAll(() => nix?.[Symbol.dispose]());

function accepted(name: string): Evaluated {
  const found = evaluation.accepted[name];
  if (found === undefined) throw new Error(`no configuration ${name}`);
  return found;
}

function provided(name: string, file: string): string | undefined {
  return accepted(name).provided.find(({ path }) => path.endsWith(`/${file}`))?.text;
}

test("every file parses", async () => {
  expect(await parseProblems(nix, tree)).toEqual([]);
});

test("wrong configurations are refused, and for the right reason", async () => {
  expect(await refusalProblems(nix, tree)).toEqual([]);
});

test("the three services it takes the place of are refused beside it, with the line that helps", () => {
  expect(assertionProblems(evaluation)).toEqual([]);
});

test("switched off, it changes nothing", () => {
  expect(offProblems(evaluation)).toEqual([]);
});

test("its options are the program's keys, both ways: name, type, default and description", () => {
  expect(optionProblems(evaluation)).toEqual([]);
});

test("what it writes is what the program reads", async () => {
  expect(await settingsProblems(evaluation)).toEqual([]);
  expect(accepted("default").settings).toEqual(defaultConfig);
  expect(accepted("said").settings).toMatchObject({
    log: { level: "debug" },
    clipboard: { types: ["text"], "max-host-to-guest-mib": 16, direction: "host-to-guest" },
  });
  expect(accepted("bySettings").settings).toMatchObject({ clipboard: { primary: false } });
});

test("systemd has nothing to say against its units, and the daemon's exposure is at most 1.5", async () => {
  expect(await unitProblems(evaluation)).toEqual([]);
});

test("the port starts it, and nothing else", () => {
  expect(activationProblems(evaluation)).toEqual([]);
  expect(accepted("said").user.tsvdagent?.wantedBy).toEqual(["sway-session.target"]);
  expect(accepted("ownPort").system.tsvdagentd?.text).toContain("\nDeviceAllow=/dev/ttyS1 rw\n");
  expect(provided("ownPort", "71-tsvdagent.rules")).toContain('\nKERNEL=="ttyS1", GROUP="tsvdagent", MODE="0660"\n');
  const ofPackage = readFileSync("packaging/systemd/tsvdagent.service", "utf8");
  const users = ofPackage.split("\n").filter((line) => line.startsWith("ConditionUser="));
  expect(users.length).toBeGreaterThan(5);
  // Said after the empty line, which takes them back.
  expect(accepted("ownPort").user.tsvdagent?.text).toContain(
    `\n${["ConditionPathExistsGlob=", ...users].join("\n")}\n`,
  );
});

test("its units are those that install-systemd puts into place, but for where the program is", async () => {
  using root = makeTempDir("machine");
  const args = ["--root", root.path, "--node", process.execPath];
  expect((await run("scripts/install-systemd", args)).errors).toBe("");
  const names = ["system", "user"].flatMap((kind) =>
    readdirSync(root.join(`etc/systemd/${kind}`))
      .filter((name) => /\.(service|socket)$/.test(name))
      .map((name) => `${kind}/${name}`),
  );
  const ours = accepted("default").provided.filter(({ path }) => path.startsWith("lib/systemd/"));
  expect(ours.map(({ path }) => path.slice("lib/systemd/".length)).sort()).toEqual(names.sort());
  for (const { path, text } of ours) {
    const theirs = readFileSync(root.join(`etc/systemd/${path.slice("lib/systemd/".length)}`), "utf8");
    expect(text.replaceAll(/\/nix\/store\/\S+\/bin\/tsvdagent/g, "/usr/local/bin/tsvdagent")).toBe(theirs);
  }
});

test("what is not wanted is not there: mounts, the pointer's device", () => {
  for (const name of ["withoutMount", "withoutFolder", "bySettings"]) {
    expect(provided(name, "tsvdagentd.service")).not.toMatch(/^(Wants|After)=.*mount/m);
    expect(provided(name, "tsvdagentd-mount.socket")).toBeUndefined();
  }
  expect(provided("withoutPointer", "tsvdagentd.service")).not.toContain("uinput rw");
  expect(accepted("withoutPointer").uinput).toBe(false);
  expect(accepted("default").uinput).toBe(true);
});

test("the host: ports and USB devices only if asked", () => {
  expect(accepted("host")).toMatchObject({ ports: [], usbRedirection: true, packages: ["virt-viewer"] });
  expect(accepted("openHost")).toMatchObject({ ports: [5930], usbRedirection: true });
  expect(accepted("guest").ports).toEqual([]);
});

test("the virtual machine of build-vm: devices, ports, ticket, sound", () => {
  expect(accepted("qxl").qemu).toEqual([
    "-vga none",
    "-device qxl-vga,ram_size_mb=128,vram_size_mb=64,vgamem_mb=64,max_outputs=2",
    "-object secret,id=tsvdagent-ticket,file=/run/secrets/spice",
    "-spice addr=0.0.0.0,port=5930,password-secret=tsvdagent-ticket",
    "-device virtio-serial-pci,id=tsvdagent",
    "-chardev spicevmc,name=vdagent,id=tsvdagent-agent",
    "-device virtserialport,bus=tsvdagent.0,chardev=tsvdagent-agent,name=com.redhat.spice.0",
    "-chardev spiceport,name=org.spice-space.webdav.0,id=tsvdagent-webdav",
    "-device virtserialport,bus=tsvdagent.0,chardev=tsvdagent-webdav,name=org.spice-space.webdav.0",
    "-chardev socket,path=/tmp/share.sock,server=on,wait=off,id=tsvdagent-share",
    "-device virtserialport,bus=tsvdagent.0,chardev=tsvdagent-share,name=org.tsvdagent.share.0",
    "-audiodev pipewire,id=tsvdagent-sound",
    "-device virtio-sound-pci,audiodev=tsvdagent-sound",
  ]);
});

test("the programs of the tests for NixOS' own driver are Python", async () => {
  expect(Object.keys(evaluation.tests).sort()).toEqual(["no-port", "two-users", "webdav", "x11"]);
  for (const [name, { testScript }] of Object.entries(evaluation.tests)) {
    const { code, errors } = await run("python3", ["-c", "import ast, sys; ast.parse(sys.argv[1])", testScript]);
    expect({ name, code, errors }).toEqual({ name, code: 0, errors: "" });
  }
});

test("the flake's outputs", async () => {
  using copy = copyOfTree();
  expect(await flakeProblems(nix, copy.path)).toEqual([]);
});

test("the hash of the dependencies is that of those which are installed here", () => {
  const system = thisSystem();
  const hashes = JSON.parse(readFileSync("nixos-module/dependencies.json", "utf8")) as Record<string, string>;
  expect(evaluation.package.dependencies.outputHash).toBe(hashes["x86_64-linux"]);
  expect(narHash("node_modules"), "run npm run generate").toBe(hashes[system ?? ""]);
});

test("the configurations that its README shows are those that are evaluated", () => {
  const readme = readFileSync("nixos-module/README.md", "utf8");
  const shown = [...readme.matchAll(/```nix\n(.*?)```/gs)].map(([, text]) => text);
  for (const name of readdirSync("nixos-module/examples")) {
    const text = readFileSync(join("nixos-module/examples", name), "utf8");
    expect(
      shown.some((part) => part?.includes(text)),
      name,
    ).toBe(true);
  }
});

describe("planted faults are found", () => {
  const faults: readonly (readonly [what: string, file: string, from: string, to: string])[] = [
    ["a misspelt directive", "packaging/systemd/tsvdagentd.service", "ProtectHome=", "ProtectHom="],
    ["a type there is not", "packaging/systemd/tsvdagent.service", "Type=exec", "Type=exce"],
    [
      "a target without suffix",
      "nixos-module/default.nix",
      '[ "multi-user.target" ];\n          after',
      '[ "multi-user" ];\n          after',
    ],
    ["a lost mkIf", "nixos-module/default.nix", "config = lib.mkIf cfg.enable (", "config = lib.mkIf true ("],
    ["a misspelt attribute", "nixos-module/default.nix", "lib.getExe cfg.package", "lib.getExe cfg.pakage"],
    ["a wrong value", "packaging/systemd/tsvdagentd.service", "ProtectSystem=strict", "ProtectSystem=stric"],
    ["a removed assertion", "nixos-module/default.nix", "assertion = !config", "assertion = true || !config"],
    ["a port of type int", "nixos-module/host.nix", "lib.types.port", "lib.types.int"],
    ["a misspelt package", "nixos-module/package.nix", "  wireplumber,\n", "  wireplummer,\n"],
    ["capabilities without bound", "packaging/systemd/tsvdagentd.service", "CapabilityBoundingSet=\n", ""],
    ["a Node that is not asked for", "nixos-module/package.nix", "  nodejs_24,\n", ""],
    ["a default that is another", "nixos-module/options.json", '"default": 1023', '"default": 1022'],
    [
      "an Avahi that publishes nothing",
      "nixos-module/default.nix",
      "publish.userServices = true",
      "publish.userServices = false",
    ],
    ["a lost key", "nixos-module/options.json", '"key": "primary"', '"key": "secondary"'],
    [
      "rules that are not installed",
      "nixos-module/default.nix",
      "[ rules ];\n        systemd.packages",
      "[ ];\n        systemd.packages",
    ],
    [
      "a line to leave out that has changed",
      "packaging/systemd/tsvdagentd.service",
      "DeviceAllow=/dev/uinput rw",
      "DeviceAllow=/dev/uinput w",
    ],
    ["a module that is no output", "flake.nix", "qemu-vm = import", "qemu-wm = import"],
  ];

  test.each(faults)("%s", async (_, file, from, to) => {
    using copy = copyOfTree();
    const path = copy.join(file);
    expect(existsSync(path)).toBe(true);
    const text = readFileSync(path, "utf8");
    expect(text, "the place for the fault").toContain(from);
    writeFileSync(path, text.replace(from, to));
    expect(await problemsIn(copy.path)).not.toEqual([]);
  });

  test("and nothing is found where there is none", async () => {
    using copy = copyOfTree();
    expect(await problemsIn(copy.path)).toEqual([]);
  });

  /** The cheapest first, up to the first that finds something. */
  async function problemsIn(folder: string): Promise<string[]> {
    const parsed = await parseProblems(nix, folder);
    if (parsed.length > 0) return parsed;
    let all: Evaluation;
    try {
      all = await evaluate(nix, folder);
    } catch (error) {
      return [String(error)];
    }
    for (const check of [offProblems, assertionProblems, optionProblems, activationProblems, settingsProblems]) {
      const problems = await check(all);
      if (problems.length > 0) return problems;
    }
    const { default: plain = accepted("default") } = all.accepted;
    const units = await unitProblems({ ...all, accepted: { plain } });
    if (units.length > 0) return units;
    const refusals = await refusalProblems(nix, folder);
    return refusals.length > 0 ? refusals : flakeProblems(nix, folder);
  }
});
