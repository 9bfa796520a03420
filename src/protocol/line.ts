// Reads lines in place, for the protocols that have them. A token is what lies between spaces; a line ends with \n, and a
// \r before it belongs to the end. Everything else, tabs and NUL included, may be part of a key. The byte behind the input
// is always a line end, so scans need no second condition; a scan that stops there has found an unfinished line.
import { Ascii } from '../memory/ascii.js'
import { Size } from '../memory/layout.js'
import { type Hash } from '../store/index/hash.js'
import { PREFETCH_MAX } from '../store/store.js'

/** As many tokens of a line are kept as memcached keeps; the last one is known besides. */
const TOKENS_MAX = 24

/** How many keys of a line are scanned before the first of them is served: see Store.warm. */
const AHEAD_MAX = PREFETCH_MAX

/** The bytes of the whole words of the longest key. */
const WHOLE_WORDS_BYTES = Size.KeyMax & ~3

/** Numbers of exptimes and lengths are answered as this when they are none. */
export const NOT_A_NUMBER = -(2 ** 40)

/** How long a line may be before its end is there, as in memcached. */
export const UNFINISHED_LINE_MAX = 2048

/** How many characters a number of 32 bits may have, as in memcached. */
const NUMBER32_CHARACTERS_MAX = 11

/** The longest value a line may announce: its line end must fit 31 bits too. */
export const VALUE_BYTES_MAX = 0x7fffffff - 2

export class LineParser {
  // the last key that was scanned
  keyStart = 0
  keyEnd = 0
  hash = 0
  /** The separator behind it: the index of a space or of the line end. */
  stop = 0

  /** The last number that was read by `readDigits`. */
  value = 0

  // keys that were scanned ahead: of each what `scanKey` says of it
  readonly aheadHashes = new Int32Array(AHEAD_MAX)
  private readonly aheadStarts = new Int32Array(AHEAD_MAX)
  private readonly aheadEnds = new Int32Array(AHEAD_MAX)
  private readonly aheadStops = new Int32Array(AHEAD_MAX)
  private aheadCount = 0
  private aheadAt = 0

  // the tokens of the last line that was split
  private readonly starts = new Int32Array(TOKENS_MAX)
  private readonly ends = new Int32Array(TOKENS_MAX)
  private count = 0
  lastStart = 0
  lastEnd = 0
  private readonly view: DataView

  constructor(readonly bytes: Uint8Array, private readonly hashing: Hash) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /**
   * Scans and hashes the key at `at`. False if it is longer than a key may be: then `stop` lies within it. Four bytes at a
   * time while there is none below `!` among them, then one by one.
   */
  scanKey(at: number): boolean {
    const { bytes, view } = this
    const limit = at + Size.KeyMax + 1
    let stop = at
    for (const wordsEnd = at + WHOLE_WORDS_BYTES; stop < wordsEnd; stop += 4) {
      const word = view.getInt32(stop, true)
      // the highest bit of a byte is set if that is below 0x21, or if one before it is
      if (((word - 0x21212121) & ~word & 0x80808080) !== 0) break
    }
    while (stop < limit && bytes[stop] !== Ascii.Space && bytes[stop] !== Ascii.LineEnd) stop++
    this.keyStart = at
    this.stop = stop
    if (stop === limit) {
      // a key of the greatest length and the \r of its line end
      if (bytes[stop] !== Ascii.LineEnd || bytes[stop - 1] !== Ascii.CarriageReturn) return false
    }
    if (bytes[stop] === Ascii.LineEnd && stop > at && bytes[stop - 1] === Ascii.CarriageReturn) stop--
    this.keyEnd = stop
    this.hash = this.hashing.of(bytes, at, stop)
    return true
  }

  /**
   * Scans the keys that follow the one just scanned, up to AHEAD_MAX with it, the end of the line or one that is too long;
   * `nextKey` then goes on with them. Answers how many they are, the first being the one just scanned.
   */
  scanAhead(): number {
    let count = 0
    do {
      this.aheadHashes[count] = this.hash
      this.aheadStarts[count] = this.keyStart
      this.aheadEnds[count] = this.keyEnd
      this.aheadStops[count] = this.stop
      count++
    } while (count < AHEAD_MAX && this.scanKey(this.skipSpaces(this.stop)) && this.keyEnd > this.keyStart)
    this.aheadCount = count
    this.recall(0)
    return count
  }

  /** Forgets keys that were scanned ahead of a line that is not gone on with. */
  forgetAhead(): void { this.aheadCount = this.aheadAt = 0 }

  private recall(index: number): void {
    this.hash = this.aheadHashes[index]!
    this.keyStart = this.aheadStarts[index]!
    this.keyEnd = this.aheadEnds[index]!
    this.stop = this.aheadStops[index]!
    this.aheadAt = index + 1
  }

  /** Makes the next key of a line the scanned one; false if it is longer than a key may be. */
  nextKey(): boolean {
    if (this.aheadAt >= this.aheadCount) return this.scanKey(this.skipSpaces(this.stop))
    this.recall(this.aheadAt)
    return true
  }

  /** Whether no key behind the scanned one was scanned ahead. */
  get isAtLastAhead(): boolean { return this.aheadAt >= this.aheadCount }

  /** Reads up to 9 digits at `at` into `value` and leaves `stop` behind them; false if there are none or more. */
  readDigits(at: number): boolean {
    const { bytes } = this
    let value = 0
    let stop = at
    for (; stop < at + 10; stop++) {
      const digit = bytes[stop]! - Ascii.Zero
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    this.value = value
    this.stop = stop
    return stop > at && stop < at + 10
  }

  /** The hash of a key that is somewhere in `bytes`. */
  hashOf(start: number, end: number): number { return this.hashing.of(this.bytes, start, end) }

  /** The end of the token at `at`. */
  tokenEndAt(at: number): number {
    const { bytes } = this
    let stop = at
    while (bytes[stop] !== Ascii.Space && bytes[stop] !== Ascii.LineEnd) stop++
    return bytes[stop] === Ascii.LineEnd && stop > at && bytes[stop - 1] === Ascii.CarriageReturn ? stop - 1 : stop
  }

  skipSpaces(at: number): number {
    const { bytes } = this
    while (bytes[at] === Ascii.Space) at++
    return at
  }

  /** The index of the line end at or after `at`. */
  findLineEnd(at: number): number {
    return this.bytes.indexOf(Ascii.LineEnd, at)
  }

  /** Whether the line of which `at` is a part ends before `end`: surely so if that is where a line ends, as it mostly is. */
  isLineWhole(at: number, end: number): boolean {
    return this.bytes[end - 1] === Ascii.LineEnd || this.findLineEnd(at) < end
  }

  /** Splits the line `[start, lineEnd)` into its tokens. */
  split(start: number, lineEnd: number): void {
    const { bytes } = this
    let end = lineEnd
    if (end > start && bytes[end - 1] === Ascii.CarriageReturn) end--
    let count = 0
    this.lastStart = this.lastEnd = start
    for (let at = this.skipSpaces(start); at < end;) {
      let stop = at
      while (stop < end && bytes[stop] !== Ascii.Space) stop++
      if (count < TOKENS_MAX) {
        this.starts[count] = at
        this.ends[count] = stop
        count++
      }
      this.lastStart = at
      this.lastEnd = stop
      at = stop
      while (at < end && bytes[at] === Ascii.Space) at++
    }
    this.count = count
  }

  get tokenCount(): number { return this.count }
  tokenStart(index: number): number { return this.starts[index]! }
  tokenEnd(index: number): number { return this.ends[index]! }

  token(index: number): string {
    return index < this.count ? this.text(this.starts[index]!, this.ends[index]!) : ''
  }

  text(start: number, end: number): string {
    return Buffer.from(this.bytes.buffer, this.bytes.byteOffset + start, end - start).toString('latin1')
  }

  /** Makes a token the key, hashed. False if it is too long. */
  keyFrom(index: number): boolean {
    return this.scanKey(this.starts[index]!)
  }

  // Numbers. Tokens are given by their bytes; the words are memcached's own functions for the same tokens.

  /** A whole number, up to 2^53 exactly; -1 if there is anything but digits, or nothing. */
  whole(start: number, end: number): number {
    const { bytes } = this
    if (start >= end) return -1
    let value = 0
    for (let at = start; at < end; at++) {
      const digit = bytes[at]! - Ascii.Zero
      if (digit < 0 || digit > 9) return -1
      value = value * 10 + digit
    }
    return value
  }

  /** A length: a signed number of 32 bits with room for a line end; negative if it is none. */
  length(start: number, end: number): number {
    const isNegative = this.bytes[start] === Ascii.Minus
    if (isNegative || this.bytes[start] === Ascii.Plus) start++
    const value = this.whole(start, end)
    if (isNegative) return value === 0 ? 0 : -1
    return value > VALUE_BYTES_MAX ? -1 : value
  }

  /** exptime of touch, gat and flush_all: a signed number of 32 bits in at most 11 characters, without a plus sign. */
  int32(start: number, end: number): number {
    if (end - start > NUMBER32_CHARACTERS_MAX) return NOT_A_NUMBER
    const isNegative = this.bytes[start] === Ascii.Minus
    const value = this.whole(isNegative ? start + 1 : start, end)
    if (value < 0 || value > (isNegative ? 0x80000000 : 0x7fffffff)) return NOT_A_NUMBER
    return isNegative ? -value : value
  }

  /** A number of 32 bits without sign, in at most 11 characters; -1 if it is none. */
  uint32(start: number, end: number): number {
    if (end - start > NUMBER32_CHARACTERS_MAX) return -1
    const value = this.whole(start, end)
    return value > 0xffffffff ? -1 : value
  }
}
