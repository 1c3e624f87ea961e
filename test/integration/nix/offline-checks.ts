// What can be said of the Nix files without nixpkgs. Each check gives back what it has found, so that planted faults can be, too.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { stringify } from "smol-toml";
import { describedKeys } from "../../../scripts/reference/keys.ts";
import { readConfig } from "../../../src/support/config.ts";
import type { ConfigKey } from "../../../src/support/config-schema.ts";
import { makeTempDir } from "../peers/temp-dir.ts";
import { type Nix, run } from "./nix.ts";

interface Unit {
  readonly text: string;
  readonly wantedBy: readonly string[];
}

export interface Evaluated {
  readonly failed: readonly string[];
  readonly settings: Readonly<Record<string, unknown>>;
  readonly script: string | null;
  readonly provided: readonly { readonly path: string; readonly text: string }[];
  readonly system: Readonly<Record<string, Unit>>;
  readonly user: Readonly<Record<string, Unit>>;
  readonly users: Readonly<Record<string, { readonly extraGroups: readonly string[]; readonly group: string }>>;
  readonly groups: readonly string[];
  readonly packages: readonly string[];
  readonly ports: readonly number[];
  readonly qemu: readonly string[];
  readonly davfs2: boolean;
  readonly avahi: boolean;
  readonly uinput: boolean;
  readonly usbRedirection: boolean;
  readonly etc: Readonly<Record<string, unknown>>;
}

interface Option {
  readonly path: readonly string[];
  readonly type: string;
  readonly default: unknown;
  readonly description: string;
}

export interface Evaluation {
  readonly accepted: Readonly<Record<string, Evaluated>>;
  readonly options: readonly Option[];
  readonly tests: Readonly<Record<string, { readonly testScript: string }>>;
  readonly package: { readonly name: string; readonly dependencies: { readonly outputHash: string } };
}

/** Everything that is to be accepted, in one process. Throws with Nix's own words. */
export async function evaluate(nix: Nix, tree: string): Promise<Evaluation> {
  const file = join(tree, "nixos-module/tests/standin/eval.nix");
  const text = `let all = import ${file}; in { inherit (all) accepted options package tests; }`;
  const { code, out, errors } = await nix.run("nix-instantiate", ["--eval", "--strict", "--json", "-E", text]);
  if (code !== 0) throw new Error(errors);
  return JSON.parse(out) as Evaluation;
}

export async function parseProblems(nix: Nix, tree: string): Promise<string[]> {
  const files = readdirSync(join(tree, "nixos-module"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".nix"))
    .map((name) => join(tree, "nixos-module", name));
  const { code, errors } = await nix.run("nix-instantiate", ["--parse", join(tree, "flake.nix"), ...files]);
  const untidy = files.filter((file) => /\t|[ \t]$/m.test(readFileSync(file, "utf8")));
  return [...(code === 0 ? [] : [errors]), ...untidy.map((file) => `${file}: tabs or blanks at an end`)];
}

/** Why each of them has to be refused, in Nix's words. */
const refusals: Readonly<Record<string, RegExp>> = {
  misspelt: /`services\.tsvdagent\.clipbord' does not exist/,
  wrongType: /`services\.tsvdagent\.enable' has a definition that is not of type `boolean'/,
  notAChoice: /`services\.tsvdagent\.clipboard\.direction' has a definition that is not of type `one of/,
  tooLarge: /`services\.tsvdagent\.clipboard\.maxHostToGuestMib' has a definition that is not of type `integer between/,
  twice: /`services\.tsvdagent\.settings\.clipboard\.primary' has conflicting definition values/,
  targetWithoutSuffix: /`systemd\.user\.services\.tsvdagent\.wantedBy\.\[0\]' has a definition that is not of type/,
  port: /`virtualisation\.tsvdagentHost\.openPorts\.\[0\]' has a definition that is not of type/,
  video: /`virtualisation\.tsvdagentVm\.video' has a definition that is not of type/,
};

export async function refusalProblems(nix: Nix, tree: string): Promise<string[]> {
  const asked = Object.entries(refusals).map(async ([name, reason]) => {
    const { code, errors } = await nix.evaluate(tree, `refused.${name}`);
    if (code === 0) return [`${name} is accepted`];
    return reason.test(errors) ? [] : [`${name} is refused for another reason: ${errors}`];
  });
  return (await Promise.all(asked)).flat();
}

export function assertionProblems({ accepted }: Evaluation): string[] {
  const told = accepted.conflicts?.failed ?? [];
  const problems = ["spice-vdagentd", "spice-autorandr", "spice-webdavd"]
    .filter((name) => !told.some((message) => message.includes(`services.${name}.enable = lib.mkForce false;`)))
    .map((name) => `services.${name} beside ours is not refused with the line that helps`);
  if (!accepted.openVm?.failed.some((message) => message.includes("Set spice.ticketFile"))) problems.push("an open VM");
  for (const [name, { failed }] of Object.entries(accepted))
    if (!["conflicts", "openVm"].includes(name)) problems.push(...failed.map((message) => `${name}: ${message}`));
  return problems;
}

/** A module that is not switched on changes nothing. */
export function offProblems({ accepted }: Evaluation): string[] {
  const off = accepted.off;
  if (off === undefined) return ["no configuration without it"];
  const lists = [off.provided, off.packages, off.qemu, off.ports, off.groups, Object.keys(off.etc)];
  const sets = [off.system, off.user, off.users].map((set) => Object.keys(set));
  const isEmpty = [...lists, ...sets].every((list) => list.length === 0) && !off.davfs2 && !off.uinput && !off.avahi;
  return isEmpty ? [] : ["switched off, it changes something"];
}

function typeOf(key: ConfigKey): string {
  const oneOf = (choices: readonly string[]): string => `one of ${JSON.stringify(choices)}`;
  switch (key.kind) {
    case "boolean":
      return "boolean";
    case "text":
      return "string";
    case "choice":
      return oneOf(key.choices);
    case "integer":
      return `integer between ${key.min} and ${key.max}`;
    case "list":
      return `list of ${"choices" in key.of ? oneOf(key.of.choices) : "string"}`;
    default:
      return key satisfies never;
  }
}

/** The options are the program's keys: no more, no less, of the same types and with the same defaults. */
export function optionProblems({ options }: Evaluation): string[] {
  const camel = (word: string): string =>
    word === "enabled" ? "enable" : word.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const wanted = describedKeys.map(({ table, name, key }) => ({
    path: ["services", "tsvdagent", camel(table), camel(name)],
    type: typeOf(key),
    default: key.default,
    description: key.about,
  }));
  const lines = (list: readonly Option[]): string[] =>
    list.map(({ path, type, default: value, description }) => JSON.stringify([path, type, value, description]));
  const [here, there] = [lines(options), lines(wanted)];
  return [
    ...here.filter((line) => !there.includes(line)).map((line) => `an option that is no key: ${line}`),
    ...there.filter((line) => !here.includes(line)).map((line) => `a key that is no option: ${line}`),
  ];
}

/** What is written is what the program reads, in the words of the program. */
export async function settingsProblems({ accepted }: Evaluation): Promise<string[]> {
  using folder = makeTempDir("settings");
  const problems: string[] = [];
  for (const [name, { settings, script }] of Object.entries(accepted)) {
    if (script === null) continue;
    if (!/^tsvdagent daemon --check-config --config \S+\ncp \S+ \$out\n$/.test(script))
      problems.push(`${name}: not checked when it is built: ${script}`);
    writeFileSync(folder.join("config.toml"), stringify(settings));
    try {
      const read = await readConfig(folder.join("config.toml"), true);
      if (!isDeepStrictEqual(read, settings)) problems.push(`${name}: is read as ${JSON.stringify(read)}`);
    } catch (error) {
      problems.push(`${name}: ${String(error)}`);
    }
  }
  return problems;
}

/** Units as NixOS lays them out: those that are provided, and beside them what it writes itself. */
export function writeUnits({ provided, system, user }: Evaluated, folder: string, program: string): void {
  const put = (path: string, text: string): void => {
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, text.replaceAll(/\/nix\/store\/\S*-tsvdagent-\S+?\/bin\/tsvdagent/g, program));
  };
  const isProvided = new Set<string>();
  for (const { path, text } of provided) {
    if (!path.startsWith("lib/systemd/")) continue;
    const place = path.slice("lib/systemd/".length);
    isProvided.add(place);
    put(place, text);
  }
  for (const [kind, units] of Object.entries({ system, user })) {
    for (const [name, { text }] of Object.entries(units)) {
      const place = `${kind}/${name}.service`;
      put(isProvided.has(place) ? `${place}.d/overrides.conf` : place, text);
    }
  }
}

export async function unitProblems({ accepted }: Evaluation): Promise<string[]> {
  // Each kind of units once.
  const kinds = new Map(
    Object.entries(accepted).map(([name, of]) => [
      JSON.stringify([of.provided, of.system, of.user]),
      [name, of] as const,
    ]),
  );
  const found = [...kinds.values()].map(async ([name, evaluated]) => {
    if (evaluated.provided.length === 0) return [];
    using folder = makeTempDir("units");
    // As good as any that is there; and NixOS' own are not here.
    writeUnits(evaluated, folder.path, "/bin/true");
    const env = { ...process.env, XDG_RUNTIME_DIR: folder.path, SYSTEMD_COLORS: "0", LC_ALL: "C" };
    const problems: string[] = [];
    const analyze = async (...args: readonly string[]): Promise<string> => {
      const { code, out, errors } = await run("systemd-analyze", args, env);
      if (code !== 0) problems.push(`${name}: ${errors}`);
      return out + errors;
    };
    const system = readdirSync(folder.join("system")).filter((unit) => /\.(service|socket)$/.test(unit));
    for (const unit of system) {
      const file = folder.join(`system/${unit}`);
      const text = readFileSync(file, "utf8");
      writeFileSync(file, text.replaceAll(/\/nix\/store\/\S+\/bin\/udevadm/g, "/bin/udevadm"));
    }
    for (const args of [
      ["verify", "--man=no", ...system.map((unit) => folder.join(`system/${unit}`))],
      ["--user", "verify", "--man=no", folder.join("user/tsvdagent.service")],
    ]) {
      const said = await analyze(...args);
      if (said !== "") problems.push(`${name}: ${said}`);
    }
    const said = await analyze("security", "--offline=yes", "--no-pager", folder.join("system/tsvdagentd.service"));
    const exposure = Number(/Overall exposure level for tsvdagentd\.service: (\d+\.\d+)/.exec(said)?.[1]);
    if (!(exposure <= 1.5)) problems.push(`${name}: exposure ${exposure}`);
    return problems;
  });
  return (await Promise.all(found)).flat();
}

/** What starts it, and what it stands on. */
export function activationProblems({ accepted }: Evaluation): string[] {
  const problems: string[] = [];
  for (const [name, { provided, system, user, users, groups, davfs2, avahi, settings }] of Object.entries(accepted)) {
    if (provided.length === 0) continue;
    const rules = provided.find(({ path }) => path === "lib/udev/rules.d/71-tsvdagent.rules")?.text ?? "";
    if (!/ATTR\{name\}=="com\.redhat\.spice\.0", GROUP="tsvdagent".*SYSTEMD_WANTS/.test(rules))
      problems.push(`${name}: no rule starts the daemon`);
    const daemon = provided.find(({ path }) => path.endsWith("/tsvdagentd.service"))?.text ?? "";
    const isByUdev = JSON.stringify(settings).includes('"path":"/dev/virtio-ports/com.redhat.spice.0"');
    if (isByUdev !== (system.tsvdagentd?.wantedBy.length === 0))
      problems.push(`${name}: not started by its port alone`);
    if (user.tsvdagent?.wantedBy.length === 0) problems.push(`${name}: nothing starts the session's half`);
    if (users.tsvdagent?.group !== "tsvdagent" || !groups.includes("tsvdagent")) problems.push(`${name}: no user`);
    const hasPointer = daemon.includes("\nDeviceAllow=/dev/uinput rw\n");
    if (hasPointer !== users.tsvdagent?.extraGroups.includes("uinput")) problems.push(`${name}: the pointer's device`);
    const mounts = provided.filter(({ path }) => path.includes("tsvdagentd-mount")).length;
    if (mounts > 0 !== davfs2 || daemon.includes("tsvdagentd-mount") !== davfs2) problems.push(`${name}: mounts`);
    if (avahi !== JSON.stringify(settings).includes('"announce":true')) problems.push(`${name}: Avahi`);
  }
  return problems;
}

export async function flakeProblems(nix: Nix, tree: string): Promise<string[]> {
  const standin = `path:${join(tree, "nixos-module/tests/standin")}`;
  const { code, out, errors } = await nix.run("nix", [
    ...["--extra-experimental-features", "nix-command flakes", "flake", "show", "--json", "--offline"],
    ...["--no-write-lock-file", "--override-input", "nixpkgs", standin, `path:${tree}`],
  ]);
  if (code !== 0) return [errors];
  const outputs = JSON.parse(out) as Record<string, Record<string, unknown>>;
  const wanted: Readonly<Record<string, readonly string[]>> = {
    packages: ["x86_64-linux", "aarch64-linux"],
    checks: ["x86_64-linux", "aarch64-linux"],
    devShells: ["x86_64-linux", "aarch64-linux"],
    formatter: ["x86_64-linux", "aarch64-linux"],
    overlays: ["default"],
    nixosModules: ["default", "host", "qemu-vm"],
  };
  return Object.entries(wanted).flatMap(([output, names]) =>
    names.filter((name) => outputs[output]?.[name] === undefined).map((name) => `no ${output}.${name}`),
  );
}
