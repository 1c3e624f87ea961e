// Whether an X server stands behind a display's name, without logging in to it.
import { connect } from "node:net";

export const X_SOCKETS = "/tmp/.X11-unix";

/** For a local server to take a connection. */
const ANSWER_MS = 1000;

/** A display of another machine is taken to answer: only trying it will tell. */
export function answers(display: string): Promise<boolean> {
  const number = /^(?:unix)?:(\d+)(?:\.\d+)?$/.exec(display)?.[1];
  if (number === undefined) return Promise.resolve(true);
  return new Promise((resolve) => {
    const socket = connect({ path: `${X_SOCKETS}/X${number}` });
    const done = (isThere: boolean): void => {
      socket.destroy();
      resolve(isThere);
    };
    socket.setTimeout(ANSWER_MS, () => done(false));
    socket.on("connect", () => done(true));
    socket.on("error", () => done(false));
  });
}
