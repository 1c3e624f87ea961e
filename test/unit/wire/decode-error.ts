// What came of a call that may meet nonsense: its result, or the code of the DecodeError. Any other error goes on.
import { DecodeError, type DecodeErrorCode } from "../../../src/wire/bytes.ts";

export function codeOf(call: () => unknown): DecodeErrorCode | "read" {
  try {
    call();
    return "read";
  } catch (error) {
    if (error instanceof DecodeError) return error.code;
    throw error;
  }
}
