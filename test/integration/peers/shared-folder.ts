/** The viewer's folder served in this process, from a port on which a server is shared. */
import { DaemonSharedFolder } from "../../../src/programs/daemon-shared-folder.ts";
import { systemClock } from "../../../src/support/clock.ts";
import { recordingLog } from "../../fakes/recording-log.ts";
import { type ShareHost, shareHost } from "../../fakes/share-host.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

export interface ServedFolder extends AsyncDisposable {
  readonly folder: DaemonSharedFolder;
  readonly host: ShareHost;
  readonly port: number;
  readonly url: string;
  readonly logged: readonly string[];
  untilListening(): Promise<void>;
}

/** For the user who runs this; waits until it is served unless told otherwise. */
export async function serveFolder(
  backendPort: number,
  { isAwaited = true, announce = false } = {},
): Promise<ServedFolder> {
  const host = await shareHost(backendPort);
  const port = await freePort();
  const { log, lines } = recordingLog();
  const folder = new DaemonSharedFolder({
    device: host.path,
    listen: [
      { host: "127.0.0.1", port },
      { host: "::1", port },
    ],
    policy: { mount: false },
    announce,
    mountSocket: undefined,
    clock: systemClock,
    log,
  });
  folder.screenChanged(process.getuid?.() ?? 0);
  const untilListening = async (): Promise<void> => {
    await until("the folder to be served", () => folder.report.listening.length > 0, 8000);
  };
  if (isAwaited) await untilListening();
  return {
    folder,
    host,
    port,
    url: `http://127.0.0.1:${port}`,
    logged: lines,
    untilListening,
    [Symbol.asyncDispose]: async () => {
      await folder[Symbol.asyncDispose]();
      await host[Symbol.asyncDispose]();
    },
  };
}
