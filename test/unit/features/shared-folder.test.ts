// When the viewer's folder is served and mounted: asked first, one change at a time, and taken away in the right order.
import { describe, expect, test } from "vitest";
import {
  noSharedFolder,
  type SharedFolderEffect,
  type SharedFolderInput,
  type SharedFolderState,
  sharedFolderStep,
} from "../../../src/features/shared-folder.ts";

const UID = 1000;

class Rules {
  state: SharedFolderState = noSharedFolder;
  readonly #mount: boolean;

  constructor(mount = true) {
    this.#mount = mount;
  }

  input(...inputs: readonly SharedFolderInput[]): SharedFolderEffect[] {
    return inputs.flatMap((input) => {
      const [state, effects] = sharedFolderStep(this.state, input, { mount: this.#mount });
      this.state = state;
      return effects;
    });
  }

  /** A viewer that shares, for a user who is there, up to the mount. */
  mounted(readOnly = false): this {
    this.input(
      { kind: "user-changed", user: UID },
      { kind: "host-came" },
      { kind: "viewer-answered", epoch: this.state.epoch + 1, readOnly },
    );
    const { epoch } = this.state;
    this.input({ kind: "listening-began", epoch }, made(readOnly));
    return this;
  }
}

const made = (readOnly = false): SharedFolderInput => ({
  kind: "mount-made",
  mount: { uid: UID, readOnly },
  path: "/home/guest/Shared",
  driver: "davfs2",
});

describe("row 97: served only while a viewer shares", () => {
  test("asked, then listening, then mounted for the user on the screen", () => {
    const rules = new Rules();
    expect(rules.input({ kind: "user-changed", user: UID })).toEqual([]);
    expect(rules.input({ kind: "host-came" })).toEqual([{ kind: "ask-viewer", epoch: 1 }]);
    expect(rules.input({ kind: "viewer-answered", epoch: 1, readOnly: true })).toEqual([{ kind: "listen", epoch: 1 }]);
    expect(rules.input({ kind: "listening-began", epoch: 1 })).toEqual([
      { kind: "mount", mount: { uid: UID, readOnly: true } },
    ]);
    expect(rules.input(made(true))).toEqual([]);
  });

  test("row 96: the viewer leaves: silence first, then the mount; the next viewer is a new one", () => {
    const rules = new Rules().mounted();
    expect(rules.input({ kind: "host-left" })).toEqual([
      { kind: "fall-silent" },
      { kind: "unmount", mount: { uid: UID, readOnly: false } },
    ]);
    // It comes back before the mount is gone.
    expect(rules.input({ kind: "host-came" })).toEqual([{ kind: "ask-viewer", epoch: 2 }]);
    expect(rules.input({ kind: "viewer-answered", epoch: 1, readOnly: true })).toEqual([]);
    expect(rules.input({ kind: "viewer-answered", epoch: 2, readOnly: false })).toEqual([{ kind: "listen", epoch: 2 }]);
    expect(rules.input({ kind: "listening-began", epoch: 2 })).toEqual([]);
    expect(rules.input({ kind: "mount-gone" })).toEqual([{ kind: "mount", mount: { uid: UID, readOnly: false } }]);
  });

  test("it leaves while it is being asked, and while the mount is on its way", () => {
    const rules = new Rules();
    rules.input({ kind: "user-changed", user: UID }, { kind: "host-came" }, { kind: "host-left" });
    expect(rules.input({ kind: "viewer-answered", epoch: 1, readOnly: false })).toEqual([]);
    expect(rules.input({ kind: "retry-due", epoch: 1 })).toEqual([]);
    rules.input({ kind: "host-came" }, { kind: "viewer-answered", epoch: 2, readOnly: false });
    rules.input({ kind: "listening-began", epoch: 2 });
    expect(rules.input({ kind: "host-left" })).toEqual([{ kind: "fall-silent" }]);
    expect(rules.input(made())).toEqual([{ kind: "unmount", mount: { uid: UID, readOnly: false } }]);
  });

  test("a viewer that does not answer is asked again, and says why meanwhile", () => {
    const rules = new Rules();
    rules.input({ kind: "host-came" });
    const silent = { kind: "viewer-silent", epoch: 1, fault: "no answer" } as const;
    expect(rules.input(silent)).toEqual([{ kind: "retry-later", epoch: 1, failures: 0 }]);
    expect(rules.state.fault).toBe("no answer");
    expect(rules.input({ kind: "retry-due", epoch: 1 })).toEqual([{ kind: "ask-viewer", epoch: 1 }]);
    rules.input({ kind: "viewer-answered", epoch: 1, readOnly: false });
    const failed = { kind: "listening-failed", epoch: 1, fault: "in use" } as const;
    expect(rules.input(failed)).toEqual([{ kind: "retry-later", epoch: 1, failures: 0 }]);
    expect(rules.input({ kind: "retry-due", epoch: 1 })).toEqual([{ kind: "listen", epoch: 1 }]);
  });

  test("another user, nobody, the viewer's mind: mounted is what is so now", () => {
    const rules = new Rules().mounted();
    expect(rules.input({ kind: "user-changed", user: 1001 })).toEqual([
      { kind: "unmount", mount: { uid: UID, readOnly: false } },
    ]);
    expect(rules.input({ kind: "mount-gone" })).toEqual([{ kind: "mount", mount: { uid: 1001, readOnly: false } }]);
    rules.input({ kind: "user-changed", user: UID });
    expect(rules.input({ ...made(), mount: { uid: 1001, readOnly: false } } as SharedFolderInput)).toEqual([
      { kind: "unmount", mount: { uid: 1001, readOnly: false } },
    ]);
    rules.input({ kind: "mount-gone" }, made());
    expect(rules.input({ kind: "doubt-arose" })).toEqual([{ kind: "ask-viewer", epoch: 1 }]);
    expect(rules.input({ kind: "viewer-answered", epoch: 1, readOnly: true })).toEqual([
      { kind: "unmount", mount: { uid: UID, readOnly: false } },
    ]);
    expect(rules.input({ kind: "user-changed", user: undefined })).toEqual([]);
    expect(rules.input({ kind: "mount-gone" })).toEqual([]);
  });

  test("a mount that fails is tried again later, and at once for another user", () => {
    const rules = new Rules().mounted();
    rules.input({ kind: "user-changed", user: 1001 }, { kind: "mount-gone" });
    const failed = { kind: "mount-failed", mount: { uid: 1001, readOnly: false }, fault: "no" } as const;
    expect(rules.input(failed)).toEqual([{ kind: "retry-later", epoch: 1, failures: 0 }]);
    expect(rules.input({ kind: "user-changed", user: 1001 })).toEqual([]);
    expect(rules.input({ kind: "retry-due", epoch: 1 })).toEqual([
      { kind: "mount", mount: { uid: 1001, readOnly: false } },
    ]);
    rules.input(failed);
    expect(rules.input({ kind: "user-changed", user: UID })).toEqual([
      { kind: "mount", mount: { uid: UID, readOnly: false } },
    ]);
  });

  test("a mount that fails every time is tried less and less often, until the viewer or the user is another", () => {
    const rules = new Rules().mounted();
    rules.input({ kind: "user-changed", user: 1001 }, { kind: "mount-gone" });
    const failed = { kind: "mount-failed", mount: { uid: 1001, readOnly: false }, fault: "not empty" } as const;
    const again = (epoch: number): number[] =>
      [...rules.input(failed), ...rules.input({ kind: "retry-due", epoch })].flatMap((effect) =>
        effect.kind === "retry-later" ? [effect.failures] : [],
      );
    expect([...again(1), ...again(1), ...again(1)]).toEqual([0, 1, 2]);
    rules.input(failed, { kind: "user-changed", user: UID });
    expect(rules.input({ ...failed, mount: { uid: UID, readOnly: false } })).toContainEqual({
      kind: "retry-later",
      epoch: 1,
      failures: 0,
    });
    rules.input({ kind: "user-changed", user: 1001 });
    expect(again(1)).toEqual([0]);
    rules.input(
      { kind: "host-left" },
      failed,
      { kind: "host-came" },
      { kind: "viewer-answered", epoch: 2, readOnly: false },
    );
    rules.input({ kind: "listening-began", epoch: 2 });
    expect(again(2)).toEqual([0]);
    // What has come about once may be lost by chance.
    rules.input({ ...made(), mount: { uid: 1001, readOnly: false } } as SharedFolderInput);
    expect(rules.state.mountFailures).toBe(0);
  });

  test("a viewer that freezes is refused at once, and what is mounted waits for it", () => {
    const rules = new Rules().mounted();
    expect(rules.input({ kind: "viewer-froze" })).toEqual([{ kind: "fall-quiet" }]);
    expect(rules.input({ kind: "viewer-froze" }, { kind: "retry-due", epoch: 1 })).toEqual([]);
    expect(rules.input({ kind: "viewer-spoke" })).toEqual([{ kind: "listen", epoch: 1 }]);
    expect(rules.input({ kind: "listening-began", epoch: 1 })).toEqual([]);
    rules.input({ kind: "viewer-froze" });
    expect(rules.input({ kind: "host-left" })).toEqual([
      { kind: "fall-silent" },
      { kind: "unmount", mount: { uid: UID, readOnly: false } },
    ]);
    expect(rules.input({ kind: "viewer-spoke" })).toEqual([]);
  });

  test("what is not unmounted counts as there, and is tried again although no viewer is", () => {
    const rules = new Rules().mounted();
    rules.input({ kind: "host-left" });
    const failed = { kind: "unmount-failed", mount: { uid: UID, readOnly: false }, fault: "busy" } as const;
    const unmount = { kind: "unmount", mount: { uid: UID, readOnly: false } };
    expect(rules.input(failed)).toEqual([{ kind: "retry-later", epoch: 1, failures: 0 }]);
    expect(rules.state.mount).toMatchObject({ kind: "stuck", fault: "busy" });
    expect(rules.input({ kind: "retry-due", epoch: 1 })).toEqual([unmount]);
    expect(rules.input(failed)).toEqual([{ kind: "retry-later", epoch: 1, failures: 1 }]);
    // Whoever comes does not wait for the next try, and is given nothing new before it.
    expect(rules.input({ kind: "host-came" })).toEqual([unmount, { kind: "ask-viewer", epoch: 2 }]);
    rules.input({ kind: "viewer-answered", epoch: 2, readOnly: false });
    expect(rules.input({ kind: "listening-began", epoch: 2 }, failed)).toEqual([
      { kind: "retry-later", epoch: 2, failures: 0 },
    ]);
    expect(rules.input({ kind: "user-changed", user: 1001 })).toEqual([unmount]);
    expect(rules.input({ kind: "mount-gone" })).toEqual([{ kind: "mount", mount: { uid: 1001, readOnly: false } }]);
  });

  test("without mounting it is only served", () => {
    const rules = new Rules(false).mounted();
    expect(rules.input({ kind: "user-changed", user: UID })).toEqual([]);
    expect(rules.state.isListening).toBe(true);
  });
});
