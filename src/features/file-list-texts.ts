// What file managers understand: files of the viewer as paths in the folder it is mounted at. Section 3.10 of the protocol.
import type { FileList } from "../wire/file-list.ts";

export const URI_LIST = "text/uri-list";
export const NAUTILUS_TEXT = "text/plain;charset=utf-8";
export const GNOME_FILES = "x-special/gnome-copied-files";
export const MATE_FILES = "x-special/mate-copied-files";
export const KDE_CUT = "application/x-kde-cutselection";

/** The one to ask for first is first. */
export const fileListTargets: readonly string[] = [URI_LIST, GNOME_FILES, MATE_FILES, KDE_CUT, NAUTILUS_TEXT];

/** `mountPath`: where the root of the viewer's server is. Undefined for a target that is none of these. */
export function fileListText({ isCut, paths }: FileList, mountPath: string, target: string): string | undefined {
  const uris = paths.map((path) => fileUri(mountPath + path));
  const action = isCut ? "cut" : "copy";
  switch (target.toLowerCase()) {
    case URI_LIST:
      return uris.map((uri) => `${uri}\r\n`).join("");
    case GNOME_FILES:
    case MATE_FILES:
      return [action, ...uris].join("\n");
    case KDE_CUT:
      return isCut ? "1" : "0";
    case NAUTILUS_TEXT:
      return ["x-special/nautilus-clipboard", action, ...uris].map((line) => `${line}\n`).join("");
    default:
      return undefined;
  }
}

/** RFC 8089. A half of a surrogate pair, which is no character, becomes U+FFFD. */
export function fileUri(path: string): string {
  const wellFormed = path.replace(/[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, "\ufffd");
  return `file://${wellFormed.split("/").map(escaped).join("/")}`;
}

function escaped(part: string): string {
  return encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
}
