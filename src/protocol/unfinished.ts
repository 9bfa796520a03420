// Memory for what the clients of a thread have begun and not finished: requests whose end is not there yet, long gets that
// are being served, answers that wait for the rest of a value. It is no part of the items' memory.
//
// What is short lies in a Buffer of its own. All else lies in chunks, whose memory goes back to the system, see Blocks.
//
// All threads together hold no more than -o request_mem_limit, as far as it is in their power: whoever has taken more and
// finds too much held ends the connections of those of its clients that have been unfinished for longest. A thread does
// that as long as it holds more than its share; then it asks the others, of whom one must hold more than its own. Until they
// have heard of it there may be twice as much.
import { Blocks } from '../memory/blocks.js'
import { Counter, type Counters } from '../stats/counters.js'
import { UNFINISHED_LINE_MAX } from './line.js'

/** As much as a page of the system's. */
const CHUNK_BYTES = 4096
/** The longest unfinished line, if it is no get: so much lies in a Buffer. */
const SHORT_BYTES_MAX = UNFINISHED_LINE_MAX

/** Whose connection may be lost. */
export interface Owner {
  /** It holds nothing any more from now on, and its connection ends. */
  giveUp(): void
}

/** Bytes in a row, which grow at their end. */
export class Kept {
  length = 0
  private isHeld = false
  private short: Buffer | undefined
  private readonly chunks: number[] = []

  constructor(private readonly memory: Unfinished, readonly owner: Owner) {}

  append(bytes: Uint8Array, start: number, end: number): void {
    if (!this.isHeld) {
      this.isHeld = true
      this.memory.begin(this)
    }
    if (this.chunks.length === 0 && this.length + end - start <= SHORT_BYTES_MAX) return this.appendShort(bytes, start, end)
    this.leaveShort()
    this.appendLong(bytes, start, end)
  }

  private appendShort(bytes: Uint8Array, start: number, end: number): void {
    const { short, length } = this
    const needed = length + end - start
    if (short === undefined || short.length < needed) {
      const larger = Buffer.allocUnsafeSlow(length === 0 ? needed : Math.min(needed * 2, SHORT_BYTES_MAX))
      if (short !== undefined) short.copy(larger, 0, 0, length)
      this.memory.count(larger.length - (short?.length ?? 0))
      this.short = larger
    }
    this.short!.set(bytes.subarray(start, end), length)
    this.length = needed
  }

  private leaveShort(): void {
    const { short, length } = this
    if (short === undefined) return
    this.forgetShort()
    this.length = 0
    this.appendLong(short, 0, length)
  }

  private appendLong(bytes: Uint8Array, start: number, end: number): void {
    while (start < end) {
      const at = this.length % CHUNK_BYTES
      if (at === 0) this.chunks.push(this.memory.take())
      const count = Math.min(CHUNK_BYTES - at, end - start)
      this.memory.chunk(this.chunks.at(-1)!).set(bytes.subarray(start, start + count), at)
      this.length += count
      start += count
    }
  }

  /** Copies `count` bytes from `from` on to `at` in `to`. */
  copyTo(to: Uint8Array, at: number, from: number, count: number): void {
    if (this.short !== undefined) return to.set(this.short.subarray(from, from + count), at)
    for (const end = from + count; from < end;) {
      const chunkAt = from % CHUNK_BYTES
      const part = Math.min(CHUNK_BYTES - chunkAt, end - from)
      to.set(this.memory.chunk(this.chunks[Math.floor(from / CHUNK_BYTES)]!).subarray(chunkAt, chunkAt + part), at)
      at += part
      from += part
    }
  }

  /** Forgets what is behind the first `length` bytes, of which it has more. */
  truncate(length: number): void {
    this.length = length
    while (this.chunks.length > Math.ceil(length / CHUNK_BYTES)) this.memory.giveBack(this.chunks.pop()!)
  }

  /** Begins anew: what was held is no longer unfinished. */
  restart(): void {
    this.memory.renew(this)
    this.truncate(0)
  }

  /** Forgets everything, and needs no memory any more. */
  clear(): void {
    if (this.isHeld) this.memory.end(this)
    this.isHeld = false
    this.truncate(0)
    this.forgetShort()
  }

  private forgetShort(): void {
    if (this.short !== undefined) this.memory.count(-this.short.length)
    this.short = undefined
  }
}

/** What a thread holds of it. */
export class Unfinished {
  private readonly blocks = new Blocks(CHUNK_BYTES)
  /** Who holds something, the oldest first. */
  private readonly holders = new Set<Kept>()
  private bytes = 0
  private hasGrown = false
  private hasAsked = false

  /**
   * @param bytesMax what all threads together may hold
   * @param bytesShare what this one may hold in any case
   * @param askOthers has the other threads call `makeRoom`
   */
  constructor(private readonly counters: Counters, private readonly bytesMax: number, private readonly bytesShare: number,
    private readonly askOthers: () => void) {}

  /** @internal for Kept */
  begin(kept: Kept): void {
    this.holders.add(kept)
    this.counters.add(Counter.RequestsKept)
  }

  /** @internal for Kept */
  end(kept: Kept): void {
    this.holders.delete(kept)
    this.counters.add(Counter.RequestsKept, -1)
  }

  /** @internal for Kept: it is the youngest from now on. */
  renew(kept: Kept): void {
    this.holders.delete(kept)
    this.holders.add(kept)
  }

  /** @internal for Kept: so many bytes more, or fewer, are held. */
  count(change: number): void {
    this.bytes += change
    this.counters.add(Counter.RequestBytesKept, change)
    if (change > 0) this.hasGrown = true
  }

  /** @internal for Kept: a chunk, by its number. */
  take(): number {
    this.count(CHUNK_BYTES)
    return this.blocks.take()
  }

  /** @internal for Kept */
  giveBack(chunk: number): void {
    this.blocks.giveBack(chunk)
    this.count(-CHUNK_BYTES)
  }

  /** @internal for Kept: the bytes of a chunk. */
  chunk(chunk: number): Uint8Array { return this.blocks.chunk(chunk) }

  /** After a client was served, when none is: sees to it that not too much is held, if it is more than before. */
  check(): void { if (this.hasGrown) this.makeRoom() }

  /** Sees to it that not too much is held. */
  makeRoom(): void {
    this.hasGrown = false
    for (const { owner } of this.holders) {
      if (!this.isTooMuch || this.bytes <= this.bytesShare) break
      owner.giveUp()
    }
    if (this.isTooMuch) this.ask()
  }

  private get isTooMuch(): boolean { return this.counters.current(Counter.RequestBytesKept) > this.bytesMax }

  /** Once in a turn of the event loop, as they cannot do anything before. */
  private ask(): void {
    if (this.hasAsked) return
    this.hasAsked = true
    setImmediate(() => { this.hasAsked = false })
    this.askOthers()
  }
}
