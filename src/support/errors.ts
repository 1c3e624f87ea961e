// Errors by fault: who is to blame decides what is done. DecodeError, the peer's nonsense, lives in wire/bytes.

/** The channel to the host went away or cannot be had: open it again. */
export type PortErrorCode =
  | "port.missing"
  | "port.busy"
  | "port.denied"
  | "port.not-a-port"
  | "port.hung-up"
  | "port.refused"
  | "port.protocol"
  | "port.reopened"
  | "port.failed";

/** The desktop refused or is not there: keep what was, try the next way, tell the person. */
export type BackendErrorCode =
  | "display.silent"
  | "display.unreachable"
  | "display.lost"
  | "display.request-failed"
  | "monitors.too-large"
  | "monitors.too-small"
  | "monitors.overlap"
  | "monitors.no-output"
  | "monitors.refused"
  | "monitors.not-shown"
  | "monitors.contested"
  | "effects.unavailable"
  | "clipboard.refused"
  | "clipboard.no-answer"
  | "clipboard.lost"
  | "clipboard.too-large"
  | "clipboard.image-refused"
  | "pointer.unavailable"
  | "native.unavailable"
  | "native.failed"
  | "body.failed"
  | "link.closed"
  | "socket.in-use"
  | "socket.failed"
  | "guest-share.password"
  | "guest-share.not-listening"
  | "guest-share.not-allowed"
  | "mdns.failed"
  | "mdns.no-address"
  | "mdns.taken"
  | "shared-folder.not-listening"
  | "shared-folder.too-many"
  | "shared-folder.no-answer"
  | "mount.no-service"
  | "mount.no-davfs"
  | "mount.no-rclone"
  | "mount.no-user"
  | "mount.not-allowed"
  | "mount.not-empty"
  | "mount.not-owned"
  | "mount.failed"
  | "volume.unavailable"
  | "volume.refused"
  | "bus.unreachable"
  | "bus.lost"
  | "bus.timeout"
  | "bus.refused"
  | "bus.bad-answer";

abstract class CodedError<C extends string> extends Error {
  readonly code: C;

  constructor(code: C, detail: string, options?: ErrorOptions) {
    super(detail, options);
    this.code = code;
  }
}

export class PortError extends CodedError<PortErrorCode> {
  override readonly name = "PortError";
}

export class BackendError extends CodedError<BackendErrorCode> {
  override readonly name = "BackendError";
}

/** The command line or the configuration is wrong: exit code 2. The text names file, line, key, value and what is allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** A program that was asked for cannot do it: exit code 1, and the text says why. */
export class RunError extends Error {
  override readonly name = "RunError";
}

/** One line for a log: stable code first, then the detail. Never content, which no error of ours carries. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = (error as { readonly code?: unknown }).code;
  return typeof code === "string" ? `${code}: ${error.message}` : error.message;
}
