// Where root mounts the viewer's folder before it is bound into a user's home.
import { mountTable } from "../../support/mount-table.ts";

/** For root only, so that nobody meets the mounts in it but where they are bound to: one for each user, by uid. */
export const MOUNTS_FOLDER = "/run/tsvdagent-mount";

/** The users for whom the viewer's folder is mounted. */
export async function mountedUsers(): Promise<number[]> {
  return (await mountTable()).flatMap(({ path }) => {
    const uid = path.startsWith(`${MOUNTS_FOLDER}/`) ? path.slice(MOUNTS_FOLDER.length + 1) : "";
    return /^\d+$/.test(uid) ? [Number(uid)] : [];
  });
}
