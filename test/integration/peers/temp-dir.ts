import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atExit } from "./at-exit.ts";

export interface TempDir extends Disposable {
  readonly path: string;
  /** The absolute path of an entry of this folder. */
  join(name: string): string;
}

/** A folder of its own for one peer, short enough for unix socket paths, removed on dispose and at process exit. */
export function makeTempDir(name: string): TempDir {
  const path = mkdtempSync(join(tmpdir(), `${name}-`));
  const remove = (): void => rmSync(path, { recursive: true, force: true });
  const cancel = atExit(remove);
  return {
    path,
    join: (entry) => join(path, entry),
    [Symbol.dispose]() {
      cancel();
      remove();
    },
  };
}
