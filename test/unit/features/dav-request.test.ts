// Which requests pass to the viewer's folder: names of this machine only, and nobody else's web pages.
import { describe, expect, test } from "vitest";
import { judgeRequest } from "../../../src/features/dav-request.ts";
import type { RequestHead } from "../../../src/wire/http-request.ts";

const request = (headers: Readonly<Record<string, string>>, more: Partial<RequestHead> = {}): RequestHead => ({
  method: "PROPFIND",
  target: "/",
  minorVersion: 1,
  headers: Object.entries(headers),
  ...more,
});
const judged = (head: RequestHead): unknown => {
  const judgement = judgeRequest(head);
  return judgement.kind === "pass" ? "pass" : judgement.status;
};

describe("row 97, 99: who may ask", () => {
  test.each([
    ["localhost:9843", "pass"],
    ["LOCALHOST", "pass"],
    ["127.0.0.1:9843", "pass"],
    ["127.1.2.3", "pass"],
    ["[::1]:9843", "pass"],
    ["localhost.:9843", "pass"],
    ["guest.local:9843", 403],
    ["evil.example:9843", 403],
    ["127.0.0.1.evil.example", 403],
    ["localhost.evil.example", 403],
    ["evil.example@localhost", 403],
    ["192.168.1.1", 403],
    ["[::2]", 403],
    ["localhost:99999999", 403],
    ["", 400],
  ])("Host %s: %s", (host, expected) => {
    expect(judged(request({ host }))).toBe(expected);
  });

  test("no Host, and two of them", () => {
    expect(judged(request({}))).toBe(400);
    expect(judged(request({}, { minorVersion: 0 }))).toBe("pass");
    expect(
      judged({
        ...request({}),
        headers: [
          ["Host", "localhost"],
          ["host", "evil.example"],
        ],
      }),
    ).toBe(400);
  });

  test("an address in the request's first line has to be ours, too", () => {
    const head = request({ host: "localhost" });
    expect(judged({ ...head, target: "http://localhost:9843/a" })).toBe("pass");
    expect(judged({ ...head, target: "http://evil.example/a" })).toBe(403);
    expect(judged({ ...head, target: "*" })).toBe("pass");
    expect(judged({ ...head, target: "evil.example:80", method: "CONNECT" })).toBe(405);
  });

  test("a page of somebody else", () => {
    const host = "localhost:9843";
    expect(judged(request({ host, origin: "http://localhost:9843" }))).toBe("pass");
    for (const origin of ["http://evil.example", "null", "http://localhost:3000", "https://localhost:9843"])
      expect(judged(request({ host, origin }))).toBe(403);
    expect(judged(request({ host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" }))).toBe(403);
    expect(judged(request({ host, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }))).toBe("pass");
    expect(judged(request({ host, "sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors" }))).toBe("pass");
  });

  test("a client that waits for leave to send its body is noticed", () => {
    const head = request({ host: "localhost", expect: "100-Continue" });
    expect(judgeRequest(head)).toEqual({ kind: "pass", expectsContinue: true });
    expect(judgeRequest({ ...head, minorVersion: 0 })).toEqual({ kind: "pass", expectsContinue: false });
  });
});
