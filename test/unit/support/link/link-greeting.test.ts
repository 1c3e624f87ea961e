// The first words on a link: who settles how it is spoken, when, and that nothing that was said meanwhile is lost.
import { describe, expect, it, test } from "vitest";
import type { LinkMessage } from "../../../../src/wire/link/messages.ts";
import { connectedPair, End, encoded, KIB, numbered, RawEnd, settled, slicedPair, until } from "./link-end.ts";

const geometry: LinkMessage = { kind: "desktop-geometry", geometry: { width: 1280, height: 1024, displays: [] } };
const monitors: LinkMessage = { kind: "monitors-config", config: { monitors: [], usePosition: true } };
const version: LinkMessage = { kind: "version", version: "0.22.1" };
const hello = (extension: number): LinkMessage => ({ kind: "hello", extension, version: "9.9" });

function endAndRaw(role: "daemon" | "session"): { end: End; raw: RawEnd } {
  const [left, right] = connectedPair();
  return { end: new End(left, role, "1.2.3"), raw: new RawEnd(right) };
}

describe("row 83: both of ours", () => {
  test.each([1, 7, 16, 1000])("find each other, whatever pieces it comes in (%d bytes)", async (bytes) => {
    const [left, right] = slicedPair(bytes);
    const daemon = new End(left, "daemon", "1.0");
    const session = new End(right, "session", "1.1");
    daemon.onReady = () => daemon.link.send(monitors as never);
    session.onReady = () => session.link.send(geometry as never);
    await until(() => daemon.messages.length === 1 && session.messages.length === 1);
    expect([daemon.link.dialect, session.link.dialect]).toEqual(["extended", "extended"]);
    expect([daemon.link.peerVersion, session.link.peerVersion]).toEqual(["1.1", "1.0"]);
    expect(daemon.calls).toEqual(["ready", "desktop-geometry"]);
    expect(session.calls).toEqual(["ready", "monitors-config"]);
    expect([...daemon.logged.lines, ...session.logged.lines]).toEqual([]);
    expect(session.clock.waiting).toBe(0);
    await daemon.link[Symbol.asyncDispose]();
  });

  it("do not need a second: no timer decides", async () => {
    const [left, right] = connectedPair();
    const daemon = new End(left, "daemon");
    const session = new End(right, "session");
    await until(() => daemon.isReady && session.isReady);
    session.clock.advance(10_000);
    daemon.clock.advance(10_000);
    await settled();
    expect([daemon.link.dialect, session.link.dialect]).toEqual(["extended", "extended"]);
    expect([daemon.calls, session.calls]).toEqual([["ready"], ["ready"]]);
  });
});

describe("our daemon", () => {
  it("row 83: says its version at once, and nothing more before it was spoken to", async () => {
    const { end, raw } = endAndRaw("daemon");
    await settled();
    end.clock.advance(60_000);
    await settled();
    expect(raw.heard).toEqual([{ kind: "version", version: "1.2.3" }]);
    expect([end.link.dialect, end.calls]).toEqual([undefined, []]);
  });

  it("row 82: speaks plainly with upstream's session, whose first message is heard", async () => {
    const { end, raw } = endAndRaw("daemon");
    raw.send(geometry);
    await until(() => end.messages.length === 1);
    expect(end.calls).toEqual(["ready", "desktop-geometry"]);
    expect(end.messages).toEqual([geometry]);
    expect([end.link.dialect, end.link.peerVersion]).toEqual(["plain", undefined]);
    await settled();
    expect(raw.heard.map(({ kind }) => kind)).toEqual(["version"]);
  });

  it("speaks plainly with a session that begins with content, which nobody asked for", async () => {
    const { end, raw } = endAndRaw("daemon");
    raw.content(0, 1, numbered(200 * KIB));
    raw.send(geometry);
    await until(() => end.messages.length === 1);
    expect([end.link.dialect, end.calls]).toEqual(["plain", ["ready", "desktop-geometry"]]);
    expect(end.logged.lines).toEqual(["warn: message ignored: bad-value: content of type 1 that nobody asked for"]);
  });

  it("goes by the first words: a hello afterwards changes nothing and is not answered", async () => {
    const { end, raw } = endAndRaw("daemon");
    raw.send(geometry, hello(1), { kind: "clipboard-release", selection: 0 });
    await until(() => end.messages.length === 2);
    expect(end.link.dialect).toBe("plain");
    expect(raw.heard.map(({ kind }) => kind)).toEqual(["version"]);
    expect(end.calls).toEqual(["ready", "desktop-geometry", "clipboard-release"]);
  });

  it("is greeted once: a second hello is ignored", async () => {
    const { end, raw } = endAndRaw("daemon");
    raw.send(hello(1), hello(2), hello(1), geometry);
    await until(() => end.messages.length === 1);
    expect([end.link.dialect, end.calls]).toEqual(["extended", ["ready", "desktop-geometry"]]);
    expect(raw.heard.map(({ kind }) => kind)).toEqual(["version", "hello"]);
  });

  it("waits through nonsense for words it understands", async () => {
    const { end, raw } = endAndRaw("daemon");
    raw.frame({ type: 77, arg1: 0, arg2: 0, data: numbered(100) });
    raw.frame({ type: 0, arg1: 0, arg2: 0, data: numbered(19) });
    await until(() => end.logged.lines.length === 2);
    expect(end.calls).toEqual([]);
    raw.send(hello(1));
    await until(() => end.isReady);
    expect(end.link.dialect).toBe("extended");
  });
});

describe("our session", () => {
  it("says hello at once, in a frame that upstream's daemon does not know and therefore ignores", async () => {
    const { raw } = endAndRaw("session");
    await settled();
    expect(raw.heard).toEqual([{ kind: "hello", extension: 1, version: "1.2.3" }]);
    expect(encoded(hello(1)).subarray(0, 4)).toEqual(Uint8Array.of(0x20, 0x10, 0, 0));
  });

  it("row 83: speaks plainly with upstream's daemon, which says its version and nothing more for a second", async () => {
    const { end, raw } = endAndRaw("session");
    end.clock.advance(5000);
    raw.send(version);
    await settled();
    end.clock.advance(999);
    await settled();
    expect([end.link.dialect, end.calls, end.link.peerVersion]).toEqual([undefined, [], "0.22.1"]);
    end.clock.advance(1);
    expect([end.link.dialect, end.calls]).toEqual(["plain", ["ready"]]);
  });

  it("counts the second from the first version, whatever is said again", async () => {
    const { end, raw } = endAndRaw("session");
    raw.send(version);
    await settled();
    end.clock.advance(600);
    raw.send(version);
    await settled();
    end.clock.advance(400);
    expect([end.link.dialect, end.calls]).toEqual(["plain", ["ready"]]);
    expect(end.clock.waiting).toBe(0);
  });

  it("speaks plainly at once with a daemon that says something else after its version, and hears that", async () => {
    const { end, raw } = endAndRaw("session");
    raw.send(version, monitors);
    await until(() => end.messages.length === 1);
    expect(end.calls).toEqual(["ready", "monitors-config"]);
    expect(end.messages).toEqual([monitors]);
    expect([end.link.dialect, end.clock.waiting]).toEqual(["plain", 0]);
  });

  it("does not speak to a daemon that says nothing at all", async () => {
    const { end, raw } = endAndRaw("session");
    await settled();
    end.clock.advance(3_600_000);
    await settled();
    expect([end.link.dialect, end.calls]).toEqual([undefined, []]);
    expect(raw.heard).toHaveLength(1);
  });

  it("and a daemon that is slower than a second do not end up speaking past each other", async () => {
    const { end, raw } = endAndRaw("session");
    raw.send(version);
    await settled();
    end.clock.advance(1000);
    expect(end.link.dialect).toBe("plain");
    // Its answer to our hello: from here on it speaks the extension, and takes us to do so.
    raw.send(hello(1));
    await settled();
    expect(end.closed === 1 || end.link.dialect === "extended").toBe(true);
  });
});

describe.each(["daemon", "session"] as const)("a %s", (role) => {
  it.each([0, 2, 0xffffffff])("speaks plainly with one of another extension (%d), and says so", async (extension) => {
    const { end, raw } = endAndRaw(role);
    if (role === "session") raw.send(version);
    raw.send(hello(extension), role === "daemon" ? geometry : monitors);
    await until(() => end.messages.length === 1);
    expect([end.link.dialect, end.link.peerVersion]).toEqual(["plain", "9.9"]);
    expect(end.calls).toHaveLength(2);
    expect(end.logged.lines).toEqual([`warn: 9.9 speaks extension ${extension}: not ours`]);
    expect(end.clock.waiting).toBe(0);
    // The other side learns which one is ours.
    expect(raw.heard.filter(({ kind }) => kind === "hello")).toEqual([
      { kind: "hello", extension: 1, version: "1.2.3" },
    ]);
  });

  it("that is closed amid the greeting is never ready, and waits for nothing", async () => {
    const { end, raw } = endAndRaw(role);
    if (role === "session") raw.send(version);
    raw.raw(encoded(hello(1)).subarray(0, 15));
    await settled();
    raw.duplex.destroy();
    await until(() => end.closed > 0);
    end.clock.advance(10_000);
    await settled();
    expect([end.calls, end.clock.waiting]).toEqual([["closed"], 0]);
  });

  it("may be closed from within the news that it is ready", async () => {
    const { end, raw } = endAndRaw(role);
    end.onReady = () => void end.link[Symbol.asyncDispose]();
    raw.send(hello(1), { kind: "clipboard-release", selection: 0 });
    await until(() => raw.isClosed);
    expect(end.calls).toEqual(["ready", "closed"]);
  });
});
