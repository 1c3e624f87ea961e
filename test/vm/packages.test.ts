// Installed in other ways than by scripts/install-systemd: the Debian package, and the units that NixOS would have.
import { basename } from "node:path";
import { stringify } from "smol-toml";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Nix, run } from "../integration/nix/nix.ts";
import { type Evaluated, evaluate } from "../integration/nix/offline-checks.ts";
import type { SpiceClient } from "../integration/peers/spice-client.ts";
import { makeTempDir, type TempDir } from "../integration/peers/temp-dir.ts";
import { until } from "../integration/peers/until.ts";
import { Desktop } from "./desktop.ts";
import { type Guest, startGuest } from "./guest.ts";
import { resizeMs } from "./hotplug.ts";
import { AGENT_PORT, complaints, connectViewer, copyBothWays, daemonPid, readStatus, waitForAgent } from "./product.ts";

const FIRST = "0.0.1";
const SECOND = "0.0.2";
const INSTALL_MS = 180_000;

describe("the Debian package", () => {
  let folder: TempDir;
  let guest: Guest;
  let desktop: Desktop;
  let viewer: SpiceClient;
  const files: Record<string, string> = {};

  beforeAll(async () => {
    folder = makeTempDir("debs");
    const env = { ...process.env, TSVDAGENT_DEB_LEVEL: "0" };
    for (const version of [FIRST, SECOND]) {
      const { code, out, errors } = await run(
        "scripts/build-deb",
        ["--output", folder.path, "--version", version],
        env,
      );
      if (code !== 0) throw new Error(errors);
      files[version] = out.trim();
    }
    guest = await startGuest({ packages: Object.values(files) });
    expect(await guest.waitForBoot()).toBe("running");
    desktop = await Desktop.start(guest);
  });

  afterAll(async () => {
    await viewer?.[Symbol.asyncDispose]();
    await guest?.[Symbol.asyncDispose]();
    folder?.[Symbol.dispose]();
  });

  const dpkg = (...args: readonly string[]): Promise<string> =>
    guest.output(["dpkg", ...args], { timeoutMs: INSTALL_MS, env: { DEBIAN_FRONTEND: "noninteractive" } });
  const inGuest = (version: string): string => `/mnt/packages/${basename(files[version] ?? "")}`;

  test("installs, and starts daemon and agent by itself, run by its own Node", async () => {
    await dpkg("--install", inGuest(FIRST));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as dpkg-query wants it.
    expect(await guest.output(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", "tsvdagent"])).toBe(
      `ii ${FIRST}`,
    );
    await waitForAgent(guest, desktop, 60_000);
    expect(await guest.output(["readlink", `/proc/${await daemonPid(guest)}/exe`])).toBe("/usr/lib/tsvdagent/node\n");
    expect(await guest.output(["stat", "-L", "-c", "%U:%G %a", AGENT_PORT])).toBe("root:tsvdagent 660\n");
  });

  test("a viewer's text comes and goes, and nobody complains", async () => {
    viewer = await connectViewer(guest);
    await copyBothWays(viewer, desktop, "installed");
    expect(await complaints(guest)).toBe("");
  });

  test("an upgrade restarts both halves, keeps the configuration, and everything goes on", async () => {
    const before = await daemonPid(guest);
    const config = `[log]\nlevel = "debug"\n`;
    await guest.writeFile("/etc/tsvdagent/config.toml", config);
    await dpkg("--install", "--force-confold", inGuest(SECOND));
    // biome-ignore lint/suspicious/noTemplateCurlyInString: as dpkg-query wants it.
    expect(await guest.output(["dpkg-query", "-W", "-f", "${Version}", "tsvdagent"])).toBe(SECOND);
    await until("another daemon", async () => ![0, before].includes(await daemonPid(guest)), 30_000, 250);
    await waitForAgent(guest, desktop, 60_000);
    expect(await guest.output(["cat", "/etc/tsvdagent/config.toml"])).toBe(config);
    await viewer.waitForAgent(30_000);
    await copyBothWays(viewer, desktop, "upgraded");
  });

  test("removed, nothing runs and the configuration is kept; purged, nothing is left", async () => {
    await dpkg("--remove", "tsvdagent");
    expect(await guest.run(["pgrep", "-af", "tsvdagent[.]js"])).toMatchObject({ stdout: "" });
    expect(await guest.output(["systemctl", "list-units", "--all", "--no-legend", "tsvdagent*"])).toBe("");
    expect(await guest.run(["test", "-f", "/etc/tsvdagent/config.toml"])).toMatchObject({ code: 0 });
    await dpkg("--purge", "tsvdagent");
    const places = ["/etc/tsvdagent", "/usr/lib/tsvdagent", "/usr/bin/tsvdagent", "/run/tsvdagent"];
    expect(await guest.run(["ls", "-d", ...places])).toMatchObject({ stdout: "" });
    expect(await guest.run(["id", "tsvdagent"])).toMatchObject({ code: 1 });
    expect((await guest.run(["dpkg-query", "-W", "tsvdagent"])).code).toBe(1);
    await viewer.waitForNoAgent();
  });
});

describe("the units of the NixOS module's default configuration", () => {
  let guest: Guest;
  let desktop: Desktop;
  let viewer: SpiceClient;
  let evaluated: Evaluated;

  beforeAll(async () => {
    using nix = new Nix();
    const { accepted } = await evaluate(nix, process.cwd());
    if (accepted.default === undefined) throw new Error("no default configuration");
    evaluated = accepted.default;
    guest = await startGuest();
    expect(await guest.waitForBoot()).toBe("running");
  });

  afterAll(async () => {
    await viewer?.[Symbol.asyncDispose]();
    await guest?.[Symbol.asyncDispose]();
  });

  /** One archive: a question to the guest for each file would take a minute. */
  async function layOut(
    files: Readonly<Record<string, string>>,
    links: Readonly<Record<string, string>>,
  ): Promise<void> {
    const script = `
import json, os, sys
for path, text in json.load(sys.stdin)["files"].items():
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file: file.write(text)
    if text.startswith("#!"): os.chmod(path, 0o755)
`;
    await guest.output(["python3", "-c", script], { input: JSON.stringify({ files }) });
    const made = Object.entries(links).map(
      ([path, target]) => `mkdir -p $(dirname ${path}) && ln -s ${target} ${path}`,
    );
    await guest.output(["sh", "-ec", made.join("\n")]);
  }

  test("start unchanged, as `nixos-rebuild switch` starts them", async () => {
    const files: Record<string, string> = { "/etc/tsvdagent/config.toml": stringify(evaluated.settings) };
    const links: Record<string, string> = {};
    const programs = new Set<string>();
    const put = (path: string, text: string): void => {
      files[path] = text;
      for (const [found] of text.matchAll(/\/nix\/store\/[^\s/]+\/bin\/[\w-]+/g)) programs.add(found);
    };
    const isProvided = new Set<string>();
    for (const { path, text } of evaluated.provided) {
      put(path.replace(/^lib\/(systemd|udev)\//, "/etc/$1/"), text);
      isProvided.add(path.replace(/^lib\/systemd\//, ""));
    }
    for (const [kind, units] of Object.entries({ system: evaluated.system, user: evaluated.user })) {
      for (const [name, { text, wantedBy }] of Object.entries(units)) {
        const unit = `${kind}/${name}.service`;
        put(`/etc/systemd/${unit}${isProvided.has(unit) ? ".d/overrides.conf" : ""}`, text);
        for (const target of wantedBy)
          links[`/etc/systemd/${kind}/${target}.wants/${name}.service`] = `../${name}.service`;
      }
    }
    // What the store would hold, and what NixOS itself would do: its PATH, hardware.uinput, users.
    for (const program of programs) {
      if (program.endsWith("/tsvdagent"))
        files[program] = '#!/bin/sh\nexec /mnt/node/bin/node /mnt/product/dist/tsvdagent.js "$@"\n';
      else links[program] = `/usr/bin/${basename(program)}`;
    }
    links["/run/current-system/path-of/coreutils/bin"] = "/usr/bin";
    files["/etc/udev/rules.d/99-uinput.rules"] =
      'SUBSYSTEM=="misc", KERNEL=="uinput", MODE="0660", GROUP="uinput", OPTIONS+="static_node=uinput"\n';
    const { extraGroups = [] } = evaluated.users.tsvdagent ?? {};
    const users = [
      ...[...evaluated.groups, ...extraGroups].map((group) => `groupadd --system ${group}`),
      `useradd --system --gid tsvdagent --groups ${extraGroups.join(",")} --no-create-home tsvdagent`,
    ];
    await guest.output(["sh", "-ec", users.join("\n")]);
    await layOut(files, links);
    await guest.output([
      "sh",
      "-ec",
      "modprobe uinput; udevadm control --reload; udevadm trigger --settle --sysname-match=uinput",
    ]);
    await guest.output(["systemctl", "daemon-reload"]);
    // All that multi-user.target is given.
    await guest.output(["systemctl", "start", "tsvdagentd-ports.service"], { timeoutMs: 60_000 });
    await until("the daemon to be started by its port", async () => (await daemonPid(guest)) > 0, 60_000, 500);
    expect(await guest.output(["systemctl", "--failed", "--no-legend"])).toBe("");
  });

  test("the daemon runs as its user in its sandbox, with port and pointer", async () => {
    const text = await guest.output(["cat", `/proc/${await daemonPid(guest)}/status`]);
    const uid = (await guest.output(["id", "-u", "tsvdagent"])).trim();
    expect(text).toMatch(new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s`, "m"));
    expect(text).toMatch(/^CapBnd:\s+0+$/m);
    expect(text).toMatch(/^Seccomp:\s+2$/m);
  });

  test("a desktop gets its agent by itself; a viewer's text comes and goes, and nobody complains", async () => {
    desktop = await Desktop.start(guest);
    const status = await waitForAgent(guest, desktop, 60_000);
    expect(status.pointer).toMatchObject({ state: "working" });
    viewer = await connectViewer(guest);
    await copyBothWays(viewer, desktop, "nixos");
    expect((await readStatus(guest)).viewer.connected).toBe(true);
    expect(await complaints(guest)).toBe("");
  });

  test("the screen follows the viewer's window", async () => {
    for (const [width, height] of [
      [1283, 721],
      [1024, 768],
    ] as const) {
      await resizeMs(viewer, { width, height });
      const isThere = async (): Promise<boolean> =>
        (await desktop.output(["xrandr", "--current"])).includes(`current ${width} x ${height}`);
      await until(`the guest's screen to be ${width}x${height}`, isThere, 20_000, 200);
    }
  });

  test("a daemon that is killed is back, and so is the agent", async () => {
    const before = await daemonPid(guest);
    await guest.output(["systemctl", "kill", "--signal=KILL", "tsvdagentd.service"]);
    await until("another daemon", async () => ![0, before].includes(await daemonPid(guest)), 30_000, 250);
    await waitForAgent(guest, desktop, 60_000);
    await viewer.waitForAgent(30_000);
    await copyBothWays(viewer, desktop, "again");
  });
});
