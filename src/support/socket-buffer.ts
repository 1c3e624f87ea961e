// Sockets that are read into one buffer, over and over: what is thrown away after each read would be collected late, and
// hundreds of megabytes go by. Their `data` is the listener's for that call only.
import { connect, type OnReadOpts, Socket, type SocketConstructorOpts } from "node:net";

/** More than the kernel holds of one unix socket at once. */
const BUFFER_BYTES = 256 * 1024;

/** To a unix socket. It does not flow before somebody listens. */
export function connectBuffered(path: string): Socket {
  const socket: Socket = connect({ path, onread: intoOneBuffer(() => socket) });
  return socket;
}

/**
 * The same connection, of which nothing has been read, in the place of an accepted one. Node has such a buffer only for what it
 * connects itself: the handle is moved to a socket that is made with one.
 */
export function buffered(accepted: Socket): Socket {
  const owner = accepted as unknown as { _handle: object | null };
  const handle = owner._handle;
  if (handle === null) return accepted;
  owner._handle = null;
  const options = { handle, pauseOnCreate: true, onread: intoOneBuffer(() => socket) };
  const socket: Socket = new Socket(options as SocketConstructorOpts);
  return socket;
}

function intoOneBuffer(socket: () => Socket): OnReadOpts {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  return {
    buffer,
    callback: (bytes) => {
      socket().emit("data", buffer.subarray(0, bytes));
      return true;
    },
  };
}
