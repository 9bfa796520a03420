// What only the lines of the text protocol have: `noreply`, and the numbers of its storage commands.
import { Ascii } from '../../memory/ascii.js'
import { Size } from '../../memory/layout.js'
import { parseUint64, type Uint64 } from '../../memory/numbers.js'
import { NOT_A_NUMBER, type LineParser } from '../line.js'

const NOREPLY = Buffer.from(' noreply')

/** The index behind ` noreply` if that stands at `at`, else `at`. */
export function skipNoreply(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < NOREPLY.length; i++) if (bytes[at + i] !== NOREPLY[i]) return at
  return at + NOREPLY.length
}

/** True if the last token of the line that was split is `noreply`. */
export function endsWithNoreply({ lastStart, lastEnd, bytes }: LineParser): boolean {
  return lastEnd - lastStart === NOREPLY.length - 1 && skipNoreply(bytes, lastStart - 1) === lastEnd
}

/**
 * True if a token of the line that was split is this word, or its beginning: memcached compares the words behind the name of a
 * command no further than they go. The caller says which word is looked at first.
 */
export function isCutFrom(word: string, parser: LineParser, token: number): boolean {
  return token < parser.tokenCount && word.startsWith(parser.token(token))
}

/** A token as a number of 32 bits without sign; -1 if it is none, or not there. */
export function uint32Of(parser: LineParser, token: number): number {
  return token < parser.tokenCount ? parser.uint32(parser.tokenStart(token), parser.tokenEnd(token)) : -1
}

/** A token as a signed number of 32 bits; NOT_A_NUMBER if it is none, or not there. */
export function int32Of(parser: LineParser, token: number): number {
  return token < parser.tokenCount ? parser.int32(parser.tokenStart(token), parser.tokenEnd(token)) : NOT_A_NUMBER
}

/** A cas number or a delta has at most so many characters. */
const NUMBER_CHARACTERS_MAX = 22

/** Reads a token as a number of 64 bits without sign into `into`; false if it is none. */
export function readUint64(parser: LineParser, token: number, into: Uint64): boolean {
  const start = parser.tokenStart(token)
  const end = parser.tokenEnd(token)
  return end - start <= NUMBER_CHARACTERS_MAX && parseUint64(parser.bytes, start, end, into)
}

/** A number as C reads it, of any sign, but for hexadecimal numbers and words such as `inf`. */
const DECIMAL = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i
/** The most characters that it may have. */
const DECIMAL_CHARACTERS_MAX = 31

/** A token as a number that may have a fraction; NaN if it is none, or not there. */
export function decimalOf(parser: LineParser, token: number): number {
  const word = parser.token(token)
  return word.length <= DECIMAL_CHARACTERS_MAX && DECIMAL.test(word) ? Number(word) : NaN
}

/** True if the last token begins with `HTTP/`: the client is a web browser, or means harm. */
export function endsWithHttp(parser: LineParser): boolean {
  return parser.tokenCount > 1 && parser.text(parser.lastStart, Math.min(parser.lastEnd, parser.lastStart + 5)) === 'HTTP/'
}

/** True if a token between `at` and the line end is longer than a key may be. */
export function hasLongKey(bytes: Uint8Array, at: number): boolean {
  for (let start = at; ; at++) {
    const byte = bytes[at]!
    if (byte !== Ascii.Space && byte !== Ascii.LineEnd) continue
    const end = byte === Ascii.LineEnd && at > start && bytes[at - 1] === Ascii.CarriageReturn ? at - 1 : at
    if (end - start > Size.KeyMax) return true
    if (byte === Ascii.LineEnd) return false
    start = at + 1
  }
}

/** The number of keys of a line from the one that was read, up to its end or to a key that is too long. */
export function countKeys(parser: LineParser): number {
  let end = parser.stop
  for (let count = 1; ; count++) {
    const start = parser.skipSpaces(end)
    end = parser.tokenEndAt(start)
    if (end === start || end - start > Size.KeyMax) return count
  }
}

/** The flags of a storage command: a number of 64 bits, of which the lower 32 stay; -1 if it is none. */
export function flagsOf(parser: LineParser, token: number): number {
  let start = parser.tokenStart(token)
  const end = parser.tokenEnd(token)
  if (parser.bytes[start] === Ascii.Plus) start++
  const value = parser.whole(start, end)
  if (value <= Number.MAX_SAFE_INTEGER) return value < 0 ? -1 : value >>> 0
  const exact = BigInt(parser.text(start, end))
  return exact > 0xffffffffffffffffn ? -1 : Number(exact & 0xffffffffn)
}

/** The exptime of a storage command: a signed number of 64 bits, of which the lower 32 stay. */
export function exptimeOf(parser: LineParser, token: number): number {
  let start = parser.tokenStart(token)
  const end = parser.tokenEnd(token)
  const isNegative = parser.bytes[start] === Ascii.Minus
  if (isNegative || parser.bytes[start] === Ascii.Plus) start++
  const value = parser.whole(start, end)
  if (value < 0) return NOT_A_NUMBER
  if (value <= 0x7fffffff) return isNegative ? -value : value
  const exact = isNegative ? -BigInt(parser.text(start, end)) : BigInt(parser.text(start, end))
  if (exact !== BigInt.asIntN(64, exact)) return NOT_A_NUMBER
  return Number(BigInt.asIntN(32, exact))
}
