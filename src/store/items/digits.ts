// Reads and writes the values of incr and decr: decimal digits. A number that has become shorter is followed by spaces, as
// protocol.txt says of decr.
import { Ascii } from '../../memory/ascii.js'
import { parseUint64, type Uint64 } from '../../memory/numbers.js'
import { type ItemId, type Items } from './items.js'

/**
 * Reads the value of an item that is not large, as C's strtoull does: white space, a plus sign, digits, and then white space, a
 * NUL or the end. Returns false if it is not a 64-bit number.
 */
export function readNumber(items: Items, item: ItemId, into: Uint64): boolean {
  const { bytes } = items
  let start = items.valueStart(item)
  const end = start + items.valueBytes(item)
  while (start < end && isSpace(bytes[start]!)) start++
  if (start < end && bytes[start] === Ascii.Plus) start++
  let stop = start
  while (stop < end && bytes[stop]! >= Ascii.Zero && bytes[stop]! <= Ascii.Nine) stop++
  if (stop < end && bytes[stop] !== Ascii.Nul && !isSpace(bytes[stop]!)) return false
  return parseUint64(bytes, start, stop, into)
}

/** Writes the first `length` digits into the value of an item that has room for them, and fills its rest with spaces. */
export function writeDigits(items: Items, item: ItemId, digits: Uint8Array, length: number): void {
  const { bytes } = items
  const start = items.valueStart(item)
  const end = start + items.valueBytes(item)
  for (let i = 0; i < length; i++) bytes[start + i] = digits[i]!
  if (start + length < end) bytes.fill(Ascii.Space, start + length, end)
}

function isSpace(byte: number): boolean {
  return byte === Ascii.Space || (byte >= Ascii.Tab && byte <= Ascii.CarriageReturn)
}
