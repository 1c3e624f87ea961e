// What travels over a message bus, as plain JavaScript, and the checks for what others put there.
import { BackendError } from "../errors.ts";

/**
 * What is received: 64-bit integers are bigint, `ay` is a Uint8Array, structs are arrays, dictionaries are objects
 * without a prototype, variants are what is in them.
 */
export type BusValue =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly BusValue[]
  | { readonly [key: string]: BusValue };

/** A value that is sent with its type, where the signature says `v`. */
export class BusVariant {
  readonly signature: string;
  readonly value: BusArgument;

  constructor(signature: string, value: BusArgument) {
    this.signature = signature;
    this.value = value;
  }
}

/** What is sent: as BusValue, and variants are named. */
export type BusArgument =
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | BusVariant
  | readonly BusArgument[]
  | { readonly [key: string]: BusArgument };

/** The text at `what`, which is only for the error. The checks throw a BackendError `bus.bad-answer`. */
export function asText(value: BusValue | undefined, what: string): string {
  if (typeof value !== "string") throw badAnswer(what, "text", value);
  return value;
}

export function asFlag(value: BusValue | undefined, what: string): boolean {
  if (typeof value !== "boolean") throw badAnswer(what, "a boolean", value);
  return value;
}

/** A number of `y`, `q` or `u`: 0 to 2^32 - 1. */
export function asCount(value: BusValue | undefined, what: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0) throw badAnswer(what, "a count", value);
  return value;
}

/** An array or a struct. */
export function asList(value: BusValue | undefined, what: string): readonly BusValue[] {
  if (!isList(value)) throw badAnswer(what, "a list", value);
  return value;
}

export function asDictionary(value: BusValue | undefined, what: string): Readonly<Record<string, BusValue>> {
  if (typeof value !== "object" || isList(value) || value instanceof Uint8Array) {
    throw badAnswer(what, "a dictionary", value);
  }
  return value;
}

/** An object path, by its rules: what others call one may be sent back to them. */
export function asPath(value: BusValue | undefined, what: string): string {
  if (typeof value !== "string" || !/^\/$|^(?:\/[A-Za-z0-9_]+)+$/.test(value)) {
    throw badAnswer(what, "an object path", value);
  }
  return value;
}

/** Array.isArray, which does not know readonly arrays. */
function isList(value: BusValue | undefined): value is readonly BusValue[] {
  return Array.isArray(value);
}

function badAnswer(what: string, wanted: string, value: BusValue | undefined): BackendError {
  return new BackendError("bus.bad-answer", `${what} is not ${wanted} but ${kindOf(value)}`);
}

function kindOf(value: BusValue | undefined): string {
  if (value === undefined) return "nothing";
  return isList(value) ? "a list" : typeof value;
}
