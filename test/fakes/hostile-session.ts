// A hostile host at the port of a whole agent: what the agent has to outlive, told apart by what it costs a test to try.

import type { HostSocket } from "./host-socket.ts";
import { HostileHost } from "./hostile-bytes.ts";

/** Of the messages that break the framing, and with it the connection, one in so many is sent: each costs a reconnect. */
const FRAMING_BREAKERS_KEPT = 50;
/** Messages before the agent's answers are looked at again. */
const BURST = 100;

export interface HostileOutcome {
  readonly sent: number;
  /** How often the agent gave up the connection and opened the port anew. */
  readonly reopened: number;
  /** Good messages answered, one after each opening. */
  readonly answered: number;
}

/** Throws when a good message is not answered after the port was opened anew, and names the seed. */
export async function outliveHostileHost(port: HostSocket, seed: number, messages: number): Promise<HostileOutcome> {
  const hostile = new HostileHost(seed);
  let sent = 0;
  let answered = 0;
  try {
    while (sent < messages) {
      const host = await port.opened();
      await host.connectViewer();
      answered += 1;
      let isOpen = true;
      void host.closed.then(() => {
        isOpen = false;
      });
      while (isOpen && sent < messages) {
        for (let burst = 0; burst < BURST; burst += 1) {
          const bytes = hostile.next();
          if (!hostile.keptFraming && hostile.random.below(FRAMING_BREAKERS_KEPT) !== 0) continue;
          host.raw(bytes);
          sent += 1;
        }
        await new Promise((resolve) => setImmediate(resolve));
      }
      host.close();
    }
    const last = await port.opened();
    await last.connectViewer();
    answered += 1;
    last.close();
  } catch (error) {
    throw new Error(`hostile host: seed ${seed}, ${sent} messages sent, the last one ${hostile.way}`, { cause: error });
  }
  return { sent, reopened: port.openings - 1, answered };
}
