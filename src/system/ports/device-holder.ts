// Which process has a device open, as far as we may see: the other half of "busy".
import { readdir, readFile, readlink, realpath } from "node:fs/promises";

/** ` (pid 123, spice-vdagentd)`, or nothing when it cannot be seen. */
export async function whoHolds(path: string): Promise<string> {
  const device = await realpath(path).catch(() => path);
  const pids = (await readdir("/proc").catch(() => [])).filter((name) => /^\d+$/.test(name));
  for (const pid of pids) {
    const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
    for (const descriptor of descriptors) {
      const target = await readlink(`/proc/${pid}/fd/${descriptor}`).catch(() => "");
      if (target !== device) continue;
      const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "?");
      return ` (pid ${pid}, ${name.trim()})`;
    }
  }
  return "";
}
