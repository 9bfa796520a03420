// Reads lines in place, for the text and the meta commands. Spaces separate the tokens of a line. A line ends with \n, and a \r
// before it belongs to the line end. All other bytes, tabs and NUL included, may be part of a key. The byte behind the input is
// always a line end, so scans need no second condition; a scan that stops there has found an unfinished line.
import { Ascii } from '../memory/ascii.js'
import { Size } from '../memory/layout.js'
import { type Hash } from '../store/index/hash.js'

/** The most tokens of a line that are kept, as in memcached. The last token is kept besides. */
const TOKENS_MAX = 24

/** The bytes of the longest key that are read in whole words. */
const WHOLE_WORDS_BYTES = Size.KeyMax & ~3

/** The result for a token that is not a number of the wanted kind, if -1 is one. */
export const NOT_A_NUMBER = -(2 ** 40)

/** The most bytes of a line whose end has not come, as in memcached. */
export const UNFINISHED_LINE_MAX = 2048

/** The most characters of a number of 32 bits, as in memcached. */
const NUMBER32_CHARACTERS_MAX = 11

/** The most bytes of a value that a line may announce: with its line end, the length must fit 31 bits. */
export const VALUE_BYTES_MAX = 0x7fffffff - 2

/** The keys that were scanned ahead: see ahead.ts. */
export interface Ahead {
  /** Makes the key at `at` the scanned one, without a scan if it is the next of those that were scanned ahead. */
  recall(at: number): boolean
  /** Scans the other keys of a line of which a key has just been read: to the end of the line, or to a key that is too long. */
  scanLine(): void
  /**
   * Scans the keys of the lines from `at` on, one a line. Stops at the `end` of the batch, or at a line without a key, or behind
   * one that does not say where the next begins. A key has just been read, and stays the scanned one.
   */
  scanLines(at: number, end: number): void
}

export class LineParser {
  // the last key that was scanned
  keyStart = 0
  keyEnd = 0
  hash = 0
  /** The index behind the last scan: of the space or the \n behind a key, or of the first byte behind digits. */
  stop = 0

  /** The last number that `readDigits` has read. */
  value = 0

  /** The number of keys that were scanned ahead and are left. It is kept here, as a lone request then needs no other object. */
  keysLeft = 0
  /** Set once, before the first line is read. */
  ahead!: Ahead

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
   * Scans and hashes the key at `at`. False if it is too long: then `stop` lies within it. Scans four bytes at a time, up to the
   * first word with a byte below `!`, then byte by byte.
   */
  scanKey(at: number): boolean {
    const { bytes, view } = this
    const limit = at + Size.KeyMax + 1
    let stop = at
    for (const wordsEnd = at + WHOLE_WORDS_BYTES; stop < wordsEnd; stop += 4) {
      const word = view.getInt32(stop, true)
      // the result has the high bit of the first byte below 0x21, and perhaps those of bytes behind it
      if (((word - 0x21212121) & ~word & 0x80808080) !== 0) break
    }
    while (stop < limit && bytes[stop] !== Ascii.Space && bytes[stop] !== Ascii.LineEnd) stop++
    this.keyStart = at
    this.stop = stop
    if (stop === limit) {
      // a key of the maximal length may be followed by the \r of its line end
      if (bytes[stop] !== Ascii.LineEnd || bytes[stop - 1] !== Ascii.CarriageReturn) return false
    }
    if (bytes[stop] === Ascii.LineEnd && stop > at && bytes[stop - 1] === Ascii.CarriageReturn) stop--
    this.keyEnd = stop
    this.hash = this.hashing.of(bytes, at, stop)
    return true
  }

  /** As scanKey, for a key that may have been scanned ahead. */
  readKey(at: number): boolean { return this.keysLeft === 0 ? this.scanKey(at) : this.ahead.recall(at) }

  /** Scans the keys of the lines from `at` on, where a line has ended whose key was just read, unless there are keys left. */
  lookAhead(at: number, end: number): void { if (at < end && this.keysLeft === 0) this.ahead.scanLines(at, end) }

  /** Scans the other keys of the line, unless there are keys left. */
  lookAlong(): void { if (this.keysLeft === 0) this.ahead.scanLine() }

  /** Reads up to 9 digits at `at` into `value` and sets `stop` behind them; false if there are no digits or more than 9. */
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

  /** The hash of a key that lies in `bytes`. */
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

  /** The index of the line end at or after `at`, which is near: a search by `findLineEnd` costs more to begin. */
  lineEndAt(at: number): number {
    const { bytes } = this
    while (bytes[at] !== Ascii.LineEnd) at++
    return at
  }

  /** The index of the line end at or after `at`. */
  findLineEnd(at: number): number {
    return this.bytes.indexOf(Ascii.LineEnd, at)
  }

  /** True if the line with the byte `at` ends before `end`. Mostly `end` is behind a line end, and no search is needed. */
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

  /** Scans and hashes a token as the key; false if it is too long. */
  keyFrom(index: number): boolean {
    return this.scanKey(this.starts[index]!)
  }

  // Numbers. Each method reads the token at `[start, end)`, with the bounds that memcached has for such a token.

  /** A whole number, exact up to 2^53; -1 if the token is empty or has other characters than digits. */
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

  /** The length of a value: a signed number of 32 bits, up to VALUE_BYTES_MAX; negative if the token is no such number. */
  length(start: number, end: number): number {
    const isNegative = this.bytes[start] === Ascii.Minus
    if (isNegative || this.bytes[start] === Ascii.Plus) start++
    const value = this.whole(start, end)
    if (isNegative) return value === 0 ? 0 : -1
    return value > VALUE_BYTES_MAX ? -1 : value
  }

  /**
   * The exptime of touch, gat and flush_all: a signed number of 32 bits in at most 11 characters, without a plus sign;
   * NOT_A_NUMBER if the token is no such number.
   */
  int32(start: number, end: number): number {
    if (end - start > NUMBER32_CHARACTERS_MAX) return NOT_A_NUMBER
    const isNegative = this.bytes[start] === Ascii.Minus
    const value = this.whole(isNegative ? start + 1 : start, end)
    if (value < 0 || value > (isNegative ? 0x80000000 : 0x7fffffff)) return NOT_A_NUMBER
    return isNegative ? -value : value
  }

  /** An unsigned number of 32 bits in at most 11 characters; -1 if the token is no such number. */
  uint32(start: number, end: number): number {
    if (end - start > NUMBER32_CHARACTERS_MAX) return -1
    const value = this.whole(start, end)
    return value > 0xffffffff ? -1 : value
  }
}
