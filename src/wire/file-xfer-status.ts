// FILE_XFER_STATUS, both ways: VDAgentFileXferStatusMessage in vd_agent.h with its two kinds of detail.
import { FileXferStatus as Status } from "./agent-constants.ts";
import { ByteReader, ByteWriter } from "./bytes.ts";
import type { Codec } from "./codec.ts";
import { struct, u8, u32 } from "./fields.ts";

export interface FileXferStatus {
  readonly id: number;
  /** One of FileXferStatus in agent-constants. */
  readonly result: number;
  /** With ERROR: a GIOErrorEnum number. Only for a peer that announced FILE_XFER_DETAILED_ERRORS. */
  readonly gioError?: number;
  /** With NOT_ENOUGH_SPACE: free bytes. Only for a peer that announced FILE_XFER_DETAILED_ERRORS. */
  readonly freeBytes?: bigint;
}

/** The only error_type: a code of GIOErrorEnum. */
const GLIB_IO = 0;
const statusFields = struct({ id: u32, result: u32 });
const errorDetail = struct({ errorType: u8, errorCode: u32 });

export const fileXferStatus: Codec<FileXferStatus> = {
  decode: (body) => {
    const reader = new ByteReader(body);
    const status = statusFields.read(reader);
    if (status.result === Status.NOT_ENOUGH_SPACE && reader.left >= 8) return { ...status, freeBytes: reader.u64() };
    if (status.result === Status.ERROR && reader.left >= errorDetail.size) {
      const { errorType, errorCode } = errorDetail.read(reader);
      if (errorType === GLIB_IO) return { ...status, gioError: errorCode };
    }
    return status;
  },
  encode: ({ id, result, gioError, freeBytes }) => {
    const detail = (gioError === undefined ? 0 : errorDetail.size) + (freeBytes === undefined ? 0 : 8);
    const writer = new ByteWriter(statusFields.size + detail);
    statusFields.write(writer, { id, result });
    if (gioError !== undefined) errorDetail.write(writer, { errorType: GLIB_IO, errorCode: gioError });
    if (freeBytes !== undefined) writer.u64(freeBytes);
    return writer.finish();
  },
};
