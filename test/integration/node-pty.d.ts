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
    /** The other end is closed, as a terminal's window is. */
    destroy(): void;
  }

  interface SpawnOptions {
    readonly encoding: null;
    /** Default: this process's own. */
    readonly env?: NodeJS.ProcessEnv;
  }

  export function spawn(file: string, args: readonly string[], options: SpawnOptions): IPty;
}
