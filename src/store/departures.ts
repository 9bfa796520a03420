// Departures: a record of each item whose key has left the store, and of each prefix that was flushed: the hash, the reason, the
// time and the class. Each thread has a ring of its own, in which it records the items that it removes, without a lock. Any
// thread may read all rings.
//
//   ring     | count | (to the next cache line) | record | record ...     a power of two of them, the same in each ring
//   record     word 0   1        2                    3
//              hash     second   reason, class << 4   since
//
// `second` and `since` are in store time. `since` is the second of the item's last use or, if it expired, of its expiration. The
// rest of word 2 is 0.
//
// Allocator records a removal once, under the stripe of its key. A key whose value was replaced has not left, so nothing is
// recorded. There is no record of a flush_all: StoreContext.flushedAt has its second, and the items that it left dead are not
// recorded one by one. Nor are those of a flushed prefix; the record of its flush has the hash of the prefix. An item that was
// flushed and has expired counts as flushed.
//
// The count is the number of records ever written, modulo 2^32. A thread first writes a record and then the new count. So all
// records except the one at the count's own place are complete, and a reader that sees that the count has grown knows which
// records may have been overwritten while it read. If a processor shows stores in another order, a record that is read while it
// is overwritten may mix two records. Each field is then one that was written, so readers use records only as hints.
//
// The records are not for the lists, which have a much smaller trace of each evicted item, and so of more items: see ghosts.ts.
import { assert } from '../errors.js'
import { Leaving } from '../log/events.js'
import { Size } from '../memory/layout.js'

/** The reason why a key left. */
export const enum Departure {
  /** A flush left the item dead. This is not recorded. */
  Flushed,
  /** Memory was needed, or the item was in a page that had to leave its class. */
  Evicted,
  /** The item expired. */
  Expired,
  /** A client deleted the item. */
  Deleted,
  /** A client's set was refused, as the item was too large or there was no memory. This removes the outdated value. */
  TooLarge,
  NoMemory,
  /** A client flushed a prefix. The hash is that of the prefix. */
  PrefixFlushed,
  End,
}

/** The kind of event that a departure is for listeners, by Departure. */
export const LEAVING: readonly number[] = [
  0, Leaving.Evicted, Leaving.Expired, Leaving.Deleted, Leaving.Deleted, Leaving.Deleted,
]

/** The facts about a departure; see the head of the file. */
export interface Departed {
  readonly reason: Departure
  readonly slabClass: number
  readonly second: number
  readonly since: number
}

const enum RecordWord { Hash, Second, What, Since, Stride }

/** The index of a ring's count. */
const COUNT = 0
/** The words before the records, which begin on a cache line of their own, as other threads read the count. */
const HEADER_WORDS = 16
const CLASS_SHIFT = 4
const REASON_MASK = (1 << CLASS_SHIFT) - 1
/** The rings take at most the memory limit divided by this. */
const SHARE = 128
/** The most records in all rings together. They take 64 MiB, which the first arena has room for. */
const RECORDS_MAX = 2 ** 22
/** The records that a step of a search reads: 64 KiB, in some 10 microseconds. */
const RECORDS_PER_STEP = 4096

export class Departures {
  /** The number of records in a ring, a power of two; 0 if the memory limit leaves no room for them. */
  readonly capacity: number
  private readonly ringWords: number
  /** The word index of this thread's ring. */
  private readonly own: number

  /** The number of records in each of `threads` rings with a memory limit of `maxbytes`. */
  static capacityFor(maxbytes: number, threads: number): number {
    const fitting = (maxbytes / SHARE / threads - HEADER_WORDS * 4) / (RecordWord.Stride * 4)
    const max = Math.floor(Math.min(fitting, RECORDS_MAX / threads))
    return max < 1 ? 0 : 1 << (31 - Math.clz32(max))
  }

  /** The bytes of memory that Departures need, zeroed at the start. */
  static bytesFor(maxbytes: number, threads: number): number {
    const capacity = Departures.capacityFor(maxbytes, threads)
    return capacity === 0 ? 0 : threads * (HEADER_WORDS + capacity * RecordWord.Stride) * 4
  }

  /**
   * @param at word index of `bytesFor(maxbytes, threads)` bytes
   * @param thread the number of this thread, below `threads`
   */
  constructor(private readonly words: Int32Array, private readonly at: number, maxbytes: number, private readonly threads: number,
    thread: number) {
    this.capacity = Departures.capacityFor(maxbytes, threads)
    this.ringWords = HEADER_WORDS + this.capacity * RecordWord.Stride
    this.own = this.ringOf(thread)
  }

  /** Records a departure in this thread's ring. @param slabClass 0 for a prefix */
  record(hash: number, reason: Departure, slabClass: number, second: number, since: number): void {
    const { words, own, capacity } = this
    if (capacity === 0) return
    const count = words[own + COUNT]!
    const record = own + HEADER_WORDS + (count & (capacity - 1)) * RecordWord.Stride
    words[record + RecordWord.Hash] = hash
    words[record + RecordWord.Second] = second
    words[record + RecordWord.What] = reason | (slabClass << CLASS_SHIFT)
    words[record + RecordWord.Since] = since
    // a plain store: an atomic one would take as long as all the rest, and the caller's release of its lock publishes both
    words[own + COUNT] = count + 1
  }

  /** The number of records that a search would read now, in the rings of all threads. */
  get remembered(): number {
    let sum = 0
    for (let thread = 0; thread < this.threads && this.capacity > 0; thread++) {
      const ring = this.ringOf(thread)
      sum += this.isFull(ring) ? this.capacity - 1 : Math.min(Atomics.load(this.words, ring + COUNT), this.capacity - 1)
    }
    return sum
  }

  private ringOf(thread: number): number { return this.at + thread * this.ringWords }

  /** True if each record of a ring has been written: then the last one has a second, which is never 0. */
  private isFull(ring: number): boolean {
    return this.words[ring + this.ringWords - RecordWord.Stride + RecordWord.Second] !== 0
  }

  /** Begins a search for the newest record of the hash of a key, or of a prefix. */
  search(hash: number, isPrefix = false): DepartureSearch {
    const rings = this.capacity === 0 ? [] : Array.from({ length: this.threads }, (_, thread) => this.ringOf(thread))
    return new DepartureSearch(this.words, rings, this.capacity, hash, isPrefix)
  }

  /** Checks all rings. No thread may write them meanwhile. @param largestClass the largest class that an item can have left */
  verify(largestClass: number): void {
    if (this.capacity === 0) return
    for (let thread = 0; thread < this.threads; thread++) this.verifyRing(thread, largestClass)
  }

  private verifyRing(thread: number, largestClass: number): void {
    const { words, capacity } = this
    const ring = this.ringOf(thread)
    const count = words[ring + COUNT]!
    const written = this.isFull(ring) ? capacity : count
    for (let index = 0; index < capacity; index++) {
      const record = ring + HEADER_WORDS + index * RecordWord.Stride
      const { reason, slabClass, second } = departedAt(words, record)
      const isEmpty = words.subarray(record, record + RecordWord.Stride).every(word => word === 0)
      assert(isEmpty === index >= written,
        `ring ${thread} counts ${count} departures, but its record ${index} is ${isEmpty ? 'empty' : 'written'}`)
      if (isEmpty) continue
      assert(reason >= Departure.Evicted && reason < Departure.End, `record ${index} of ring ${thread} has no reason`)
      assert(reason === Departure.PrefixFlushed ? slabClass === 0 : slabClass > 0 && slabClass <= largestClass,
        `record ${index} of ring ${thread} is of class ${slabClass}`)
      assert(second > 0, `record ${index} of ring ${thread} has no time`)
    }
  }
}

/**
 * A search for the newest record of a hash, in steps: ring after ring, each from its newest record back. It finds a record that
 * was written before the search came to its ring, and is not overwritten before the search comes to the record. If records in
 * different rings have the same second, it may find any of them.
 */
export class DepartureSearch {
  /** The newest departure found so far. It is the result once the search has ended. */
  found: Departed | undefined
  private ringAt = -1
  /** The number of the next record, and the number of records left in the ring. */
  private next = 0
  private left = 0

  constructor(private readonly words: Int32Array, private readonly rings: readonly number[], private readonly capacity: number,
    private readonly hash: number, private readonly isPrefix: boolean) {}

  /** Reads some records. Returns true if those were the last. */
  step(): boolean {
    for (let count = 0; count < RECORDS_PER_STEP; count++) {
      if (this.left === 0 && !this.enterNextRing()) return true
      if (this.left > 0) this.readNext()
    }
    return false
  }

  private enterNextRing(): boolean {
    if (this.ringAt + 1 >= this.rings.length) return false
    this.ringAt++
    this.next = (this.countOf(this.ringAt) - 1) | 0
    // the thread may be writing the record at the count's own place
    this.left = this.capacity - 1
    return true
  }

  private countOf(ringAt: number): number { return Atomics.load(this.words, this.rings[ringAt]! + COUNT) }

  private readNext(): void {
    const { words, capacity } = this
    const number = this.next
    const record = this.rings[this.ringAt]! + HEADER_WORDS + (number & (capacity - 1)) * RecordWord.Stride
    this.next = (number - 1) | 0
    this.left--
    const departed = departedIfHash(words, record, this.hash)
    if (departed === undefined) {
      // the ring is not full yet, and this is behind its oldest record
      if (words[record + RecordWord.Second] === 0) this.left = 0
      return
    }
    const isOverwritten = ((this.countOf(this.ringAt) - number) | 0) >= capacity
    if (!isOverwritten && (departed.reason === Departure.PrefixFlushed) !== this.isPrefix) return
    this.left = 0
    if (!isOverwritten && departed.second >= (this.found?.second ?? 0)) this.found = departed
  }
}

function departedIfHash(words: Int32Array, record: number, hash: number): Departed | undefined {
  const isFound = words[record + RecordWord.Hash] === hash && words[record + RecordWord.Second] !== 0
  return isFound ? departedAt(words, record) : undefined
}

function departedAt(words: Int32Array, record: number): Departed {
  const what = words[record + RecordWord.What]!
  return {
    reason: what & REASON_MASK,
    slabClass: (what >>> CLASS_SHIFT) & (Size.Classes - 1),
    second: words[record + RecordWord.Second]!,
    since: words[record + RecordWord.Since]!,
  }
}
