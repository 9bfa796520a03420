// A `get` that is longer than what is kept of other unfinished lines. memcached lets it grow as long as it likes; here it is
// gathered in small chunks, up to a bound, until its end is there, and then served a piece at a time: a piece ends behind a
// key, and a line end is put behind it. Of several spaces between keys one is kept.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { Size } from '../memory/layout.js'
import { PIECE_BYTES } from './input.js'

/** The longest line that is gathered for one connection: as much as 250,000 of the longest keys. */
export const LONG_LINE_BYTES_MAX = 64 * 1024 * 1024
const CHUNK_BYTES = 16 * 1024

export class LongLine {
  private readonly chunks: Uint8Array[] = []
  private chunk = new Uint8Array(0)
  /** Where the next byte goes in the last chunk. */
  private at = CHUNK_BYTES
  private length = 0
  private served = 0
  /** Whether the line end is there. */
  isWhole = false
  /** Whether nothing of it has been served. */
  isNew = true
  // what was taken last
  private hasToken = false
  private tokenBytes = 0
  private last = 0
  /** Where the first word ends. */
  private nameEnd = 0
  private hasLongKey = false
  private tokenCount = 0

  /** The bytes of memory that it holds. */
  get heldBytes(): number { return this.chunks.length * CHUNK_BYTES }

  /** Takes what belongs to the line of `[at, end)`; answers where the next line begins. */
  take(bytes: Uint8Array, at: number, end: number): number {
    while (at < end && !this.isWhole) this.takeByte(bytes[at++]!)
    return at
  }

  private takeByte(byte: number): void {
    if (byte === Ascii.Space) {
      if (this.hasToken && this.tokenBytes === 0) return
      this.endToken(this.tokenBytes)
    } else if (byte === Ascii.LineEnd) {
      this.endToken(this.last === Ascii.CarriageReturn ? this.tokenBytes - 1 : this.tokenBytes)
      this.isWhole = true
      if (this.hasLongKey) return this.forgetKeys()
    } else {
      this.hasToken = true
      this.tokenBytes++
    }
    this.add(byte)
  }

  /** How many keys it has, once it is whole. */
  get keyCount(): number { return this.tokenCount - 1 }

  private endToken(tokenBytes: number): void {
    if (tokenBytes > 0) this.tokenCount++
    if (tokenBytes > Size.KeyMax) this.hasLongKey = true
    if (this.hasToken && this.nameEnd === 0) this.nameEnd = this.length
    this.tokenBytes = 0
  }

  private add(byte: number): void {
    if (this.at === CHUNK_BYTES) {
      this.chunk = Buffer.allocUnsafeSlow(CHUNK_BYTES)
      this.chunks.push(this.chunk)
      this.at = 0
    }
    this.chunk[this.at++] = byte
    this.last = byte
    this.length++
  }

  /**
   * An answer that has begun to go out cannot become an error. So a line with a bad key is served as one without any, which
   * is refused in the same words.
   */
  private forgetKeys(): void {
    this.chunks.length = Math.min(this.chunks.length, 1)
    this.chunks[0]![this.nameEnd] = Ascii.LineEnd
    this.length = this.nameEnd + 1
  }

  /** Whether the next piece is the last. */
  get isAtLast(): boolean { return this.length - this.served <= PIECE_BYTES }

  /** Puts the next piece at `start` in `to`, where there is room for PIECE_BYTES and a line end; answers where it ends. */
  copyPiece(to: Uint8Array, start: number): number {
    const end = start + Math.min(PIECE_BYTES, this.length - this.served)
    for (let at = start, from = this.served; at < end;) {
      const chunk = this.chunks[Math.floor(from / CHUNK_BYTES)]!
      const chunkAt = from % CHUNK_BYTES
      const count = Math.min(CHUNK_BYTES - chunkAt, end - at)
      to.set(chunk.subarray(chunkAt, chunkAt + count), at)
      at += count
      from += count
    }
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
}
