// What each prefix of keys has in the store: its items, their bytes, the hits and misses of gets, and the evictions. A prefix is
// the part of a key before the first delimiter (-D). It is counted with -D, -o track_prefixes and -o prefix_quota, exactly: the
// sums over all prefixes are `curr_items` and the `mem_requested` of all classes, and verify() compares them with a walk over all
// items.
//
//   control words | index: a word a slot, 0 or the row's number + 1 | row | row ...      row   hash  length + 1  quota  bytes
//   tallies of thread 0, of thread 1 ... | those at the last reset                        tallies of a row   five doubles
//   others: for each thread a word a bucket
//
// A thread counts in tallies of its own, under the stripe of the key, and any thread adds them up. Rows are found without a lock,
// by the keyed hash of the prefix and its bytes; they are added under the lock of this table. Two rows are no prefixes:
// PrefixRow.None counts the keys without a delimiter, and PrefixRow.Other all prefixes for which there was no row left.
//
// An item is counted off where it was counted on. So a prefix whose items PrefixRow.Other counts must not get a row before they
// are gone. `others` counts these items by the hash of their prefixes, in buckets. From time to time `tidy`, for which all
// stripes are held, frees the rows of prefixes without items, and notes the buckets that have items: prefixes of these buckets
// stay in PrefixRow.Other until the next time, and all others may get rows until none is left.
import { assert } from '../../errors.js'
import { type Arena } from '../../memory/arena.js'
import { find, type Memory } from '../../memory/bytes.js'
import { Size } from '../../memory/layout.js'
import { type Locks } from '../../memory/lock.js'
import { type Hash } from '../index/hash.js'
import { type ItemId, type Items } from './items.js'

/** The most prefixes that are counted each by itself. */
export const COUNTED_PREFIXES_MAX = 4096
/** The slots of the index: a power of two, and twice as many as rows, so that most rows are found in the first slot. */
const SLOTS = 8192
/** The buckets by which items of PrefixRow.Other are counted. */
const BUCKETS = 8192
/** The rows that each thread remembers, by a quick hash of their prefixes. */
const RECENT = 256
/** The units of a quota in a whole: percents with two digits. */
const QUOTA_UNITS = 10_000

const enum Word { Lock, Rows, FreeRow, IsFull, Blocked = 16, Index = Blocked + BUCKETS / 32, FirstRow = Index + SLOTS }

/** A free row has the length 0, and the number of the next free row in place of the hash. */
const enum RowWord { Hash, Length, Quota, Bytes, Stride = 66 }

/** Rows that stand for no prefix, before the first one that does. */
export const enum PrefixRow { None, Other, First }

export const enum Tally { Items, Bytes, Hits, Misses, Evictions, Count }

const ROWS = PrefixRow.First + COUNTED_PREFIXES_MAX
const TALLIES = ROWS * Tally.Count
const FIRST_TALLY_BYTE = (Word.FirstRow + ROWS * RowWord.Stride) * 4

/** A row as a report shows it. */
export interface PrefixFacts {
  /** The bytes of the prefix; empty for PrefixRow.None and PrefixRow.Other. */
  readonly prefix: Uint8Array
  readonly items: number
  readonly bytes: number
  readonly hits: number
  readonly misses: number
  readonly evictions: number
  /** The part of the memory limit that the prefix may take, above 0 and up to 1; 0 for no quota. */
  readonly quota: number
}

export class PrefixUse {
  /** The row of a prefix with a quota that this thread has added bytes to; 0 for none. The shard takes it, see quotas.ts. */
  grown = 0
  private readonly words: Int32Array
  private readonly memory: Memory
  private readonly delimiter: number
  private readonly tallies: Float64Array
  /** The tallies of this thread. */
  private readonly own: Float64Array
  private readonly others: Int32Array
  private readonly ownOthers: Int32Array
  /** Rows that this thread has met, by a quick hash. */
  private readonly recent = new Int32Array(RECENT)
  private readonly at: number

  static bytesFor(threads: number): number { return FIRST_TALLY_BYTE + ((threads + 1) * TALLIES * 8) + threads * BUCKETS * 4 }

  /**
   * @param start byte index of `bytesFor(threads)` zeroed bytes
   * @param hash the hash of keys in the arena; @param locks those of the arena
   * @param delimiter one character, see -D
   */
  constructor({ buffer, words, memory }: Pick<Arena, 'buffer' | 'words' | 'memory'>, start: number, private readonly hash: Hash,
    private readonly locks: Locks, delimiter: string, private readonly threads: number, thread: number) {
    this.at = start >> 2
    this.words = words
    this.memory = memory
    this.delimiter = delimiter.charCodeAt(0)
    this.tallies = new Float64Array(buffer, start + FIRST_TALLY_BYTE, (threads + 1) * TALLIES)
    this.own = this.tallies.subarray(thread * TALLIES, (thread + 1) * TALLIES)
    this.others = new Int32Array(buffer, start + FIRST_TALLY_BYTE + (threads + 1) * TALLIES * 8, threads * BUCKETS)
    this.ownOthers = this.others.subarray(thread * BUCKETS, (thread + 1) * BUCKETS)
  }

  /** Prepares a new store. @param quotas percents of the memory limit by prefix */
  begin(quotas: Readonly<Record<string, number>>): void {
    this.words[this.at + Word.Rows] = PrefixRow.First
    for (const [prefix, percent] of Object.entries(quotas)) {
      const bytes = Buffer.from(prefix)
      const row = this.findOrAdd(bytes, 0, bytes.length)
      assert(row >= PrefixRow.First, 'there are more quotas than rows')
      this.words[this.rowAt(row) + RowWord.Quota] = Math.max(1, Math.round(percent / 100 * QUOTA_UNITS))
    }
  }

  // Counting. The caller has the stripe of the key.

  /** Counts a hit for a key. */
  hit(bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.own[this.rowOf(bytes, keyStart, keyEnd) * Tally.Count + Tally.Hits]!++
  }

  miss(bytes: Uint8Array, keyStart: number, keyEnd: number): void {
    this.own[this.rowOf(bytes, keyStart, keyEnd) * Tally.Count + Tally.Misses]!++
  }

  evicted(items: Items, item: ItemId): void { this.own[this.rowOfItem(items, item) * Tally.Count + Tally.Evictions]!++ }

  /** Counts an item that is linked, or with -1 one that is not any more. */
  count(items: Items, item: ItemId, change: 1 | -1): void {
    const row = this.rowOfItem(items, item)
    this.own[row * Tally.Count + Tally.Items]! += change
    if (row === PrefixRow.Other) this.ownOthers[this.bucketOf(items, item)]! += change
    this.addBytes(row, change * items.bytesOf(item))
  }

  /** Counts that the value of a linked item has other bytes than before. */
  resize(items: Items, item: ItemId, change: number): void { this.addBytes(this.rowOfItem(items, item), change) }

  private addBytes(row: number, change: number): void {
    this.own[row * Tally.Count + Tally.Bytes]! += change
    if (change > 0 && this.words[this.rowAt(row) + RowWord.Quota] !== 0) this.grown = row
  }

  private rowOfItem(items: Items, item: ItemId): number {
    const start = items.keyStart(item)
    return this.rowOf(items.bytes, start, start + items.keyBytes(item))
  }

  private bucketOf(items: Items, item: ItemId): number {
    const start = items.keyStart(item)
    const end = start + items.keyBytes(item)
    return bucketFor(this.hash.of(items.bytes, start, find(items.bytes, this.delimiter, start, end)))
  }

  // Finding

  /** The row of a key's prefix, which is added if there is none yet. */
  rowOf(bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    const { delimiter, recent } = this
    let quick = 0
    let stop = keyStart
    for (; stop < keyEnd; stop++) {
      const byte = bytes[stop]!
      if (byte === delimiter) break
      quick = (Math.imul(quick, 31) + byte) | 0
    }
    if (stop === keyEnd) return PrefixRow.None
    const place = (quick ^ quick >>> 8) & (RECENT - 1)
    const known = recent[place]!
    if (known !== 0 && this.isRowOf(known, bytes, keyStart, stop - keyStart)) return known
    const row = this.findOrAdd(bytes, keyStart, stop)
    if (row !== PrefixRow.Other) recent[place] = row
    return row
  }

  /** True if a key has the prefix of a row. */
  isKeyOf(row: number, bytes: Uint8Array, keyStart: number, keyBytes: number): boolean {
    const length = this.words[this.rowAt(row) + RowWord.Length]! - 1
    return keyBytes > length && bytes[keyStart + length] === this.delimiter && this.isRowOf(row, bytes, keyStart, length)
  }

  private rowAt(row: number): number { return this.at + Word.FirstRow + row * RowWord.Stride }

  private isRowOf(row: number, bytes: Uint8Array, start: number, length: number): boolean {
    const at = this.rowAt(row)
    return this.words[at + RowWord.Length] === length + 1 &&
      this.memory.equals((at + RowWord.Bytes) << 2, bytes, start, length)
  }

  private findOrAdd(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.hash.of(bytes, start, end)
    const row = this.find(hash, bytes, start, end - start)
    if (row !== PrefixRow.None) return row
    // only `tidy` changes either, for which all stripes are held: so threads need not wait for each other here
    if (this.isBlocked(hash)) return PrefixRow.Other
    if (Atomics.load(this.words, this.at + Word.IsFull) !== 0) {
      // what another thread had added before the table was full cannot be missed now
      const late = this.find(hash, bytes, start, end - start)
      return late === PrefixRow.None ? PrefixRow.Other : late
    }
    this.locks.take(this.at + Word.Lock)
    const added = this.addLocked(hash, bytes, start, end - start)
    this.locks.release(this.at + Word.Lock)
    return added
  }

  /** The row of a prefix; PrefixRow.None if there is none. */
  private find(hash: number, bytes: Uint8Array, start: number, length: number): number {
    const { words, at } = this
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      // a row that another thread adds at this moment may not be seen yet; the look under the lock sees it
      const row = words[at + Word.Index + slot]! - 1
      if (row < 0) return PrefixRow.None
      if (words[this.rowAt(row) + RowWord.Hash] === hash && this.isRowOf(row, bytes, start, length)) return row
    }
  }

  private addLocked(hash: number, bytes: Uint8Array, start: number, length: number): number {
    // another thread may have added it meanwhile
    const found = this.find(hash, bytes, start, length)
    if (found !== PrefixRow.None) return found
    const row = this.isBlocked(hash) ? PrefixRow.None : this.takeRowLocked()
    if (row === PrefixRow.None) return PrefixRow.Other
    const { words } = this
    const at = this.rowAt(row)
    words[at + RowWord.Hash] = hash
    words[at + RowWord.Quota] = 0
    this.memory.copyFrom(bytes, start, (at + RowWord.Bytes) << 2, length)
    // last, as another thread may remember the row by the prefix that it had before `tidy`
    Atomics.store(words, at + RowWord.Length, length + 1)
    this.enter(row)
    return row
  }

  /** Enters a complete row in the next free slot for its hash. */
  private enter(row: number): void {
    const { words, at } = this
    let slot = words[this.rowAt(row) + RowWord.Hash]! & (SLOTS - 1)
    while (words[at + Word.Index + slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
    Atomics.store(words, at + Word.Index + slot, row + 1)
  }

  private takeRowLocked(): number {
    const { words, at } = this
    // once a row was missing there may be items of any prefix in PrefixRow.Other
    if (words[at + Word.IsFull] !== 0) return PrefixRow.None
    const free = words[at + Word.FreeRow]!
    if (free !== 0) {
      words[at + Word.FreeRow] = words[this.rowAt(free) + RowWord.Hash]!
      return free
    }
    const row = words[at + Word.Rows]!
    if (row < ROWS) words[at + Word.Rows] = row + 1
    else words[at + Word.IsFull] = 1
    return row < ROWS ? row : PrefixRow.None
  }

  private isBlocked(hash: number): boolean {
    const bucket = bucketFor(hash)
    return (this.words[this.at + Word.Blocked + (bucket >>> 5)]! & (1 << (bucket & 31))) !== 0
  }

  // Tidying

  /** True if a prefix has found no row since `tidy`. */
  get isFull(): boolean { return this.words[this.at + Word.IsFull] !== 0 }

  /** Frees the rows of prefixes that have neither items nor a quota. Needs all stripes. Takes some 0.2 ms. */
  tidyAllStripesLocked(): void {
    const { words, at } = this
    this.locks.take(at + Word.Lock)
    words.fill(0, at + Word.Blocked, at + Word.FirstRow)
    words[at + Word.IsFull] = words[at + Word.FreeRow] = 0
    for (let row = words[at + Word.Rows]! - 1; row >= PrefixRow.First; row--) {
      if (this.isUsed(row) && this.sum(row, Tally.Items) === 0 && words[this.rowAt(row) + RowWord.Quota] === 0) this.clear(row)
      if (this.isUsed(row)) this.enter(row)
      else {
        words[this.rowAt(row) + RowWord.Hash] = words[at + Word.FreeRow]!
        words[at + Word.FreeRow] = row
      }
    }
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      if (this.sumOthers(bucket) !== 0) words[at + Word.Blocked + (bucket >>> 5)]! |= 1 << (bucket & 31)
    }
    this.locks.release(at + Word.Lock)
  }

  private isUsed(row: number): boolean { return this.words[this.rowAt(row) + RowWord.Length] !== 0 }

  /** Frees a row; the requests that it has counted are counted in PrefixRow.Other from now on. */
  private clear(row: number): void {
    const { tallies, threads } = this
    for (let tally = Tally.Items; tally < Tally.Count; tally++) {
      for (let thread = 0; thread <= threads; thread++) {
        const from = thread * TALLIES + row * Tally.Count + tally
        tallies[thread * TALLIES + PrefixRow.Other * Tally.Count + tally]! += tallies[from]!
        tallies[from] = 0
      }
    }
    this.words[this.rowAt(row) + RowWord.Length] = 0
  }

  // Reports

  /** A sum over all threads since the start. */
  private sum(row: number, tally: Tally): number {
    const { tallies, threads } = this
    let sum = 0
    for (let thread = 0, at = row * Tally.Count + tally; thread < threads; thread++, at += TALLIES) sum += tallies[at]!
    return sum
  }

  private sumOthers(bucket: number): number {
    let sum = 0
    for (let at = bucket; at < this.others.length; at += BUCKETS) sum += this.others[at]!
    return sum
  }

  /** The bytes of all items of a row. */
  bytesOf(row: number): number { return this.sum(row, Tally.Bytes) }

  /** The part of the memory limit that a prefix may take; 0 for no quota. */
  quotaOf(row: number): number { return this.words[this.rowAt(row) + RowWord.Quota]! / QUOTA_UNITS }

  /** The rows of prefixes, those with the most bytes first. Takes some 0.5 ms with all rows. */
  rowsByBytes(): number[] {
    const rows: number[] = []
    const bytes = new Float64Array(ROWS)
    for (let row: number = PrefixRow.First; row < this.words[this.at + Word.Rows]!; row++) {
      if (!this.isUsed(row)) continue
      rows.push(row)
      bytes[row] = this.bytesOf(row)
    }
    return rows.sort((one, other) => bytes[other]! - bytes[one]! || one - other)
  }

  /** The facts about a row; undefined if `tidy` has freed it. */
  factsOf(row: number): PrefixFacts | undefined {
    this.locks.take(this.at + Word.Lock)
    const facts = this.isUsed(row) ? this.factsAt(row) : undefined
    this.locks.release(this.at + Word.Lock)
    return facts
  }

  /** The facts about the keys without a prefix, and about the prefixes without a row. */
  get none(): PrefixFacts { return this.factsAt(PrefixRow.None) }
  get other(): PrefixFacts { return this.factsAt(PrefixRow.Other) }

  private factsAt(row: number): PrefixFacts {
    const at = this.rowAt(row)
    const start = (at + RowWord.Bytes) << 2
    const length = row < PrefixRow.First ? 0 : this.words[at + RowWord.Length]! - 1
    const since = (tally: Tally) => this.sum(row, tally) - this.tallies[this.threads * TALLIES + row * Tally.Count + tally]!
    return {
      prefix: this.memory.bytes.slice(start, start + length),
      items: this.sum(row, Tally.Items),
      bytes: this.bytesOf(row),
      hits: since(Tally.Hits),
      misses: since(Tally.Misses),
      evictions: since(Tally.Evictions),
      quota: this.quotaOf(row),
    }
  }

  /** `stats reset`: counts requests and evictions from 0 again. */
  reset(): void {
    const { tallies, threads } = this
    this.locks.take(this.at + Word.Lock)
    for (let row = 0; row < this.words[this.at + Word.Rows]!; row++) {
      for (let tally = Tally.Hits; tally < Tally.Count; tally++) {
        tallies[threads * TALLIES + row * Tally.Count + tally] = this.sum(row, tally)
      }
    }
    this.locks.release(this.at + Word.Lock)
  }

  /** True if a thread, which has ended, holds the lock. */
  isLockedBy(thread: number): boolean { return this.locks.isHeldBy(this.at + Word.Lock, thread) }

  /**
   * Checks all rows against a walk over all items. No other thread may use the store meanwhile.
   * @param linked calls its argument with each item
   */
  verify(linked: (each: (items: Items, item: ItemId) => void) => void): void {
    const { words, at } = this
    const found = new Float64Array(ROWS * 2)
    const others = new Int32Array(BUCKETS)
    linked((items, item) => {
      const row = this.rowOfItem(items, item)
      found[row * 2]!++
      found[row * 2 + 1]! += items.bytesOf(item)
      if (row === PrefixRow.Other) others[this.bucketOf(items, item)]!++
    })
    const used = words[at + Word.Rows]!
    assert(used >= PrefixRow.First && used <= ROWS, `${used} rows of prefixes are in use`)
    for (let row = 0; row < ROWS; row++) {
      const [items, bytes] = [this.sum(row, Tally.Items), this.bytesOf(row)]
      assert(items === found[row * 2] && bytes === found[row * 2 + 1],
        `prefix ${row} has ${found[row * 2]} items of ${found[row * 2 + 1]} bytes, ${items} of ${bytes} are counted`)
      if (row >= PrefixRow.First && row < used && this.isUsed(row)) this.verifyRow(row)
    }
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      assert(others[bucket] === this.sumOthers(bucket), `bucket ${bucket} of other prefixes is miscounted`)
    }
  }

  private verifyRow(row: number): void {
    const at = this.rowAt(row)
    const start = (at + RowWord.Bytes) << 2
    const length = this.words[at + RowWord.Length]! - 1
    assert(length >= 0 && length < Size.KeyMax, `prefix ${row} has ${length} bytes`)
    const hash = this.hash.of(this.memory.bytes, start, start + length)
    assert(this.find(hash, this.memory.bytes, start, length) === row, `prefix ${row} cannot be found`)
  }
}

function bucketFor(hash: number): number { return (hash >>> 13) & (BUCKETS - 1) }
