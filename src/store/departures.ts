// Departures: a record of each item whose key has left the store, and of each prefix that was flushed: the hash, the reason, the
// time, the class and the client. Each thread has a ring of its own, in which it records the items that it removes, without a
// lock. Any thread may read all rings.
//
//   orders | ring | ring ... | tables of clients, see clients.ts           orders: a word for each stripe
//   ring     | count | (to the next cache line) | record | record ...      a power of two of them, the same in each ring
//   record     word 0   1        2                                    3       4       5
//              hash     second   reason, class << 4, client << 10     since   order   generation
//
// `second` and `since` are in store time. `since` is the second of the item's last use or, if it expired, of its expiration. The
// client is that of a request which removed the item, by its number, otherwise 0. `generation` is that of the store: it says
// whether a flush came before or after.
//
// A key may leave several times in a second, in several threads. So each stripe counts what leaves under it, and a record has the
// count of its stripe as its `order`. Writes that are refused take part in it: see Refusals. It is 0 for a prefix.
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
import { Clients } from './clients.js'
import { type Client } from './request.js'

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

/** The highest generation for which records may be of higher ones: there cannot have been many flushes since a restart. */
const GENERATION_EARLY = 2 ** 28

/** The facts about a departure; see the head of the file. */
export interface Departed {
  readonly reason: Departure
  readonly slabClass: number
  readonly second: number
  readonly since: number
  readonly order: number
  readonly generation: number
  /** The thread that recorded it, and the number of the client in this thread, 0 for none. */
  readonly thread: number
  readonly client: number
}

/** The facts from which the size of all this follows. */
export interface DepartureFacts {
  /** The memory limit at the start. */
  readonly maxbytes: number
  readonly threads: number
  readonly stripeCount: number
  /** The records that all rings together are to have; negative for as many as a share of the memory limit allows. */
  readonly explainEntries: number
}

const enum RecordWord { Hash, Second, What, Since, Order, Generation, Stride }

/** The index of a ring's count. */
const COUNT = 0
/** The words before the records, which begin on a cache line of their own, as other threads read the count. */
const HEADER_WORDS = 16
const CLASS_SHIFT = 4
const REASON_MASK = (1 << CLASS_SHIFT) - 1
const CLIENT_SHIFT = CLASS_SHIFT + 6
/** All this takes at most the memory limit divided by this, unless `explainEntries` says otherwise. */
const SHARE = 100
/** The most records in all rings together. With the clients they take 59 MB, which the first arena has room for. */
const RECORDS_MAX = 2 ** 21
/** The most that `explainEntries` may be: as it is rounded up to a power of two in each thread, there may be twice as many. */
export const EXPLAIN_ENTRIES_MAX = RECORDS_MAX / 2
/** The records for each row of the table of clients. */
const RECORDS_PER_CLIENT = 32
/** The bytes that a record takes with its part of a row of clients. */
const BYTES_PER_RECORD = RecordWord.Stride * 4 + 128 / RECORDS_PER_CLIENT
/** The records that a step of a search reads: 96 KiB, in some 10 microseconds. */
const RECORDS_PER_STEP = 4096

export class Departures {
  /** The number of records in a ring, a power of two; 0 if the memory limit leaves no room for them. */
  readonly capacity: number
  /** The clients that removed items lately. */
  readonly clients: Clients
  private readonly threads: number
  private readonly ringWords: number
  /** The word index of the first ring, and that of this thread. */
  private readonly rings: number
  private readonly own: number
  private readonly stripeMask: number

  /** The number of records in each ring. */
  static capacityFor({ maxbytes, threads, stripeCount, explainEntries }: DepartureFacts): number {
    if (explainEntries >= 0) return explainEntries === 0 ? 0 : roundedUp(Math.ceil(explainEntries / threads))
    const bytes = (Math.floor(maxbytes / SHARE) - stripeCount * 4) / threads - 2 * HEADER_WORDS * 4
    const max = Math.floor(Math.min(bytes / BYTES_PER_RECORD, RECORDS_MAX / threads))
    return max < 1 ? 0 : 1 << (31 - Math.clz32(max))
  }

  /** The bytes of memory that Departures need, zeroed at the start. */
  static bytesFor(facts: DepartureFacts): number {
    const { threads, stripeCount } = facts
    const capacity = Departures.capacityFor(facts)
    if (capacity === 0) return 0
    const ringBytes = (HEADER_WORDS + capacity * RecordWord.Stride) * 4
    return stripeCount * 4 + threads * ringBytes + Clients.bytesFor(clientRows(capacity), threads)
  }

  /**
   * @param at word index of `bytesFor(facts)` bytes
   * @param thread the number of this thread, below `threads`
   */
  constructor(private readonly words: Int32Array, private readonly at: number, facts: DepartureFacts, thread: number) {
    const { threads, stripeCount } = facts
    this.capacity = Departures.capacityFor(facts)
    this.threads = threads
    this.stripeMask = stripeCount - 1
    this.ringWords = HEADER_WORDS + this.capacity * RecordWord.Stride
    this.rings = at + stripeCount
    this.own = this.ringOf(thread)
    this.clients = new Clients(words, this.rings + threads * this.ringWords, clientRows(this.capacity), thread)
  }

  /**
   * Records that an item left, in this thread's ring. The caller has the stripe of the key.
   * @param client the client whose request removed it; undefined for none
   */
  record(hash: number, reason: Departure, slabClass: number, second: number, since: number, generation: number,
    client: Client | undefined): void {
    if (this.capacity === 0) return
    const number = client === undefined ? 0 : this.clients.numberOf(client)
    const what = reason | (slabClass << CLASS_SHIFT) | (number << CLIENT_SHIFT)
    this.write(hash, second, what, since, this.nextOrder(hash), generation)
  }

  /** Records that a prefix was flushed, by its hash. */
  recordPrefix(hash: number, second: number, generation: number): void {
    if (this.capacity > 0) this.write(hash, second, Departure.PrefixFlushed, second, 0, generation)
  }

  private write(hash: number, second: number, what: number, since: number, order: number, generation: number): void {
    const { words, own, capacity } = this
    const count = words[own + COUNT]!
    const record = own + HEADER_WORDS + (count & (capacity - 1)) * RecordWord.Stride
    words[record + RecordWord.Hash] = hash
    words[record + RecordWord.Second] = second
    words[record + RecordWord.What] = what
    words[record + RecordWord.Since] = since
    words[record + RecordWord.Order] = order
    words[record + RecordWord.Generation] = generation
    // a plain store: an atomic one would take as long as all the rest, and the caller's release of its lock publishes both
    words[own + COUNT] = count + 1
  }

  /** The next order of a stripe, which the caller has: a number modulo 2^32. */
  nextOrder(hash: number): number { return this.capacity === 0 ? 0 : ++this.words[this.at + (hash & this.stripeMask)]! }

  /** The number of records that a search would read now, in the rings of all threads. */
  get remembered(): number {
    let sum = 0
    for (let thread = 0; thread < this.threads && this.capacity > 0; thread++) {
      const ring = this.ringOf(thread)
      sum += this.isFull(ring) ? this.capacity - 1 : Math.min(Atomics.load(this.words, ring + COUNT), this.capacity - 1)
    }
    return sum
  }

  /**
   * True if a record has been overwritten that was written after the store began a generation, so that a key may have left since
   * then of which nothing is known.
   */
  hasForgottenSince(generation: number): boolean {
    for (let thread = 0; thread < this.threads && this.capacity > 0; thread++) {
      const ring = this.ringOf(thread)
      // the oldest record that is not being overwritten
      const index = (Atomics.load(this.words, ring + COUNT) + 1) & (this.capacity - 1)
      const oldest = ring + HEADER_WORDS + index * RecordWord.Stride
      if (this.isFull(ring) && this.words[oldest + RecordWord.Generation]! >= generation) return true
    }
    return this.capacity === 0
  }

  private ringOf(thread: number): number { return this.rings + thread * this.ringWords }

  /** True if each record of a ring has been written: then the last one has a second, which is never 0. */
  private isFull(ring: number): boolean {
    return this.words[ring + this.ringWords - RecordWord.Stride + RecordWord.Second] !== 0
  }

  /** @internal For tests: the orders of all records of a hash. No thread may write meanwhile. */
  ordersOf(hash: number): number[] {
    const orders: number[] = []
    for (let thread = 0; thread < this.threads; thread++) {
      for (let index = 0; index < this.capacity; index++) {
        const record = this.ringOf(thread) + HEADER_WORDS + index * RecordWord.Stride
        const departed = departedIfHash(this.words, record, hash, thread)
        if (departed !== undefined) orders.push(departed.order)
      }
    }
    return orders
  }

  /** Begins a search for the newest record of the hash of a key, or of a prefix. */
  search(hash: number, isPrefix = false): DepartureSearch {
    const rings = this.capacity === 0 ? [] : Array.from({ length: this.threads }, (_, thread) => this.ringOf(thread))
    return new DepartureSearch(this.words, rings, this.capacity, hash, isPrefix)
  }

  /**
   * Checks all rings. No thread may write them meanwhile.
   * @param largestClass the largest class that an item can have left; @param generation that of the store
   */
  verify(largestClass: number, generation: number): void {
    if (this.capacity === 0) return
    for (let thread = 0; thread < this.threads; thread++) this.verifyRing(thread, largestClass, generation)
  }

  private verifyRing(thread: number, largestClass: number, generation: number): void {
    const { words, capacity } = this
    const ring = this.ringOf(thread)
    const count = words[ring + COUNT]!
    const written = this.isFull(ring) ? capacity : count
    for (let index = 0; index < capacity; index++) {
      const record = ring + HEADER_WORDS + index * RecordWord.Stride
      const { reason, slabClass, second, order, ...departed } = departedAt(words, record, thread)
      const isEmpty = words.subarray(record, record + RecordWord.Stride).every(word => word === 0)
      assert(isEmpty === index >= written,
        `ring ${thread} counts ${count} departures, but its record ${index} is ${isEmpty ? 'empty' : 'written'}`)
      if (isEmpty) continue
      assert(reason >= Departure.Evicted && reason < Departure.End, `record ${index} of ring ${thread} has no reason`)
      assert(reason === Departure.PrefixFlushed ? slabClass === 0 : slabClass > 0 && slabClass <= largestClass,
        `record ${index} of ring ${thread} is of class ${slabClass}`)
      assert(second > 0, `record ${index} of ring ${thread} has no time`)
      const last = words[this.at + (words[record + RecordWord.Hash]! & this.stripeMask)]!
      assert(reason === Departure.PrefixFlushed ? order === 0 : ((last - order) | 0) >= 0,
        `record ${index} of ring ${thread} is number ${order} of its stripe, which counts ${last}`)
      // the numbers of generations may begin again, see Generations.restart
      assert(departed.generation > 0 && (departed.generation <= generation || generation < GENERATION_EARLY),
        `record ${index} of ring ${thread} is of generation ${departed.generation}, the store of ${generation}`)
      const isByClient = reason >= Departure.Deleted && reason !== Departure.PrefixFlushed
      assert(departed.client === 0 || isByClient, `record ${index} of ring ${thread} names a client`)
    }
  }
}

/**
 * A search for the newest record of a hash, in steps: ring after ring, each from its newest record back. It finds a record that
 * was written before the search came to its ring, and is not overwritten before the search comes to the record.
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
    const departed = departedIfHash(words, record, this.hash, this.ringAt)
    if (departed === undefined) {
      // the ring is not full yet, and this is behind its oldest record
      if (words[record + RecordWord.Second] === 0) this.left = 0
      return
    }
    const isOverwritten = ((this.countOf(this.ringAt) - number) | 0) >= capacity
    if (!isOverwritten && (departed.reason === Departure.PrefixFlushed) !== this.isPrefix) return
    this.left = 0
    if (!isOverwritten && this.isNewest(departed)) this.found = departed
  }

  private isNewest({ order, second, generation }: Departed): boolean {
    const { found } = this
    if (found === undefined) return true
    if (!this.isPrefix) return ((order - found.order) | 0) > 0
    return second === found.second ? generation > found.generation : second > found.second
  }
}

function departedIfHash(words: Int32Array, record: number, hash: number, thread: number): Departed | undefined {
  const isFound = words[record + RecordWord.Hash] === hash && words[record + RecordWord.Second] !== 0
  return isFound ? departedAt(words, record, thread) : undefined
}

function departedAt(words: Int32Array, record: number, thread: number): Departed {
  const what = words[record + RecordWord.What]!
  return {
    reason: what & REASON_MASK,
    slabClass: (what >>> CLASS_SHIFT) & (Size.Classes - 1),
    second: words[record + RecordWord.Second]!,
    since: words[record + RecordWord.Since]!,
    order: words[record + RecordWord.Order]!,
    generation: words[record + RecordWord.Generation]!,
    thread,
    client: what >>> CLIENT_SHIFT,
  }
}

/** The rows of each table of clients, for rings of so many records. */
function clientRows(capacity: number): number { return capacity < RECORDS_PER_CLIENT ? 0 : capacity / RECORDS_PER_CLIENT }

/** The least power of two that is not less. */
function roundedUp(count: number): number { return count <= 1 ? 1 : 2 ** (32 - Math.clz32(count - 1)) }
