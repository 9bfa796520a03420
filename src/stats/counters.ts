// Counters: a row of numbers for each thread, summed when asked. One table here names every counter; `stats`, `stats
// items` and `stats slabs` are made from it. Rows are doubles, exact up to 2^53.

/** What a thread counts once. The order is the order of the row. */
export const enum Counter {
  GetMisses, GetExpired, GetFlushed, CmdGet, CmdTouch, TouchMisses, DeleteMisses, IncrMisses, DecrMisses, CasMisses,
  CmdFlush, CmdMeta, StoreTooLarge, StoreNoMemory, AuthCmds, AuthErrors, BytesRead, BytesWritten, TotalItems,
  TotalConnections, RejectedConnections, ListenDisabled, ListenDisabledUs, ConnYields, IdleKicks, ReadBufOom, SlabsMoved,
  SslNewSessions, SslHandshakeErrors, SslProtoErrors,
  Count = 32,
}

/** What a thread counts for each slab class. */
export const enum ClassCounter {
  HitsToHot, HitsToWarm, HitsToCold, HitsToTemp, CmdSet, TouchHits, DeleteHits, IncrHits, DecrHits, CasHits, CasBadval,
  Evicted, EvictedNonzero, EvictedUnfetched, EvictedActive, OutOfMemory, TailRepairs, Reclaimed, ExpiredUnfetched,
  CrawlerReclaimed, CrawlerChecked, TailReflocked, MovesToCold, MovesToWarm, MovesWithinLru, DirectReclaims,
  Count = 32,
}

const CLASSES = 64
const ROW = Counter.Count + CLASSES * ClassCounter.Count

export class Counters {
  static readonly ROW_BYTES = ROW * 8
  private readonly row: Float64Array

  /** @param rows one row for each thread; @param own the number of this thread's row */
  constructor(private readonly rows: Float64Array, own: number) {
    this.row = rows.subarray(own * ROW, (own + 1) * ROW)
  }

  add(counter: Counter, amount = 1): void { this.row[counter]! += amount }

  addClass(slabClass: number, counter: ClassCounter): void {
    this.row[Counter.Count + slabClass * ClassCounter.Count + counter]!++
  }

  sum(counter: Counter): number { return this.total(counter) }

  sumClass(slabClass: number, counter: ClassCounter): number {
    return this.total(Counter.Count + slabClass * ClassCounter.Count + counter)
  }

  /** The sum over all classes. */
  sumClasses(counter: ClassCounter): number {
    let sum = 0
    for (let slabClass = 0; slabClass < CLASSES; slabClass++) sum += this.sumClass(slabClass, counter)
    return sum
  }

  /** `stats reset`: everything back to 0. */
  reset(): void { this.rows.fill(0) }

  private total(index: number): number {
    let sum = 0
    for (let at = index; at < this.rows.length; at += ROW) sum += this.rows[at]!
    return sum
  }
}
