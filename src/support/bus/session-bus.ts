// The user's message bus, whose code is loaded only where it is wanted.
import type { Clock } from "../clock.ts";
import { BackendError, describeError } from "../errors.ts";
import type { Log } from "../log.ts";
import type { MessageBus } from "./message-bus.ts";

/** Undefined where `env` names none. The caller disposes it. */
export async function openSessionBus(
  clock: Clock,
  log: Log,
  env: NodeJS.ProcessEnv = process.env,
): Promise<MessageBus | undefined> {
  const [{ MessageBus }, { sessionBusAddress }] = await Promise.all([
    import("./message-bus.ts"),
    import("./bus-address.ts"),
  ]);
  try {
    return new MessageBus({ address: sessionBusAddress(env), clock, log });
  } catch (error) {
    if (!(error instanceof BackendError)) throw error;
    log.debug(describeError(error));
    return undefined;
  }
}
