/** The guest's folder on the host: daemon, session and share-proxy as programs of their own, joined by what QEMU would be. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { shareWire } from "../../fakes/share-wire.ts";
import { type Agent, startAgent } from "./agent.ts";
import { freePort } from "./free-port.ts";
import { curl, type FolderOfGuest } from "./share-clients.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

export interface GuestShare extends AsyncDisposable, FolderOfGuest {
  /** Of the guest's user. */
  readonly home: TempDir;
  /** What is shared, on disk. */
  readonly folder: (name: string) => string;
  readonly port: number;
  readonly hostPath: string;
  readonly control: string;
  readonly daemon: Agent;
  readonly session: Agent;
  /** Another one of the same user's, when that is no more. */
  readonly nextSession: () => Promise<Agent>;
  readonly proxy: Agent;
  /** curl with name and password; its output. */
  curl(...args: readonly string[]): Promise<string>;
  /** The status that curl gets. */
  status(...args: readonly string[]): Promise<string>;
}

export async function startGuestShare(config = "writable = true"): Promise<GuestShare> {
  const held: AsyncDisposable[] = [];
  const hold = <T extends AsyncDisposable>(each: T): T => {
    held.push(each);
    return each;
  };
  const letGo = async (): Promise<void> => {
    for (const each of held.splice(0).reverse()) await each[Symbol.asyncDispose]();
  };
  try {
    const wire = hold(await shareWire());
    const home = makeTempDir("guest-home");
    hold({ [Symbol.asyncDispose]: async () => home[Symbol.dispose]() });
    mkdirSync(home.join("Public"));
    mkdirSync(home.join(".config/tsvdagent"), { recursive: true });
    writeFileSync(home.join(".config/tsvdagent/config.toml"), `[guest-share]\nfolders = ["~/Public"]\n${config}\n`);
    const nowhere = home.join("nowhere");
    const [socket, control] = [home.join("session"), home.join("control")];
    const where = [
      "--no-logind",
      "--socket",
      socket,
      "--control",
      control,
      "--port",
      nowhere,
      "--webdav-device",
      nowhere,
    ];
    const daemon = hold(await startAgent(["daemon", ...where, "--uinput", "none", "--share-device", wire.guestPath]));
    await daemon.untilLogged(/guest share: port held/);
    const nextSession = async (): Promise<Agent> =>
      hold(await startAgent(["session", "--socket", socket, "--display", ":9999"], { env: { HOME: home.path } }));
    const session = await nextSession();
    await daemon.untilLogged(/is on the screen/);
    const port = await freePort();
    const at = `127.0.0.1:${port}`;
    const proxy = hold(await startAgent(["share-proxy", "--port", wire.hostPath, "--listen", at]));
    await proxy.untilLogged(/the guest's port is open/);
    const passwordFile = home.join(".local/state/tsvdagent/guest-share-password");
    const made = await until("the password", () => /^(.+):(.+)\n$/.exec(readFileSync(passwordFile, "utf8")), 20_000);
    const [, user = "", password = ""] = made;
    const url = `http://${at}/Public/`;
    const asked = (...args: readonly string[]): Promise<string> => curl({ url, user, password }, ...args);
    return {
      home,
      folder: (name) => home.join(`Public/${name}`),
      url,
      port,
      user,
      password,
      hostPath: wire.hostPath,
      control,
      daemon,
      session,
      nextSession,
      proxy,
      curl: asked,
      status: (...args) => asked("-o", "/dev/null", "-w", "%{http_code}", ...args),
      [Symbol.asyncDispose]: letGo,
    };
  } catch (error) {
    await letGo();
    throw error;
  }
}
