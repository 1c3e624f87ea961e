// From command line and files to what the halves are built from.
import { homedir } from "node:os";
import { join } from "node:path";
import type { GuestAbilities } from "../features/capabilities.ts";
import type { ClipboardPolicy } from "../features/clipboard-policy.ts";
import type { SharedFolderPolicy } from "../features/shared-folder.ts";
import { narrowedByUser, readConfig } from "../support/config.ts";
import type { Config } from "../support/config-schema.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { Log, LogLevel } from "../support/log.ts";
import { FifoPointer } from "../system/pointer/fifo-pointer.ts";
import type { PointerDevice } from "../system/pointer/pointer-device.ts";
import type { ListenAddress } from "../system/shared-folder/dav-proxy.ts";
import { ClipboardSelection, ClipboardType } from "../wire/agent-constants.ts";
import type { SessionSettings } from "./session-half.ts";

export const DEFAULT_SOCKET = "/run/tsvdagent/session.sock";
export const DEFAULT_CONTROL = "/run/tsvdagent/control.sock";
const SYSTEM_CONFIG = "/etc/tsvdagent/config.toml";
const MOUNTED_ADDRESS = "127.0.0.1:9843";
const MOUNT_SOCKET = "/run/tsvdagent/mount.sock";
const MIB = 1024 * 1024;
const typeNumbers: Readonly<Record<Config["clipboard"]["types"][number], number>> = {
  text: ClipboardType.UTF8_TEXT,
  png: ClipboardType.IMAGE_PNG,
  bmp: ClipboardType.IMAGE_BMP,
  tiff: ClipboardType.IMAGE_TIFF,
  jpeg: ClipboardType.IMAGE_JPG,
  files: ClipboardType.FILE_LIST,
};
const WEBDAV_DEVICE = "/dev/virtio-ports/org.spice-space.webdav.0";
const SHARE_DEVICE = "/dev/virtio-ports/org.tsvdagent.share.0";
/** Where spice-webdavd serves it, so that everybody's bookmarks stay good. */
const WEBDAV_LISTEN = ["127.0.0.1:9843", "[::1]:9843"];
const FIFO = "fifo:";

/** Options of the command line that stand over keys of the configuration. */
export interface ConfigOptions {
  readonly config?: string;
  readonly log?: string;
  readonly port?: string;
  readonly uinput?: string;
}

export interface SharedFolderOptions {
  readonly "webdav-device"?: string;
  readonly "webdav-listen"?: string[];
}

/** Of the session's half alone. */
export interface SessionConfigOptions {
  readonly "save-dir"?: string;
  readonly "open-folder"?: boolean;
}

/** What the system's file says, with the command line over it. Throws a ConfigError. */
export async function systemConfig(options: ConfigOptions): Promise<Config> {
  const config = await readConfig(options.config ?? SYSTEM_CONFIG, options.config !== undefined);
  return {
    ...config,
    log: { level: (options.log as LogLevel | undefined) ?? config.log.level },
    port: { path: options.port ?? config.port.path },
    pointer: { device: options.uinput ?? config.pointer.device },
  };
}

/** The same, narrowed by the user who we are by now. Throws a ConfigError. */
export async function userConfig(options: ConfigOptions): Promise<Config> {
  return narrowedByUser(await systemConfig(options), join(homedir(), ".config/tsvdagent/config.toml"));
}

/** Only the log differs, and that is changed in place. */
export function sameButLog(a: Config, b: Config): boolean {
  return JSON.stringify({ ...a, log: {} }) === JSON.stringify({ ...b, log: {} });
}

export function abilitiesOf(config: Config, pointer: PointerDevice | undefined): GuestAbilities {
  return {
    pointer: pointer !== undefined,
    clipboard: isClipboardOn(config),
    display: config.display.resize,
    effects: config.display.effects,
    volume: config.volume.sync,
    files: config.files.enabled,
  };
}

function isClipboardOn({ clipboard }: Config): boolean {
  return clipboard.enabled && clipboard.direction !== "off";
}

export function clipboardPolicyOf(config: Config): ClipboardPolicy {
  const { primary, direction, types, ...limits } = config.clipboard;
  const shared = [ClipboardSelection.CLIPBOARD, ...(primary ? [ClipboardSelection.PRIMARY] : [])];
  return {
    selections: isClipboardOn(config) ? shared : [],
    types: types.map((type) => typeNumbers[type]),
    toGuest: direction === "both" || direction === "host-to-guest",
    toHost: direction === "both" || direction === "guest-to-host",
    maxToGuestBytes: limits["max-host-to-guest-mib"] * MIB,
    maxToHostBytes: limits["max-guest-to-host-mib"] * MIB,
  };
}

/** Undefined: the viewer's folder is switched off. */
export function sharedFolderSettings(
  config: Config,
  options: SharedFolderOptions,
):
  | {
      readonly device: string;
      readonly listen: readonly ListenAddress[];
      readonly policy: SharedFolderPolicy;
      readonly announce: boolean;
      readonly mountSocket: string | undefined;
    }
  | undefined {
  if (!config["shared-folder"].enabled) return undefined;
  const listen = options["webdav-listen"] ?? WEBDAV_LISTEN;
  return {
    device: options["webdav-device"] ?? WEBDAV_DEVICE,
    listen: listen.map(listenAddress),
    // Root's helper takes no address from us.
    mountSocket: listen.includes(MOUNTED_ADDRESS) ? MOUNT_SOCKET : undefined,
    policy: { mount: config["shared-folder"].mount },
    announce: config["shared-folder"].announce,
  };
}

/** The port for the guest's folders; undefined: switched off. */
export function shareDevice(config: Config, options: { readonly "share-device"?: string }): string | undefined {
  return config["guest-share"].enabled ? (options["share-device"] ?? SHARE_DEVICE) : undefined;
}

/** `HOST:PORT`, an IPv6 address in brackets. */
export function listenAddress(text: string): ListenAddress {
  const at = text.lastIndexOf(":");
  return { host: text.slice(0, at).replace(/^\[|\]$/g, ""), port: Number(text.slice(at + 1)) };
}

/** What the session does; `display` as in $DISPLAY. */
export function sessionSettings(
  config: Config,
  display: string | undefined,
  options: SessionConfigOptions,
): SessionSettings {
  return {
    display,
    clipboard: clipboardPolicyOf(config),
    markReceived: config.clipboard["mark-received"],
    resize: config.display.resize,
    dpi: config.display.dpi,
    effects: config.display.effects,
    volume: config.volume.sync,
    guestShare: {
      folders: config["guest-share"].enabled ? config["guest-share"].folders : [],
      isWritable: config["guest-share"].writable,
      port: config["guest-share"].port,
    },
    files: {
      enabled: config.files.enabled,
      saveDir: options["save-dir"] ?? config.files["save-dir"],
      openFolder: options["open-folder"] === true,
    },
    sharedFolder: config["shared-folder"],
  };
}

/** Opened; undefined when there is to be none, or none can be had: then everything else goes on without it. */
export async function openPointer(device: string, log: Log): Promise<PointerDevice | undefined> {
  if (device === "none") return undefined;
  const pointer = await pointerAt(device, log);
  try {
    await pointer.open();
    return pointer;
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    await pointer[Symbol.asyncDispose]();
    log.warn(`${describeError(error)}: no absolute pointer: start the viewer's host with agent-mouse=off`);
    return undefined;
  }
}

async function pointerAt(device: string, log: Log): Promise<PointerDevice> {
  if (device.startsWith(FIFO)) return new FifoPointer(device.slice(FIFO.length), log);
  const { UinputPointer } = await import("../system/pointer/uinput-pointer.ts");
  return new UinputPointer(device, log);
}
