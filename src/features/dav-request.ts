// Which requests may reach the viewer's folder. The guest's loopback is open to every web page in the guest's browser, so a
// request has to be meant for this machine by name (DNS rebinding), and not be sent by a page of somebody else.
import { type RequestHead, valuesOf } from "../wire/http-request.ts";

export type Judgement =
  /** `expectsContinue`: the client waits for leave to send its body. */
  | { readonly kind: "pass"; readonly expectsContinue: boolean }
  | { readonly kind: "refuse"; readonly status: 400 | 403 | 405; readonly why: string };

export function judgeRequest(head: RequestHead): Judgement {
  const hosts = valuesOf(head, "host");
  const [host = ""] = hosts;
  if (hosts.length > 1 || (host === "" && head.minorVersion === 1)) return refuse(400, "one Host header is expected");
  if (host !== "" && !isOwn(host)) return refuse(403, "Host is not this machine");
  if (head.method === "CONNECT" || head.method === "TRACE") return refuse(405, "not here");
  if (!head.target.startsWith("/") && head.target !== "*") {
    const authority = /^http:\/\/([^/?#]*)/i.exec(head.target)?.[1];
    if (authority === undefined || !isOwn(authority)) return refuse(403, "the address is not this machine's");
  }
  const origins = valuesOf(head, "origin");
  if (origins.some((origin) => origin.toLowerCase() !== `http://${host.toLowerCase()}`))
    return refuse(403, "Origin is somebody else's page");
  // A browser sends no Origin with what a page only embeds, but says where it is embedded.
  const [site = "none"] = valuesOf(head, "sec-fetch-site");
  const [mode = "navigate"] = valuesOf(head, "sec-fetch-mode");
  if (site !== "none" && site !== "same-origin" && mode !== "navigate")
    return refuse(403, "embedded in somebody else's page");
  const expectsContinue = valuesOf(head, "expect").some((value) => value.toLowerCase() === "100-continue");
  return { kind: "pass", expectsContinue: expectsContinue && head.minorVersion === 1 };
}

function isOwn(authority: string): boolean {
  const name = /^(\[[0-9a-f:.]+\]|[^:[\]@]+)(?::\d{1,5})?$/i.exec(authority)?.[1]?.toLowerCase().replace(/\.$/, "");
  if (name === undefined) return false;
  return isLoopbackName(name.replace(/^\[|\]$/g, ""));
}

/** `localhost`, or an address of the loopback interface, without brackets. */
export function isLoopbackName(name: string): boolean {
  return name === "localhost" || name === "::1" || /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(name);
}

function refuse(status: 400 | 403 | 405, why: string): Judgement {
  return { kind: "refuse", status, why };
}
