// The master's side of a pty as a stream, so that a fake host can sit there.
import { Duplex } from "node:stream";
import type { IPty } from "node-pty";

export function ptyDuplex(master: IPty): Duplex {
  const duplex = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      master.write(bytes);
      done();
    },
  });
  master.onData((bytes) => duplex.push(bytes));
  return duplex;
}
