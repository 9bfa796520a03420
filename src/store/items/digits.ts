// Reads and writes the values of incr and decr: decimal digits. A number that has become shorter is followed by spaces, as
// protocol.txt says of decr.
import { Ascii } from '../../memory/ascii.js'
import { parseUint64, type Digits, type Uint64 } from '../../memory/numbers.js'
import { type Request } from '../request.js'
import { type ItemId, type Items } from './items.js'

/** The largest number that is added to digits in their place. */
const AMOUNT_MAX = 1e9
/** The most digits that are changed in their place: whatever they are, the number has at most 64 bits. */
const PLACES_MAX = 19

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

/** Writes digits into the value of an item that has room, and fills its rest with spaces, as protocol.txt says of decr. */
export function writeDigits(items: Items, item: ItemId, digits: Digits): void {
  const { bytes } = items
  const start = items.valueStart(item)
  const stop = start + digits.count
  const end = start + items.valueBytes(item)
  for (let i = 0; i < digits.count; i++) bytes[start + i] = digits.bytes[i]!
  if (stop < end) bytes.fill(Ascii.Space, stop, end)
}

/**
 * Adds to the digits of an item in their place, or subtracts from them, and copies them to the request. Returns false, with
 * nothing changed, if the result does not have as many digits, or if this takes more than a loop over a few digits.
 */
export function changeDigits(items: Items, item: ItemId, { digits, isDecrement, number }: Request): boolean {
  const { bytes } = items
  const start = items.valueStart(item)
  let end = start + items.valueBytes(item)
  while (end > start && bytes[end - 1] === Ascii.Space) end--
  if (number.high !== 0 || number.low > AMOUNT_MAX || !arePlain(bytes, start, end)) return false
  const amount = isDecrement ? 0 - number.low : number.low
  if (addTo(bytes, start, end, amount) !== 0 || (bytes[start] === Ascii.Zero && end - start > 1)) {
    addTo(bytes, start, end, 0 - amount)
    return false
  }
  digits.copyFrom(bytes, start, end)
  return true
}

/** True if all bytes are digits, not too many, and the first is not a 0 before others. */
function arePlain(bytes: Uint8Array, start: number, end: number): boolean {
  if (start === end || end - start > PLACES_MAX || (bytes[start] === Ascii.Zero && end - start > 1)) return false
  for (let at = start; at < end; at++) if (bytes[at]! < Ascii.Zero || bytes[at]! > Ascii.Nine) return false
  return true
}

/** Adds a number of either sign to digits, and returns what is carried beyond the first. */
function addTo(bytes: Uint8Array, start: number, end: number, amount: number): number {
  let carry = amount
  for (let at = end - 1; at >= start && carry !== 0; at--) {
    const sum = bytes[at]! - Ascii.Zero + carry
    // rounded down
    carry = ((sum < 0 ? sum - 9 : sum) / 10) | 0
    bytes[at] = Ascii.Zero + sum - carry * 10
  }
  return carry
}

function isSpace(byte: number): boolean {
  return byte === Ascii.Space || (byte >= Ascii.Tab && byte <= Ascii.CarriageReturn)
}
