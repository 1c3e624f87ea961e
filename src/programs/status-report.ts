// What `status` tells: made by the daemon, carried as JSON on control.sock, shown to a person or a program.

import type { Fault } from "../support/recent-faults.ts";
import type { AnnouncementReport } from "../system/shared-folder/announcement.ts";
import type { FeatureReport } from "../wire/link/messages.ts";
import { type ClipboardReport, describeClipboard } from "./clipboard-counts.ts";

export interface SessionReport {
  /** Logind's; null where nobody is asked. */
  readonly id: string | null;
  readonly uid: number;
  readonly pid: number;
  /** On the screen. */
  readonly active: boolean;
  /** Locked, or not of a user: no clipboard, no files. */
  readonly shut: boolean;
  /** Of its agent; null for spice-vdagent, which does not say. */
  readonly version: string | null;
  /** Our own link, or upstream's; null before its first words. */
  readonly link: "extended" | "plain" | null;
  readonly features: readonly FeatureReport[];
}

/** The viewer's folder in a user's. */
export interface MountReport {
  readonly state: "none" | "changing" | "read-only" | "read-write" | "failed";
  readonly path: string | null;
  /** What mounts it. */
  readonly driver: string | null;
  readonly fault: string | null;
}

/** The viewer's folder in the guest. */
export interface SharedFolderReport {
  readonly port: { readonly path: string; readonly state: "held" | "waiting"; readonly fault: string | null };
  /** `silent`: it has the channel open, and its server has not answered yet. */
  readonly viewer: "none" | "silent" | "read-only" | "read-write";
  /** `HOST:PORT`; empty: whoever connects is refused. */
  readonly listening: readonly string[];
  readonly connections: number;
  /** The uid whose programs may connect, beside root's; null: nobody's, or somebody else's than the one who asks. */
  readonly user: number | null;
  readonly mount: MountReport;
  /** By mDNS; null: nobody has asked for it, or nothing is served. */
  readonly announced: AnnouncementReport | null;
  /** In the folder itself, when it was looked at last; null where that is not known. */
  readonly entries: number | null;
  readonly fault: string | null;
}

/** As anybody may know it: whose it is, and where, is for that user and for root. */
export function sharedFolderFor(uid: number, report: SharedFolderReport): SharedFolderReport {
  if (uid === 0 || uid === report.user) return report;
  return { ...report, user: null, entries: null, mount: { ...report.mount, path: null, fault: null } };
}

/** The port on which the host reaches the guest's folders; which they are, the sessions tell. */
export interface GuestShareReport {
  readonly port: { readonly path: string; readonly state: "held" | "waiting"; readonly fault: string | null };
  /** Somebody has its other end open. */
  readonly host: boolean;
  readonly connections: number;
}

export interface StatusReport {
  readonly version: string;
  readonly pid: number;
  readonly uptimeSeconds: number;
  readonly port: {
    readonly path: string;
    /** `closed`: no session is on the screen; `opening`: it cannot be had yet, see `fault`. */
    readonly state: "open" | "opening" | "closed";
    readonly fault: string | null;
  };
  readonly viewer: {
    readonly connected: boolean;
    /** Which one it is since the start, from 1; 0: none is there. */
    readonly number: number;
  };
  /** Since the daemon began, or took up another configuration. */
  readonly clipboard: ClipboardReport;
  /** From the viewer. */
  readonly files: {
    readonly underWay: number;
    readonly waiting: number;
    readonly saved: number;
    /** Not saved, by reason. */
    readonly failed: Readonly<Record<string, number>>;
  };
  readonly pointer: { readonly device: string; readonly state: "working" | "off" | "unavailable" };
  readonly logind: "watched" | "unavailable" | "unused";
  /** The session on the screen by logind's word; null: none, or nobody is asked. */
  readonly screen: { readonly id: string; readonly class: string; readonly hasAgent: boolean } | null;
  /** Null: switched off. */
  readonly sharedFolder: SharedFolderReport | null;
  /** Null: switched off. */
  readonly guestShare: GuestShareReport | null;
  /** Those of the one who asks; all for root. */
  readonly sessions: readonly SessionReport[];
  /** How many more there are. */
  readonly otherSessions: number;
  /**
   * The daemon's last errors and warnings, oldest first: all for root, else those that concern the one who asks, and with
   * them, for whoever is on the screen, those that concern no user in particular.
   */
  readonly errors: readonly Fault[];
}

/** For a person. */
export function describeStatus(report: StatusReport): string {
  const { version, pid, port, viewer, files, pointer, logind, screen } = report;
  const rows: [string, string][] = [
    ["daemon", `${version}, process ${pid}, up for ${duration(report.uptimeSeconds)}`],
    ["port", `${port.state}: ${port.path}${port.fault === null ? "" : `: ${port.fault}`}`],
    ["viewer", viewer.connected ? `connected (number ${viewer.number})` : "none"],
    ["files", describeFiles(files)],
    ["pointer", `${pointer.state}: ${pointer.device}`],
    ["logind", logind],
    ...describeClipboard(report.clipboard).map((text): [string, string] => ["clipboard", text]),
  ];
  rows.push(...sharedFolderRows(report.sharedFolder), guestShareRow(report.guestShare));
  if (screen !== null) {
    const agent = screen.hasAgent ? "" : ": no agent runs in it";
    rows.push(["screen", `session ${screen.id}, ${screen.class}${agent}`]);
  }
  for (const session of report.sessions) rows.push(...sessionRows(session));
  if (report.otherSessions > 0) rows.push(["sessions", `${report.otherSessions} more of other users`]);
  for (const { at, text } of report.errors) rows.push(["error", `${at} ${text}`]);
  return rows.map(([name, value]) => `${name.padEnd(10)}${value}\n`).join("");
}

function guestShareRow(share: GuestShareReport | null): [string, string] {
  if (share === null) return ["share", "off"];
  const { port, host, connections } = share;
  const fault = port.fault === null ? "" : `: ${port.fault}`;
  const who = port.state === "held" ? `: ${host ? `the host is there, ${connections} connections` : "no host"}` : "";
  return ["share", `port ${port.state}: ${port.path}${fault}${who}`];
}

function sharedFolderRows(folder: SharedFolderReport | null): [string, string][] {
  if (folder === null) return [["folder", "off"]];
  const { port, viewer, listening, connections, entries, announced, fault } = folder;
  const rows: [string, string][] = [
    ["folder", `port ${port.state}: ${port.path}${port.fault === null ? "" : `: ${port.fault}`}`],
  ];
  if (port.state !== "held") return rows;
  const shares =
    viewer === "none" ? "no viewer shares" : viewer === "silent" ? "a viewer that does not answer yet" : viewer;
  rows.push(["", `viewer: ${shares}${entries === null ? "" : `, ${entries} entries`}`]);
  const where = listening.length === 0 ? "nowhere" : `${listening.join(", ")}, ${connections} connections`;
  rows.push(["", `served: ${where}${fault === null ? "" : `: ${fault}`}`]);
  const { mount } = folder;
  const at = [mount.path, mount.driver, mount.fault].filter((part) => part !== null);
  if (mount.state !== "none") rows.push(["", `mount: ${[mount.state, ...at].join(": ")}`]);
  if (announced !== null) rows.push(["", `mDNS: ${announced.name ?? announced.fault ?? "not announced yet"}`]);
  return rows;
}

function describeFiles({ underWay, waiting, saved, failed }: StatusReport["files"]): string {
  const reasons = Object.entries(failed).map(([reason, files]) => `${files} not: ${reason}`);
  return [`${underWay} under way`, `${waiting} waiting`, `${saved} saved`, ...reasons].join(", ");
}

function sessionRows({ id, uid, pid, active, shut, version, link, features }: SessionReport): [string, string][] {
  const where = active ? (shut ? "on the screen, locked or not of a user" : "on the screen") : "not on the screen";
  const agent = version === null ? `${link ?? "silent"} agent` : `agent ${version}`;
  return [
    ["session", `${id ?? "-"} of user ${uid}: ${where}: ${agent}, process ${pid}`],
    ...features.map(({ feature, driver, fault }): [string, string] => {
      const parts = [driver, fault].filter((part) => part !== "");
      return ["", `${feature}: ${parts.length === 0 ? "nothing yet" : parts.join(": ")}`];
    }),
  ];
}

function duration(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}
