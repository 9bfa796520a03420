// Counters: a row of numbers for each thread, which only that thread writes. The sums are computed when a client asks for them.
// The enums number the counters; rows.ts has the name, kind and help text of each, from which `stats` is made. Numbers are
// doubles, exact up to 2^53. `stats reset` does not change the rows, as their threads go on counting: it stores the present sums
// in a row of its own, which is subtracted from then on.

/** The counters that each thread has once. The order is that of its row. */
export const enum Counter {
  GetMisses, GetExpired, GetFlushed, CmdGet, CmdTouch, TouchMisses, DeleteMisses, IncrMisses, DecrMisses, CasMisses,
  CmdFlush, CmdMeta, StoreTooLarge, StoreNoMemory, AuthCmds, AuthErrors, BytesRead, BytesWritten, TotalItems,
  TotalConnections, RejectedConnections, ListenDisabled, ListenDisabledUs, ConnYields, IdleKicks, AuthKicks, ReadBufOom,
  SlabsMoved,
  /** The ways in which items, and chunks of items, left pages that were moved. */
  Rescues, ChunkRescues, InlineReclaims, BusyItems, BusyDeletes, BusyNoMemory,
  SslNewSessions, SslHandshakeErrors, SslProtoErrors, LruJuggles, CrawlerStarts, LogWorkerDropped, LogWorkerWritten,
  LogWatcherSkipped, LogWatcherSent,
  /** Answers refused because an item has as many readers as can be counted. */
  ResponseOom,
  /** The times that a thread waited for a lock of the store, and those of them that it slept; and how long it slept. */
  LockWaits, LockSleeps, LockSleepUs,
  /** The writes that were refused, in the order of Refusal. */
  RefusedTooLarge, RefusedNoMemory, RefusedBadData,
  /** The connections whose clients spoke HTTP. They count among all connections, too. */
  HttpConnections,
  // Numbers that go up and down, which a reset leaves alone: see `current`.
  /** The references to items that sessions hold: reserved items, and items that are being sent. */
  RefsHeld,
  /** Output buffers outside the memory of the items; and buffers of answers that wait for a slow client. */
  OutputsAdded, OutputsHeld,
  /** Buffers of unfinished requests, and their bytes. */
  RequestsKept, RequestBytesKept,
  Count = 64,
}

/** The counters that each thread has for each slab class. */
export const enum ClassCounter {
  HitsToHot, HitsToWarm, HitsToCold, HitsToTemp, CmdSet, TouchHits, DeleteHits, IncrHits, DecrHits, CasHits, CasBadval,
  Evicted, EvictedNonzero, EvictedUnfetched, EvictedActive, OutOfMemory, TailRepairs, Reclaimed, ExpiredUnfetched,
  CrawlerReclaimed, CrawlerChecked, TailReflocked, MovesToCold, MovesToWarm, MovesWithinLru, DirectReclaims,
  Count = 32,
}

const CLASSES = 64
const ROW = Counter.Count + CLASSES * ClassCounter.Count

export class Counters {
  private readonly rows: Float64Array
  private readonly row: Float64Array
  /** The sums of the rows at the last reset. */
  private readonly before: Float64Array

  static bytesFor(threads: number): number { return (threads + 1) * ROW * 8 }

  /** @param at byte index of `bytesFor(threads)` in `buffer`; @param own the number of this thread, from 0 */
  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number, threads: number, own: number) {
    this.rows = new Float64Array(buffer, at, threads * ROW)
    this.row = this.rows.subarray(own * ROW, (own + 1) * ROW)
    this.before = new Float64Array(buffer, at + threads * ROW * 8, ROW)
  }

  add(counter: Counter, amount = 1): void { this.row[counter]! += amount }

  addClass(slabClass: number, counter: ClassCounter): void {
    this.row[Counter.Count + slabClass * ClassCounter.Count + counter]!++
  }

  sum(counter: Counter): number { return this.total(counter) - this.before[counter]! }

  sumClass(slabClass: number, counter: ClassCounter): number {
    const index = Counter.Count + slabClass * ClassCounter.Count + counter
    return this.total(index) - this.before[index]!
  }

  /** The present value, over all threads, of a number that goes up and down. */
  current(counter: Counter): number { return this.total(counter) }

  /** The sum of a class counter over all classes. */
  sumClasses(counter: ClassCounter): number {
    let sum = 0
    for (let slabClass = 0; slabClass < CLASSES; slabClass++) sum += this.sumClass(slabClass, counter)
    return sum
  }

  /** What this thread has counted since the start, whatever was reset. */
  own(counter: Counter): number { return this.row[counter]! }

  /** Sets a number that goes up and down to 0 for a thread that has ended. */
  clear(thread: number, counter: Counter): void { this.rows[thread * ROW + counter] = 0 }

  /** `stats reset`: sets all sums back to 0. */
  reset(): void {
    for (let index = 0; index < ROW; index++) this.before[index] = this.total(index)
  }

  private total(index: number): number {
    let sum = 0
    for (let at = index; at < this.rows.length; at += ROW) sum += this.rows[at]!
    return sum
  }
}
