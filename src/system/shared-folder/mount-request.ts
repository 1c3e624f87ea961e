// What the daemon and root's helper say to each other: a line of JSON each way, and the connection is over.

/** Characters. */
export const MAX_MOUNT_LINE = 1024;
const MAX_UID = 0xffff_fffe;

export type MountRequest =
  | { readonly kind: "mount"; readonly uid: number; readonly readOnly: boolean }
  | { readonly kind: "unmount"; readonly uid: number };

export type MountAnswer =
  /** Where it is mounted; empty when it is not any more. */
  { readonly path: string } | { readonly error: { readonly code: string; readonly detail: string } };

/** Undefined: it makes no sense. */
export function parseMountRequest(line: string): MountRequest | undefined {
  const value = parsed(line);
  const { kind, uid, readOnly } = value ?? {};
  if (typeof uid !== "number" || !Number.isInteger(uid) || uid < 1 || uid > MAX_UID) return undefined;
  if (kind === "unmount") return { kind, uid };
  return kind === "mount" && typeof readOnly === "boolean" ? { kind, uid, readOnly } : undefined;
}

/** Undefined: it makes no sense. */
export function parseMountAnswer(line: string): MountAnswer | undefined {
  const { path, error } = parsed(line) ?? {};
  if (typeof path === "string") return { path };
  const { code, detail } = (typeof error === "object" && error !== null ? error : {}) as Record<string, unknown>;
  return typeof code === "string" && typeof detail === "string" ? { error: { code, detail } } : undefined;
}

function parsed(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
