// The replies of a batch, gathered and written at once. Replies are rendered into a buffer of the thread; large values are
// not copied but lent: the pieces of their items go out between the parts of the buffer in one write. When the other end
// does not take everything, buffer and items belong to its sink until that is done, and the thread takes another buffer. Where
// many others are slow and no buffer is left, a copy is written, whose memory goes back to the system when it is done.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { type Uint64, writeNumber, writeUint64 } from '../memory/numbers.js'
import { Blocks } from '../memory/blocks.js'
import { Memory } from '../memory/bytes.js'
import { Counter, type Counters } from '../stats/counters.js'

/** The size of one buffer of replies. */
export const OUTPUT_BYTES = 64 * 1024
/** How many buffers lie beside the items, where copying is quickest. */
export const OUTPUT_BUFFERS = 8
export const enum Copy {
  /** A value up to this is copied into the output together with what comes before it; a larger one is lent. */
  BytesMax = 32 * 1024,
}
/** How many more there may be, of ordinary memory, which the process keeps. */
const ADDED_BUFFERS_MAX = 64
/** How many views of a buffer are kept, a power of two. */
const KEPT_VIEWS = 1024

/** Where replies go: a socket, or a test. */
export interface Sink {
  /** How many lent bytes are written at once: a batch with more of them is written before it is complete. */
  readonly lentBytesMax: number
  /** Takes bytes. True: they are gone and their memory may be used again. False: it is still needed, see `hold`. */
  write(bytes: Uint8Array): boolean
  /** Takes several parts in order, as one write. */
  writeMany(parts: readonly Uint8Array[]): boolean
  /** What was last written is needed longer: the sink settles it when it is not, and then resumes the session. */
  hold(held: Held): void
}

/** Something whose bytes are being written. */
export interface Held {
  /** The bytes are gone, or never will be. Called once. */
  settle(): void
}

/** What one write that was not taken at once still holds. */
export class Batch implements Held {
  constructor(private readonly output: Output, private readonly buffer: Buffer, private readonly loans: readonly Loan[]) {}

  /** Gives the memory back. */
  settle(): void {
    for (const loan of this.loans) loan.end()
    this.output.takeBack(this.buffer)
  }
}

/** The same of a copy. */
class CopiedBatch implements Held {
  constructor(private readonly output: Output, private readonly copy: number, private readonly loans: readonly Loan[]) {}

  settle(): void {
    for (const loan of this.loans) loan.end()
    this.output.takeBackCopy(this.copy)
  }
}

/** Something lent: its end is told once its bytes are written. */
export interface Loan { end(): void }

/** A part of the output that is not in the buffer. */
interface LentPart { at: number; view: Uint8Array; loan: Loan }

export class Output {
  /** The memory being filled; it changes when a buffer is lent to a socket. */
  memory: Memory
  bytes: Uint8Array
  /** Where the next byte goes. */
  at = 0
  private current: Buffer = Buffer.alloc(0)
  private start = 0
  private beganAt = 0
  private limit = 0
  private lent: LentPart[] = []
  private lentBytes = 0
  private sink: Sink | undefined
  /** True from a write that was not taken until the batch ends: the session should stop as soon as it can. */
  isBlocked = false
  private readonly spare: Buffer[] = []
  private addedCount = 0
  /** For copies, which only the system reads. */
  private readonly copies = new Blocks(OUTPUT_BYTES)
  private views: (Uint8Array | undefined)[] = []

  /** @param arena the memory of the items; @param arenaStart of OUTPUT_BUFFERS times OUTPUT_BYTES in it */
  constructor(private readonly arena: Memory, arenaStart: number, private readonly counters: Counters) {
    for (let i = OUTPUT_BUFFERS - 1; i >= 0; i--) {
      this.spare.push(Buffer.from(arena.bytes.buffer, arenaStart + i * OUTPUT_BYTES, OUTPUT_BYTES))
    }
    this.memory = arena
    this.bytes = arena.bytes
    this.takeBuffer()
  }

  /** Begins the replies of one batch. */
  open(sink: Sink): void {
    this.sink = sink
    this.isBlocked = false
  }

  /** A buffer of the arena is written through the arena's own array, so that copying from items stays inside it. */
  private takeBuffer(): void {
    const buffer = this.spare.pop() ?? this.addBuffer()
    const isArena = this.isOfArena(buffer)
    this.current = buffer
    this.views = new Array<undefined>(KEPT_VIEWS)
    // not the Buffer itself, whose slice is no copy
    this.memory = isArena ? this.arena : new Memory(new Uint8Array(buffer.buffer, buffer.byteOffset, buffer.length))
    this.bytes = this.memory.bytes
    this.start = isArena ? buffer.byteOffset : 0
    this.at = this.beganAt = this.start
    this.limit = this.start + OUTPUT_BYTES
  }

  private addBuffer(): Buffer {
    this.addedCount++
    this.counters.add(Counter.OutputsAdded)
    return Buffer.allocUnsafeSlow(OUTPUT_BYTES)
  }

  /** @internal for Batch */
  takeBack(buffer: Buffer): void {
    this.counters.add(Counter.OutputsHeld, -1)
    this.spare.push(buffer)
  }

  /** @internal for CopiedBatch */
  takeBackCopy(copy: number): void {
    this.counters.add(Counter.OutputsHeld, -1)
    this.counters.add(Counter.OutputsAdded, -1)
    this.copies.giveBack(copy)
  }

  private isOfArena(buffer: Buffer): boolean { return buffer.buffer === this.arena.bytes.buffer }

  get isEmpty(): boolean { return this.at === this.start && this.lent.length === 0 }

  /** Makes room for `count` bytes, at most OUTPUT_BYTES, writing what is there if need be. */
  ensure(count: number): void {
    if (this.at + count > this.limit) this.makeRoom(count)
  }

  private makeRoom(count: number): void {
    this.flush()
    assert(this.at + count <= this.limit, 'a reply needs more room than a buffer has')
  }

  hasRoom(count: number): boolean { return this.at + count <= this.limit }

  /** An answer begins, of several parts, that may have to be taken back. */
  begin(): void { this.beganAt = this.at }

  /** What was written since `begin` and has not gone out. */
  get begun(): Uint8Array { return this.bytes.subarray(this.beganAt, this.at) }

  /** Takes back what was written since `begin`, as far as it has not gone out. Nothing of it may be lent. */
  rewind(): void { this.at = this.beganAt }

  /** Takes back everything that has not gone out. */
  discard(): void {
    for (const loan of this.takeLoans()) loan.end()
    this.at = this.beganAt = this.start
  }

  /** Makes room for `count` lent bytes: writes what is there, unless the sink likes both together. */
  ensureLent(count: number): void {
    if (this.lentBytes > 0 && this.sink !== undefined && this.lentBytes + count > this.sink.lentBytesMax) this.flush()
  }

  /** Lends `view` after what was written so far; `loan` ends when it is gone. The caller makes room first, with `ensureLent`. */
  lend(view: Uint8Array, loan: Loan): void {
    this.lent.push({ at: this.at, view, loan })
    this.lentBytes += view.length
  }

  /** Writes everything gathered so far. */
  flush(): void {
    const sink = this.sink
    assert(this.at <= this.limit, 'a reply is longer than the room that was made for it')
    if (this.isEmpty || sink === undefined) return
    this.counters.add(Counter.BytesWritten, this.at - this.start + this.lentBytes)
    if (this.spare.length === 0 && this.addedCount === ADDED_BUFFERS_MAX) return this.flushCopy(sink)
    const isTaken = this.lent.length === 0 ? sink.write(this.view(this.at - this.start)) : sink.writeMany(this.parts(this.current))
    if (isTaken) return this.written()
    this.counters.add(Counter.OutputsHeld)
    sink.hold(new Batch(this, this.current, this.takeLoans()))
    this.isBlocked = true
    this.takeBuffer()
  }

  /** Writes a copy, as there would be no buffer to go on with if this one was held. */
  private flushCopy(sink: Sink): void {
    const copy = this.copies.take()
    const bytes = this.copies.chunk(copy)
    const count = this.at - this.start
    bytes.set(this.bytes.subarray(this.start, this.at))
    const isTaken = this.lent.length === 0 ? sink.write(bytes.subarray(0, count)) : sink.writeMany(this.parts(bytes))
    if (isTaken) {
      this.copies.giveBack(copy)
      return this.written()
    }
    this.counters.add(Counter.OutputsHeld)
    this.counters.add(Counter.OutputsAdded)
    sink.hold(new CopiedBatch(this, copy, this.takeLoans()))
    this.isBlocked = true
    this.at = this.beganAt = this.start
  }

  /** What has been gathered is gone. */
  private written(): void {
    if (this.lent.length > 0) for (const loan of this.takeLoans()) loan.end()
    this.at = this.beganAt = this.start
  }

  private takeLoans(): Loan[] {
    const loans = this.lent.map(({ loan }) => loan)
    this.lent = []
    this.lentBytes = 0
    return loans
  }

  /** What is to be written, in order; `buffer` holds what is not lent. */
  private parts(buffer: Uint8Array): Uint8Array[] {
    const parts: Uint8Array[] = []
    let from = this.start
    for (const { at, view } of this.lent) {
      if (at > from) parts.push(this.part(buffer, from, at))
      parts.push(view)
      from = at
    }
    if (this.at > from) parts.push(this.part(buffer, from, this.at))
    return parts
  }

  private part(buffer: Uint8Array, from: number, end: number): Uint8Array {
    const { start } = this
    return from === start && buffer === this.current ? this.view(end - start) : buffer.subarray(from - start, end - start)
  }

  /** The first bytes of the buffer. Views are kept, as batches of the same length come again and again. */
  private view(count: number): Uint8Array {
    const slot = count & KEPT_VIEWS - 1
    const kept = this.views[slot]
    return kept?.length === count ? kept : this.views[slot] = this.current.subarray(0, count)
  }

  /**
   * Takes the unwritten bytes away, to be put back later; undefined if there are none, or loans among them. They are there
   * until something else is written.
   */
  park(): Uint8Array | undefined {
    if (this.at === this.start || this.lent.length > 0) return undefined
    const parked = this.bytes.subarray(this.start, this.at)
    this.at = this.start
    return parked
  }

  // Rendering. The callers make room first, with `ensure`.

  number(value: number): void { this.at = writeNumber(this.bytes, this.at, value) }

  uint64(high: number, low: number): void { this.at = writeUint64(this.bytes, this.at, high, low) }

  counter(number: Uint64): void { this.uint64(number.high, number.low) }

  byte(value: number): void { this.bytes[this.at++] = value }

  lineEnd(): void {
    this.bytes[this.at] = Ascii.CarriageReturn
    this.bytes[this.at + 1] = Ascii.LineEnd
    this.at += 2
  }

  copy(from: Uint8Array, start: number, count: number): void {
    this.memory.copyFrom(from, start, this.at, count)
    this.at += count
  }

  /** Ready-made bytes, of any length. */
  text(bytes: Uint8Array): void {
    let start = 0
    while (bytes.length - start > OUTPUT_BYTES) {
      this.ensure(OUTPUT_BYTES)
      this.copy(bytes, start, OUTPUT_BYTES)
      start += OUTPUT_BYTES
    }
    this.ensure(bytes.length - start)
    this.copy(bytes, start, bytes.length - start)
  }
}
