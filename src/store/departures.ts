// Departures: a record of each item whose key has left the store, and of each prefix that was flushed: the hash, why, when, and
// from which class. Each thread has a ring of its own, written by the thread that removed the item, with no lock; any thread may
// read all rings.
//
//   ring     | count | (to the next cache line) | record | record ...     a power of two of them, the same in each ring
//   record     word 0   1        2                    3
//              hash     second   reason, class << 4   since
//
// `second` and `since` are in store time. `since` is when the item was last used, or for one that expired when it ended. The
// rest of word 2 is 0.
//
// A removal is recorded once, by Allocator, under the stripe of its key. A key whose value was replaced has not left, so nothing
// is recorded. Of a flush_all there is no record: StoreContext.flushedAt has its second, and the items it left dead are not
// recorded one by one. Nor are those of a flushed prefix, whose record has the hash of the prefix. An item that had expired as
// well counts as flushed.
//
// The count is the number of records ever written, modulo 2^32. A thread writes a record first and the new count then, so all
// records but the one at the count's own place are whole, and a reader that finds the count moved on knows which of them it may
// have read too late. Where a processor shows stores in another order, a record read in the moment it is overwritten may mix
// two; each of its fields is then one that was written, and a reader takes it for advice.
//
// A ghost of eviction is a record of Departure.Evicted. What answers "was this hash evicted lately" in O(1) is an index over the
// rings: a word for each record, at a place that the hash gives, with the ring and the number of the record. It is believed if
// the record has that hash still. The rings take 1/128 of the memory limit, so that index and rings stay within a hundredth.
import { assert } from '../errors.js'
import { Size } from '../memory/layout.js'

/** Why a key left. */
export const enum Departure {
  /** A flush left it dead: not recorded. */
  Flushed,
  /** There was no memory left, or the item was on a page that had to go. */
  Evicted,
  /** Its time had come. */
  Expired,
  /** A client deleted it. */
  Deleted,
  /** A client's set was refused as too large, or for want of memory, which takes the outdated value along. */
  TooLarge,
  NoMemory,
  /** No item: the hash is that of a prefix, and a client flushed it. */
  PrefixFlushed,
  End,
}

/** What is known of a departure; see the head of the file. */
export interface Departed {
  readonly reason: Departure
  readonly slabClass: number
  readonly second: number
  readonly since: number
}

const enum RecordWord { Hash, Second, What, Since, Stride }

/** Where a ring has its count; its records begin on the next cache line, as the others read the count. */
const COUNT = 0
const HEADER_WORDS = 16
const CLASS_SHIFT = 4
const REASON_MASK = (1 << CLASS_SHIFT) - 1
/** The rings take no more than this part of the memory limit. */
const SHARE = 128
/** All rings together have no more records than these, 64 MiB, so that the first arena has room for them. */
const RECORDS_MAX = 2 ** 22
/** How many records a step of a search reads: 64 KiB, in some 10 microseconds. */
const RECORDS_PER_STEP = 4096

export class Departures {
  /** The records of a ring, a power of two; 0 where the memory limit leaves no room for them. */
  readonly capacity: number
  private readonly ringWords: number
  /** Where this thread's ring begins. */
  private readonly own: number

  /** How many records each of `threads` rings has with a memory limit of `maxbytes`. */
  static capacityFor(maxbytes: number, threads: number): number {
    const fitting = (maxbytes / SHARE / threads - HEADER_WORDS * 4) / (RecordWord.Stride * 4)
    const most = Math.floor(Math.min(fitting, RECORDS_MAX / threads))
    return most < 1 ? 0 : 1 << (31 - Math.clz32(most))
  }

  /** The bytes of memory that this needs, zeroed at the start. */
  static bytesFor(maxbytes: number, threads: number): number {
    const capacity = Departures.capacityFor(maxbytes, threads)
    return capacity === 0 ? 0 : threads * (HEADER_WORDS + capacity * RecordWord.Stride) * 4
  }

  /**
   * @param at word index of `bytesFor` so much
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
    // plainly: an atomic store would take half of the time, and the lock that the caller gives back then shows all of it
    words[own + COUNT] = count + 1
  }

  /** How many records a search would go through now, all threads' together. */
  get remembered(): number {
    let sum = 0
    for (let thread = 0; thread < this.threads && this.capacity > 0; thread++) {
      const ring = this.ringOf(thread)
      sum += this.isFull(ring) ? this.capacity - 1 : Math.min(Atomics.load(this.words, ring + COUNT), this.capacity - 1)
    }
    return sum
  }

  private ringOf(thread: number): number { return this.at + thread * this.ringWords }

  /** Whether each record of a ring has been written once: no store is as old as second 0. */
  private isFull(ring: number): boolean { return this.words[ring + this.ringWords - RecordWord.Stride + RecordWord.Second] !== 0 }

  /** Begins to look for the newest record of a key's hash, or of a prefix's. */
  search(hash: number, isPrefix = false): DepartureSearch {
    const rings = this.capacity === 0 ? [] : Array.from({ length: this.threads }, (_, thread) => this.ringOf(thread))
    return new DepartureSearch(this.words, rings, this.capacity, hash, isPrefix)
  }

  /** Checks all rings; nobody may be writing. @param largestClass the largest class that an item can have left */
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
      assert(isEmpty === index >= written, `ring ${thread} counts ${count} departures, and record ${index} says otherwise`)
      if (isEmpty) continue
      assert(reason >= Departure.Evicted && reason < Departure.End, `record ${index} of ring ${thread} has no reason`)
      assert(reason === Departure.PrefixFlushed ? slabClass === 0 : slabClass > 0 && slabClass <= largestClass,
        `record ${index} of ring ${thread} is of class ${slabClass}`)
      assert(second > 0, `record ${index} of ring ${thread} has no time`)
    }
  }
}

/**
 * A search for the newest record of a hash in steps: ring after ring, each from its newest record back. It finds what was
 * recorded before it came to the ring and is not overwritten before it comes to the record. Of records of the same second
 * in rings of different threads it takes any.
 */
export class DepartureSearch {
  /** What has been found so far: the answer when the search has ended. */
  found: Departed | undefined
  private ringAt = -1
  /** The number of the record to be looked at next, and how many of the ring are left. */
  private next = 0
  private left = 0

  constructor(private readonly words: Int32Array, private readonly rings: readonly number[], private readonly capacity: number,
    private readonly hash: number, private readonly isPrefix: boolean) {}

  /** Looks at some records; true if those were the last. */
  step(): boolean {
    for (let count = 0; count < RECORDS_PER_STEP; count++) {
      if (this.left === 0 && !this.enterNextRing()) return true
      if (this.left > 0) this.look()
    }
    return false
  }

  private enterNextRing(): boolean {
    if (this.ringAt + 1 >= this.rings.length) return false
    this.ringAt++
    this.next = (this.countOf(this.ringAt) - 1) | 0
    // the record at the count's own place may be being written
    this.left = this.capacity - 1
    return true
  }

  private countOf(ringAt: number): number { return Atomics.load(this.words, this.rings[ringAt]! + COUNT) }

  private look(): void {
    const { words, capacity } = this
    const number = this.next
    const record = this.rings[this.ringAt]! + HEADER_WORDS + (number & (capacity - 1)) * RecordWord.Stride
    this.next = (number - 1) | 0
    this.left--
    const departed = departedIfHash(words, record, this.hash)
    if (departed === undefined) {
      // behind the oldest record of a ring that has not been filled yet
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
  return words[record + RecordWord.Hash] === hash && words[record + RecordWord.Second] !== 0 ? departedAt(words, record) : undefined
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
