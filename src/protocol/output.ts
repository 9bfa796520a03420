// The replies of a batch, which are gathered and written at once. A protocol renders replies into a buffer of the thread. Large
// values are not copied but lent: one write sends the parts of the buffer and the memory of the items between them. If the
// kernel does not take all bytes at once, the sink holds the buffer and the items until it has, and the thread takes another
// buffer. If many clients are slow and no buffer is left, the output writes a copy, whose memory returns to the system later.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { writeNumber, writeUint64 } from '../memory/numbers.js'
import { Blocks } from '../memory/blocks.js'
import { Memory } from '../memory/bytes.js'
import { Counter, type Counters } from '../stats/counters.js'

/** The size of one buffer of replies. */
export const OUTPUT_BYTES = 64 * 1024
/** The number of buffers in the arena, where copies from items are fastest. */
export const OUTPUT_BUFFERS = 8
export const enum Copy {
  /** The largest value that is copied into the output, together with the bytes before it. A larger one is lent. */
  BytesMax = 32 * 1024,
  /** The largest value for which a get makes room. A larger one is copied only if the buffer has room for it, and else lent. */
  RoomBytes = 8 * 1024,
}
/** The most further buffers, of ordinary memory, which the process keeps. */
const ADDED_BUFFERS_MAX = 64
/** The most views of a buffer that are kept, a power of two. */
const KEPT_VIEWS = 1024

/** The receiver of replies: a connection, a datagram or a test. */
export interface Sink {
  /** The most lent bytes in one write. If a batch has more of them, the output writes before the batch is complete. */
  readonly lentBytesMax: number
  /** Writes bytes. Returns true if their memory may be used again, false if it is still needed, see `hold`. */
  write(bytes: Uint8Array): boolean
  /** Writes several parts in order, as one write. Returns as `write`. */
  writeMany(parts: readonly Uint8Array[]): boolean
  /** Holds the memory of a write that has just returned false. The sink settles it later, and then resumes the session. */
  hold(held: Held): void
}

/** Keeps answers that are to be written together with those of other sinks. */
export interface AnswerKeeper {
  /** Keeps a copy of `count` bytes at `at` of the arena, for a sink. Returns false if they have to go at once. */
  keepAnswer(sink: Sink, at: number, count: number): boolean
}

/** The memory of a write whose bytes have not all been written. */
export interface Held {
  /** Frees the memory, as its bytes have been written or never will be. Called once. */
  settle(): void
}

/** The buffer and the loans of one write. */
export class Batch implements Held {
  constructor(private readonly output: Output, private readonly buffer: Buffer, private readonly loans: readonly Loan[]) {}

  settle(): void {
    for (const loan of this.loans) loan.end()
    this.output.takeBack(this.buffer)
  }
}

/** The copy and the loans of one write. */
class CopiedBatch implements Held {
  constructor(private readonly output: Output, private readonly copy: number, private readonly loans: readonly Loan[]) {}

  settle(): void {
    for (const loan of this.loans) loan.end()
    this.output.takeBackCopy(this.copy)
  }
}

/** A loan of memory. The output calls `end` once when the bytes of a part are written or discarded. */
export interface Loan { end(): void }

/** A lent part of the output, which is written between the buffer's bytes before and after `at`. */
interface LentPart { at: number; view: Uint8Array; loan: Loan }

export class Output {
  /** The memory with the current buffer. It changes when a sink holds the buffer. */
  memory: Memory
  bytes: Uint8Array
  /** The index of the next byte. */
  at = 0
  private current: Buffer = Buffer.alloc(0)
  private start = 0
  private beganAt = 0
  private limit = 0
  private lent: LentPart[] = []
  private lentBytes = 0
  private sink: Sink | undefined
  /** True if a sink holds a write of this batch. The session should stop as soon as it can. */
  isBlocked = false
  /** What keeps the answers of this batch; undefined if they are written at once. */
  keeper: AnswerKeeper | undefined
  private readonly spare: Buffer[] = []
  private addedCount = 0
  /** The memory of copies, each of which has the size of a buffer. */
  private readonly copies = new Blocks(OUTPUT_BYTES)
  private views: (Uint8Array | undefined)[] = []

  /**
   * @param arena the memory of the items
   * @param arenaStart the byte index of the buffers in it, OUTPUT_BUFFERS of OUTPUT_BYTES
   */
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

  /**
   * Takes a spare or a new buffer as the current one. A buffer in the arena is accessed by the arena's own array, so that copies
   * from items stay in one array.
   */
  private takeBuffer(): void {
    const buffer = this.spare.pop() ?? this.addBuffer()
    const isArena = this.isOfArena(buffer)
    this.current = buffer
    this.views = new Array<undefined>(KEPT_VIEWS)
    // not the Buffer itself, whose `slice` makes no copy
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

  /** The number of bytes that have been gathered and not been written. */
  get waitingBytes(): number { return this.at - this.start + this.lentBytes }

  get isEmpty(): boolean { return this.at === this.start && this.lent.length === 0 }

  /** Makes room for `count` bytes, at most OUTPUT_BYTES. Writes the bytes that are there if need be. */
  ensure(count: number): void {
    if (this.at + count > this.limit) this.makeRoom(count)
  }

  private makeRoom(count: number): void {
    this.flush()
    assert(this.at + count <= this.limit, 'a reply needs more room than a buffer has')
  }

  hasRoom(count: number): boolean { return this.at + count <= this.limit }

  /** Marks the beginning of a reply, for `begun` and `rewind`. */
  begin(): void { this.beganAt = this.at }

  /** The bytes in the buffer since `begin`. Those that have been written to the sink are not among them. */
  get begun(): Uint8Array { return this.bytes.subarray(this.beganAt, this.at) }

  /** Removes the bytes since `begin`, except those that have been written to the sink. None of their parts may be lent. */
  rewind(): void { this.at = this.beganAt }

  /** Removes all bytes and lent parts that have not been written to the sink. */
  discard(): void {
    for (const loan of this.takeLoans()) loan.end()
    this.at = this.beganAt = this.start
  }

  /** Makes room for `count` lent bytes: if the lent bytes would be more than the sink's most, writes those that are there. */
  ensureLent(count: number): void {
    if (this.lentBytes > 0 && this.sink !== undefined && this.lentBytes + count > this.sink.lentBytesMax) this.flush()
  }

  /** Adds a lent part. `loan` ends when it is written. The caller makes room first, with `ensureLent`. */
  lend(view: Uint8Array, loan: Loan): void {
    this.lent.push({ at: this.at, view, loan })
    this.lentBytes += view.length
  }

  /** Writes the replies that have been gathered. */
  flush(): void {
    const sink = this.sink
    assert(this.at <= this.limit, 'a reply is longer than the room that was made for it')
    if (this.isEmpty || sink === undefined) return
    this.counters.add(Counter.BytesWritten, this.at - this.start + this.lentBytes)
    if (this.spare.length === 0 && this.addedCount === ADDED_BUFFERS_MAX) return this.flushCopy(sink)
    if (this.isKept(sink)) return this.reuse()
    const isTaken = this.lent.length === 0
      ? sink.write(this.view(this.at - this.start))
      : sink.writeMany(this.parts(this.current))
    if (isTaken) return this.reuse()
    this.counters.add(Counter.OutputsHeld)
    sink.hold(new Batch(this, this.current, this.takeLoans()))
    this.isBlocked = true
    this.takeBuffer()
  }

  private isKept(sink: Sink): boolean {
    return this.keeper !== undefined && this.lent.length === 0 && this.memory === this.arena
      && this.keeper.keepAnswer(sink, this.start, this.at - this.start)
  }

  /** Writes a copy of the buffer, as there is no other buffer to go on with if the sink holds this one. */
  private flushCopy(sink: Sink): void {
    const copy = this.copies.take()
    const bytes = this.copies.chunk(copy)
    const count = this.at - this.start
    bytes.set(this.bytes.subarray(this.start, this.at))
    const isTaken = this.lent.length === 0 ? sink.write(bytes.subarray(0, count)) : sink.writeMany(this.parts(bytes))
    if (isTaken) {
      this.copies.giveBack(copy)
      return this.reuse()
    }
    this.counters.add(Counter.OutputsHeld)
    this.counters.add(Counter.OutputsAdded)
    sink.hold(new CopiedBatch(this, copy, this.takeLoans()))
    this.isBlocked = true
    this.at = this.beganAt = this.start
  }

  /** Empties the buffer after a write that the sink does not hold. */
  private reuse(): void {
    if (this.lent.length > 0) for (const loan of this.takeLoans()) loan.end()
    this.at = this.beganAt = this.start
  }

  private takeLoans(): Loan[] {
    const loans = this.lent.map(({ loan }) => loan)
    this.lent = []
    this.lentBytes = 0
    return loans
  }

  /** The parts to write, in order. @param buffer the current buffer, or a copy of it */
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

  /** The first bytes of the buffer. Views are kept, as many batches have the same length. */
  private view(count: number): Uint8Array {
    const slot = count & KEPT_VIEWS - 1
    const kept = this.views[slot]
    return kept?.length === count ? kept : this.views[slot] = this.current.subarray(0, count)
  }

  /**
   * Removes the unwritten bytes and returns them, for the caller to copy before anything else is rendered. Undefined if there are
   * none, or if there are lent parts among them.
   */
  park(): Uint8Array | undefined {
    if (this.at === this.start || this.lent.length > 0) return undefined
    const parked = this.bytes.subarray(this.start, this.at)
    this.at = this.start
    return parked
  }

  // Rendering. Callers make room first, with `ensure`; `text` does so itself.

  number(value: number): void { this.at = writeNumber(this.bytes, this.at, value) }

  uint64(high: number, low: number): void { this.at = writeUint64(this.bytes, this.at, high, low) }

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

  /** Renders ready-made bytes, of any length. */
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
