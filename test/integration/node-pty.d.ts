// The prebuilt package's types name themselves after another package; this is the part that is used, in bytes.
declare module "node-pty" {
  export interface IPty {
    readonly pid: number;
    /** Path of the terminal the child has. */
    readonly ptsName: string;
    readonly onData: (listener: (bytes: Buffer) => void) => { dispose(): void };
    readonly onExit: (listener: () => void) => { dispose(): void };
    write(bytes: Buffer): void;
    /** Reads no more: what is written at the other end stays in the line. */
    pause(): void;
    kill(signal?: string): void;
  }

  export function spawn(file: string, args: readonly string[], options: { readonly encoding: null }): IPty;
}
