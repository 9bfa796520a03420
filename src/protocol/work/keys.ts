// A get with keys that have not been answered yet, as the client has to take the output first, or as the line is so long that it
// is served in pieces.
//
// A `get` may be longer than other lines. As in memcached, its length is limited only by the memory for it, see Unfinished. The
// session gathers the line until its end has come, and then serves one piece in each turn. A piece ends behind a key and gets a
// line end. Of several spaces between keys, only one is kept.
import { assert } from '../../errors.js'
import { Ascii } from '../../memory/ascii.js'
import { Size } from '../../memory/layout.js'
import { PIECE_BYTES, type Input } from '../input.js'
import { type Kept } from '../unfinished.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

const LINE_END = Uint8Array.of(Ascii.LineEnd)

/** A get that is answered key by key. */
export interface Get {
  /** True if all keys have been answered. */
  readonly isDone: boolean
  /** Answers keys of the line at `at`, which ends before `end`. Returns the index at which it stopped. */
  resume(at: number, end: number): number
}

/** A get that goes on when the client has taken the output. The keys that have not been answered are in the input. */
export class Keys implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Mwrite
  readonly next = undefined

  constructor(private readonly get: Get) {}

  get isDone(): boolean { return this.get.isDone }

  resume(at: number, end: number): number { return this.get.resume(at, end) }

  drop(): void {}
}

/** A get whose line is served in pieces. The line tells it whether a piece is the last one, and the number of keys. */
export interface LongGet extends Get { line: LongLine | undefined }

export class LongLine implements Work {
  readonly next = undefined
  private servedBytes = 0
  /** True if the line end has come. */
  private isWhole = false
  private hasBegun = false
  /** True if the first token has begun. */
  private hasToken = false
  /** The bytes so far of the current token. */
  private tokenBytes = 0
  /** The last byte that was taken. */
  private last = 0
  /** The bytes of the line so far, without spaces that are left out. */
  private length = 0
  /** The index in the line behind the first token, which is the command's name. */
  private nameEnd = 0
  private hasLongKey = false
  private tokenCount = 0

  constructor(private readonly input: Input, private readonly kept: Kept, private readonly get: LongGet) { get.line = this }

  get wait(): Wait { return this.isWhole ? Wait.Turn : Wait.Input }

  get state(): ConnectionState { return this.isWhole ? ConnectionState.Mwrite : ConnectionState.Read }

  get isDone(): boolean { return this.hasBegun && this.get.isDone }

  resume(at: number, end: number): number {
    const next = this.isWhole ? at : this.take(this.input.bytes, at, end)
    if (this.isWhole) this.servePiece()
    return next
  }

  drop(): void { this.kept.clear() }

  // Gathering

  /** Takes the bytes of the line from `[at, end)`, and overwrites them there. Returns the index behind the line, or `end`. */
  private take(bytes: Uint8Array, at: number, end: number): number {
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

  /** Notes a byte and returns true; false if it is a further space between keys. */
  private isWanted(byte: number): boolean {
    if (byte === Ascii.Space) {
      if (this.hasToken && this.tokenBytes === 0) return false
      this.endToken(this.tokenBytes)
    } else if (byte === Ascii.LineEnd) {
      this.endToken(this.last === Ascii.CarriageReturn ? this.tokenBytes - 1 : this.tokenBytes)
      this.isWhole = true
    } else {
      this.hasToken = true
      // one more byte may be a \r that belongs to the line end
      if (++this.tokenBytes > Size.KeyMax + 1) this.hasLongKey = true
    }
    return true
  }

  private endToken(tokenBytes: number): void {
    if (tokenBytes > 0) this.tokenCount++
    if (tokenBytes > Size.KeyMax) this.hasLongKey = true
    if (this.hasToken && this.nameEnd === 0) this.nameEnd = this.length
    this.tokenBytes = 0
  }

  /**
   * Removes the keys of a line that has a key which is too long. A reply that has been sent in part cannot become an error, so
   * the error must come first: the line without keys gets the same error.
   */
  private forgetKeys(): void {
    this.length = this.nameEnd
    this.kept.truncate(this.nameEnd)
    if (!this.isWhole) return
    this.kept.append(LINE_END, 0, LINE_END.length)
    this.length++
  }

  /** The number of keys, when the line is complete. */
  get keyCount(): number { return this.tokenCount - 1 }

  // Serving

  private servePiece(): void {
    const { input: { bytes, pieceStart } } = this
    const end = this.copyPiece(bytes, pieceStart)
    this.hasBegun = true
    this.servedBytes += this.get.resume(pieceStart, end) - pieceStart
    if (this.get.isDone) this.kept.clear()
  }

  /** True if the piece that is being served is the last one. */
  get isAtLast(): boolean { return this.length - this.servedBytes <= PIECE_BYTES }

  /** Copies the next piece to `start` in `to`, which has room for PIECE_BYTES and a line end. Returns the index behind it. */
  private copyPiece(to: Uint8Array, start: number): number {
    const end = start + Math.min(PIECE_BYTES, this.length - this.servedBytes)
    this.kept.copyTo(to, start, this.servedBytes, end - start)
    if (this.isAtLast) return end
    const space = to.lastIndexOf(Ascii.Space, end - 1)
    assert(space > start, 'a long line has a key without an end')
    // behind the space, as a \r before the line end would belong to that
    to[space + 1] = Ascii.LineEnd
    return space + 2
  }
}
