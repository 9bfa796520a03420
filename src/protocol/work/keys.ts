// A get of which some keys are still to be answered: because its output has to be taken first, or because its line is so long
// that it is served in pieces.
//
// A `get` may be longer than other lines. As in memcached it may grow as long as there is memory for it, see Unfinished: the
// session gathers it until its end is there, and then serves one piece a turn. A piece ends behind a key, and a line end is put
// behind it. Of several spaces between keys one is kept.
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
  /** Whether all is answered. */
  readonly isDone: boolean
  /** Answers keys of the line at `at`, which ends before `end`; returns where it stopped. */
  resume(at: number, end: number): number
}

/** A get whose output is to be taken before it goes on. Its other keys are in the input. */
export class Keys implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Mwrite
  readonly next = undefined

  constructor(private readonly get: Get) {}

  get isDone(): boolean { return this.get.isDone }

  resume(at: number, end: number): number { return this.get.resume(at, end) }

  drop(): void {}
}

/** Such a get of a long line, which knows whether a piece is the last, and how many keys there are. */
export interface LongGet extends Get { line: LongLine | undefined }

export class LongLine implements Work {
  readonly next = undefined
  private servedBytes = 0
  /** Whether the line end is there. */
  private isWhole = false
  private hasBegun = false
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

  /** Takes what belongs to the line of `[at, end)`, which is written over; returns where the next line begins. */
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

  /** How many keys it has, once it is whole. */
  get keyCount(): number { return this.tokenCount - 1 }

  // Serving

  private servePiece(): void {
    const { input: { bytes, pieceStart } } = this
    const end = this.copyPiece(bytes, pieceStart)
    this.hasBegun = true
    this.servedBytes += this.get.resume(pieceStart, end) - pieceStart
    if (this.get.isDone) this.kept.clear()
  }

  /** Whether the piece that is served is the last. */
  get isAtLast(): boolean { return this.length - this.servedBytes <= PIECE_BYTES }

  /** Puts the next piece at `start` in `to`, where there is room for PIECE_BYTES and a line end; returns where it ends. */
  private copyPiece(to: Uint8Array, start: number): number {
    const end = start + Math.min(PIECE_BYTES, this.length - this.servedBytes)
    this.kept.copyTo(to, start, this.servedBytes, end - start)
    if (this.isAtLast) return end
    const space = to.lastIndexOf(Ascii.Space, end - 1)
    assert(space > start, 'a long line has a key without an end')
    // behind a space, as a \r before a line end would be part of that
    to[space + 1] = Ascii.LineEnd
    return space + 2
  }
}
