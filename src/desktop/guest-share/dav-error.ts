// What a request is refused with: a status of HTTP and, where WebDAV has one, the condition that was not met.
import { errnoOf } from "../../support/native/libc.ts";

export class DavError extends Error {
  override readonly name = "DavError";
  readonly status: number;
  /** Local name of a DAV: element, RFC 4918 section 16, with what stands in it. */
  readonly condition: string | undefined;

  constructor(status: number, detail: string, condition?: string) {
    super(detail);
    this.status = status;
    this.condition = condition;
  }
}

export function taken(): DavError {
  return new DavError(412, "something is there already");
}

/** What the file system said, as a status. Anything else is thrown as it is. */
export function asDavError(error: unknown): DavError {
  if (error instanceof DavError) return error;
  switch (errnoOf(error)) {
    case "ENOENT":
    case "ENOTDIR":
      return new DavError(404, "there is no such thing");
    case "EACCES":
    case "EPERM":
    case "EROFS":
    case "ELOOP":
    case "ENXIO":
    case "EBUSY":
    case "EOPNOTSUPP":
    // A folder that is moved into itself by way of a link, or a name that the file system cannot have.
    case "EINVAL":
      return new DavError(403, "the file system does not allow it");
    case "EEXIST":
    case "ENOTEMPTY":
    case "EISDIR":
      return new DavError(409, "something else is there");
    case "ENAMETOOLONG":
      return new DavError(414, "the name is too long");
    case "ENOSPC":
    case "EDQUOT":
    case "EFBIG":
      return new DavError(507, "there is no room for it");
    case "EMFILE":
    case "ENFILE":
      return new DavError(503, "too much is open");
    default:
      throw error;
  }
}
