// A policy that lets pass what a test is about.
import type { ClipboardPolicy } from "../../src/features/clipboard-policy.ts";
import { ClipboardSelection, ClipboardType } from "../../src/wire/agent-constants.ts";

/** CLIPBOARD and PRIMARY, text, both ways, up to 512 MiB, but for what is given. */
export function openPolicy(but: Partial<ClipboardPolicy> = {}): ClipboardPolicy {
  return {
    selections: [ClipboardSelection.CLIPBOARD, ClipboardSelection.PRIMARY],
    types: [ClipboardType.UTF8_TEXT],
    toGuest: true,
    toHost: true,
    maxToGuestBytes: 512 * 1024 * 1024,
    maxToHostBytes: 512 * 1024 * 1024,
    ...but,
  };
}
