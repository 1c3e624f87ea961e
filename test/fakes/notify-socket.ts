// systemd's end of NOTIFY_SOCKET: a real unix datagram socket, which Node has not, in a child that tells what it receives.
import { createInterface } from "node:readline";
import { type PeerProcess, startProcess } from "../integration/peers/processes.ts";
import { until } from "../integration/peers/until.ts";

const receiver = `
import json, socket, sys
address, mode = sys.argv[1:]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("\\0" + address[1:] if address.startswith("@") else address)
print(json.dumps("bound"), flush=True)
if mode == "deaf": sys.stdin.read()
while True: print(json.dumps(s.recv(65536).decode()), flush=True)
`;

export interface NotifySocket extends AsyncDisposable {
  /** Everything that came so far, oldest first. */
  readonly received: readonly string[];
  /** The same, as soon as there are so many. */
  untilReceived(count: number): Promise<readonly string[]>;
}

/** `deaf` takes nothing out of its queue. */
export async function notifySocket(address: string, mode: "reads" | "deaf" = "reads"): Promise<NotifySocket> {
  const child: PeerProcess = await startProcess("python3", ["-c", receiver, address, mode], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(JSON.parse(line) as string));
  await until("the notify socket to be bound", () => lines.length > 0, 10_000);
  const received = (): readonly string[] => lines.slice(1);
  return {
    get received() {
      return received();
    },
    untilReceived: async (count) => {
      await until(`${count} datagrams`, () => received().length >= count, 5000);
      return received();
    },
    [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
  };
}
