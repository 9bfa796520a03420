// The memory that a cache needs in each thread beside the items, see StoreOptions.ioBytes. It has a file of its own, as a server
// makes room for a cache from the start, and loads the rest of this folder only if the program asks for `server.cache`.
export const enum Room {
  /** The bytes for a key. */
  KeyBytes = 256,
  /** The bytes behind them, for a value that is not too large to be copied twice. */
  ValueBytes = 16 * 1024,
  /** The bytes of the largest value that is copied for a callback to read. */
  AsideBytes = 2 * 1024,
  /** The most callbacks, one within the other, that get such a copy. */
  Asides = 4,
  /** All bytes. */
  Bytes = KeyBytes + ValueBytes + Asides * AsideBytes,
}
