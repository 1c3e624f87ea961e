// The session's end of the link, joined to its half for as long as the connection lasts.
import type { Duplex } from "node:stream";
import { systemClock } from "../support/clock.ts";
import { LinkConnection } from "../support/link/link-connection.ts";
import type { Log } from "../support/log.ts";
import { VERSION } from "../version.ts";
import type { SessionHalf } from "./session-half.ts";

/** One connection to a daemon. */
export interface JoinedLink {
  /** Resolves when the connection is over: whether it ever got as far as words. */
  readonly over: Promise<{ readonly wasReady: boolean }>;
}

export function joinLink(duplex: Duplex, session: SessionHalf, log: Log): JoinedLink {
  let wasReady = false;
  const over = new Promise<{ wasReady: boolean }>((resolve) => {
    const link = new LinkConnection(
      duplex,
      { role: "session", version: VERSION, clock: systemClock, log: log.of("link") },
      {
        ready: () => {
          wasReady = true;
          session.attach(link);
        },
        message: (message) => session.daemonSaid(message),
        closed: () => {
          if (wasReady) session.detach();
          resolve({ wasReady });
        },
      },
    );
  });
  return { over };
}
