// The memory for unfinished requests of a thread's clients: requests whose end has not come, long gets that are being served, and
// replies that wait for the rest of a value. It is no part of the items' memory.
//
// Short bytes lie in a Buffer of their own. Longer ones lie in chunks, whose memory is returned to the system, see Blocks.
//
// All threads together hold about as much as -o request_mem_limit at most. A thread that has taken more memory checks the sum. If
// that is too large, the thread ends the connections of the clients whose requests have been unfinished for the longest time,
// while it holds more than its share. If that does not suffice, it asks the other threads to do the same, one of which must hold
// more than its share. Until these have done so, the threads may hold up to twice the limit.
import { Blocks } from '../memory/blocks.js'
import { Counter, type Counters } from '../stats/counters.js'
import { setImmediate } from '../timers.js'
import { UNFINISHED_LINE_MAX } from './line.js'

/** The bytes of a chunk: a page of the operating system. */
const CHUNK_BYTES = 4096
/** The most bytes that lie in a Buffer: those of the longest unfinished line that is no get. */
const SHORT_BYTES_MAX = UNFINISHED_LINE_MAX

/** The owner of kept bytes: a session. */
export interface Owner {
  /** Clears all bytes of this owner, and ends its connection. */
  giveUp(): void
}

/** A sequence of kept bytes, to which more can be appended. */
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

  /** Removes all but the first `length` bytes. There are at least as many. */
  truncate(length: number): void {
    this.length = length
    while (this.chunks.length > Math.ceil(length / CHUNK_BYTES)) this.memory.giveBack(this.chunks.pop()!)
  }

  /** Removes all bytes, as their request is finished, and becomes the youngest of the thread. */
  restart(): void {
    this.memory.renew(this)
    this.truncate(0)
  }

  /** Removes all bytes, and frees the memory. */
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

/** The memory that one thread holds. */
export class Unfinished {
  private readonly blocks = new Blocks(CHUNK_BYTES)
  /** The sequences with bytes, the oldest first. */
  private readonly holders = new Set<Kept>()
  private bytes = 0
  private hasGrown = false
  private hasAsked = false

  /**
   * @param bytesMax the most bytes of all threads together
   * @param bytesShare the bytes that this thread may hold even if all threads hold too many
   * @param askOthers makes the other threads call `makeRoom`
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

  /** @internal for Kept: makes it the youngest. */
  renew(kept: Kept): void {
    this.holders.delete(kept)
    this.holders.add(kept)
  }

  /** @internal for Kept: adds to the number of bytes that are held. */
  count(change: number): void {
    this.bytes += change
    this.counters.add(Counter.RequestBytesKept, change)
    if (change > 0) this.hasGrown = true
  }

  /** @internal for Kept: takes a chunk and returns its number. */
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

  /** Calls `makeRoom` if this thread has taken more memory since. Called after a batch, when no session is being served. */
  check(): void { if (this.hasGrown) this.makeRoom() }

  /** Gives up the oldest requests while there is too much memory held and this thread holds more than its share. */
  makeRoom(): void {
    this.hasGrown = false
    for (const { owner } of this.holders) {
      if (!this.isTooMuch || this.bytes <= this.bytesShare) break
      owner.giveUp()
    }
    if (this.isTooMuch) this.ask()
  }

  private get isTooMuch(): boolean { return this.counters.current(Counter.RequestBytesKept) > this.bytesMax }

  /** Asks the other threads, but only once in a turn of the event loop. */
  private ask(): void {
    if (this.hasAsked) return
    this.hasAsked = true
    setImmediate(() => { this.hasAsked = false })
    this.askOthers()
  }
}
