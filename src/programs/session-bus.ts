// The user's message bus, whose code is loaded only where it is wanted.
import type { MessageBus } from "../support/bus/message-bus.ts";
import type { Clock } from "../support/clock.ts";
import { BackendError, describeError } from "../support/errors.ts";
import type { Log } from "../support/log.ts";

/** Undefined where there is none. The caller disposes it. */
export async function openSessionBus(clock: Clock, log: Log): Promise<MessageBus | undefined> {
  const [{ MessageBus }, { sessionBusAddress }] = await Promise.all([
    import("../support/bus/message-bus.ts"),
    import("../support/bus/bus-address.ts"),
  ]);
  try {
    return new MessageBus({ address: sessionBusAddress(), clock, log });
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    log.debug(describeError(error));
    return undefined;
  }
}
