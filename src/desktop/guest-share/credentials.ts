// Name and password for the guest's folders: made once, kept where only the user can read them.
import { randomBytes } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { userInfo } from "node:os";
import { BackendError } from "../../support/errors.ts";
import { writeWhole } from "../whole-file.ts";

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const PASSWORD_BYTES = 18;
const MAX_FILE_BYTES = 1024;

/** `NAME:PASSWORD` in one line. Throws a BackendError `guest-share.password`. */
export async function credentialsAt(path: string): Promise<Credentials> {
  try {
    return (await read(path)) ?? (await make(path));
  } catch (error) {
    if (error instanceof BackendError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    throw new BackendError("guest-share.password", `${path}: ${code ?? "cannot be used"}`, { cause: error });
  }
}

async function read(path: string): Promise<Credentials | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (found === undefined) return undefined;
  if (!found.isFile() || found.size > MAX_FILE_BYTES)
    throw new BackendError("guest-share.password", `${path}: that is no password file`);
  if ((found.mode & 0o077) !== 0)
    throw new BackendError("guest-share.password", `${path}: others may read it: chmod 600, and change the password`);
  const [, user, password] = /^([^:\n]+):([^\n]{8,})\n?$/.exec(await readFile(path, "utf8")) ?? [];
  if (user === undefined || password === undefined)
    throw new BackendError(
      "guest-share.password",
      `${path}: NAME:PASSWORD is expected, the password of 8 or more characters`,
    );
  return { user, password };
}

async function make(path: string): Promise<Credentials> {
  const made = { user: userInfo().username, password: randomBytes(PASSWORD_BYTES).toString("base64url") };
  await writeWhole(path, `${made.user}:${made.password}\n`);
  return made;
}
