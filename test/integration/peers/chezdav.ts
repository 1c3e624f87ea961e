/** chezdav: libphodav's own server, the code that a SPICE viewer serves its folder with. */

import { freePort, listensOn } from "./free-port.ts";
import { type PeerProcess, startProcess } from "./processes.ts";
import { makeTempDir, type TempDir } from "./temp-dir.ts";
import { until } from "./until.ts";

export interface Chezdav extends AsyncDisposable {
  readonly port: number;
  readonly folder: TempDir;
  readonly process: PeerProcess;
}

export async function startChezdav({ readOnly = false } = {}): Promise<Chezdav> {
  const folder = makeTempDir("chezdav");
  const port = await freePort();
  const where = ["--no-mdns", "--local", "-p", String(port), "-P", folder.path];
  const process = await startProcess("chezdav", readOnly ? [...where, "--readonly"] : where);
  await until("chezdav to listen", () => listensOn(process.pid, port), 10_000);
  return {
    port,
    folder,
    process,
    [Symbol.asyncDispose]: async () => {
      await process.kill();
      folder[Symbol.dispose]();
    },
  };
}
