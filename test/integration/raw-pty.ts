// A character device to stand in for a port: a pty in raw mode, held by a shell that does nothing.
import { Duplex } from "node:stream";
import { type IPty, spawn } from "node-pty";

export interface RawPty extends AsyncDisposable {
  /** The device. */
  readonly path: string;
  /** The other end. Writing blocks while the line is full: give it no more than a few KiB unread. */
  readonly master: IPty;
  /** The other end as a stream, so that a fake host can sit there. */
  readonly duplex: Duplex;
}

/** The library's own `open()` would read the device itself. */
export async function rawPty(): Promise<RawPty> {
  const master = spawn("sh", ["-c", "stty raw -echo; printf R; exec sleep 1000"], { encoding: null });
  await new Promise<void>((resolve) => {
    const ready = master.onData(() => {
      ready.dispose();
      resolve();
    });
  });
  const duplex = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      master.write(bytes);
      done();
    },
  });
  master.onData((bytes) => duplex.push(bytes));
  return {
    path: master.ptsName,
    master,
    duplex,
    [Symbol.asyncDispose]: async () => {
      const ended = new Promise<void>((resolve) => master.onExit(() => resolve()));
      master.kill("SIGKILL");
      await ended;
    },
  };
}
