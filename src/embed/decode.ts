// Keys as programs get them, from the bytes in the store.
import { type CacheKey } from './interface.js'

/** A string if its bytes are UTF-8, and else the bytes. */
export function keyOf(bytes: Buffer): CacheKey {
  const text = bytes.toString()
  return Buffer.from(text).equals(bytes) ? text : bytes
}
