// One request, made of numbers and of ranges of bytes. A session has one and fills it anew for each command; the store
// reads it and leaves a number there when it answers one.
import { Uint64 } from '../memory/numbers.js'

/** How a value is stored: memcached's set, add, replace, append, prepend, cas. */
export const enum Mode { Set, Add, Replace, Append, Prepend, Cas }

export class Request {
  /** The bytes that hold the key, half-open `[keyStart, keyEnd)`. */
  bytes: Uint8Array
  keyStart = 0
  keyEnd = 0
  hash = 0

  mode: Mode = Mode.Set
  /** The client's flags, 32 bits without sign. */
  flags = 0
  /** When the item ends, in seconds of the store's own time; 0 means never. */
  expiresAt = 0
  valueBytes = 0
  /** The cas number to compare with. */
  readonly cas = new Uint64()
  /** incr and decr: what to add, and then the result. */
  readonly number = new Uint64()
  isDecrement = false

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }
}
