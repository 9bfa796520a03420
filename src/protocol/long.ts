// A `get` that is longer than what is kept of other unfinished lines. As in memcached it may grow as long as there is memory
// for it, see Unfinished: it is gathered until its end is there, and then served a piece at a time: a piece ends behind a
// key, and a line end is put behind it. Of several spaces between keys one is kept.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { Size } from '../memory/layout.js'
import { PIECE_BYTES } from './input.js'
import { type Kept } from './unfinished.js'

const LINE_END = Uint8Array.of(Ascii.LineEnd)

export class LongLine {
  private served = 0
  /** Whether the line end is there. */
  isWhole = false
  /** Whether nothing of it has been served. */
  isNew = true
  // what was taken last
  private hasToken = false
  private tokenBytes = 0
  private last = 0
  /** How long it is with what is being taken. */
  private length = 0
  /** Where the first word ends. */
  private nameEnd = 0
  private hasLongKey = false
  private tokenCount = 0

  constructor(private readonly kept: Kept) {}

  /** Takes what belongs to the line of `[at, end)`, which is written over; answers where the next line begins. */
  take(bytes: Uint8Array, at: number, end: number): number {
    const start = at
    let stop = at
    while (at < end && !this.isWhole) {
      const byte = bytes[at++]!
      if (!this.isWanted(byte)) continue
      bytes[stop++] = this.last = byte
      this.length++
    }
    this.kept.append(bytes, start, stop)
    if (this.hasLongKey) this.forgetKeys()
    return at
  }

  /** Takes note of a byte, unless it is one space more between keys. */
  private isWanted(byte: number): boolean {
    if (byte === Ascii.Space) {
      if (this.hasToken && this.tokenBytes === 0) return false
      this.endToken(this.tokenBytes)
    } else if (byte === Ascii.LineEnd) {
      this.endToken(this.last === Ascii.CarriageReturn ? this.tokenBytes - 1 : this.tokenBytes)
      this.isWhole = true
    } else {
      this.hasToken = true
      // a \r more may belong to the line end
      if (++this.tokenBytes > Size.KeyMax + 1) this.hasLongKey = true
    }
    return true
  }

  /** How many keys it has, once it is whole. */
  get keyCount(): number { return this.tokenCount - 1 }

  private endToken(tokenBytes: number): void {
    if (tokenBytes > 0) this.tokenCount++
    if (tokenBytes > Size.KeyMax) this.hasLongKey = true
    if (this.hasToken && this.nameEnd === 0) this.nameEnd = this.length
    this.tokenBytes = 0
  }

  /**
   * An answer that has begun to go out cannot become an error. So a line with a bad key is served as one without any, which
   * is refused in the same words.
   */
  private forgetKeys(): void {
    this.length = this.nameEnd
    this.kept.truncate(this.nameEnd)
    if (!this.isWhole) return
    this.kept.append(LINE_END, 0, LINE_END.length)
    this.length++
  }

  /** Whether the next piece is the last. */
  get isAtLast(): boolean { return this.length - this.served <= PIECE_BYTES }

  /** Puts the next piece at `start` in `to`, where there is room for PIECE_BYTES and a line end; answers where it ends. */
  copyPiece(to: Uint8Array, start: number): number {
    const end = start + Math.min(PIECE_BYTES, this.length - this.served)
    this.kept.copyTo(to, start, this.served, end - start)
    if (this.isAtLast) return end
    const space = to.lastIndexOf(Ascii.Space, end - 1)
    assert(space > start, 'a long line has a key without an end')
    // behind a space, as a \r before a line end would be part of that
    to[space + 1] = Ascii.LineEnd
    return space + 2
  }

  /** So many bytes more of the line have been served. */
  advance(count: number): void {
    this.served += count
    this.isNew = false
  }

  /** It is not needed any more. */
  end(): void { this.kept.clear() }
}
