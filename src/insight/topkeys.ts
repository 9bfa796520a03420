// The keys that are asked for most among many, in bounded memory: the algorithm Space-Saving of Metwally, Agrawal and El Abbadi.
// Each of ENTRIES_MAX entries counts a key. A key without an entry takes over that of the least count, and goes on from its
// count, which it may owe to other keys: that is its error. So no count is less than the truth, the least count is at most
// 1/ENTRIES_MAX of all, and a key with a greater share has an entry for certain.
//
//   words    | seen | since | size | (to the next cache line) | hashes | counts | errors | keys, each a byte for its length first
//
// One thread writes a table, without a lock, and any thread reads it. An entry may change while it is read, so a reader checks
// that the key has the hash: a key and a count that do not belong together are left out.
import { copy } from '../memory/bytes.js'
import { type Hash } from '../store/index/hash.js'

/** The most keys that a table counts. */
export const ENTRIES_MAX = 256
const enum Word { Seen, Since, Size, Header = 16 }

const HASHES = Word.Header
const COUNTS = HASHES + ENTRIES_MAX
const ERRORS = COUNTS + ENTRIES_MAX
const KEYS = ERRORS + ENTRIES_MAX
const KEY_BYTES = 256
const NONE = -1
const NO_INDEX = new Int16Array(0)

/** A key as it was counted. */
export interface Counted {
  readonly bytes: Uint8Array
  /** The number of times that it was seen, and how many of them may have been of other keys. */
  readonly count: number
  readonly error: number
}

export class TopKeys {
  static readonly BYTES = KEYS * 4 + ENTRIES_MAX * KEY_BYTES

  private readonly words: Int32Array
  private readonly keys: Uint8Array
  // The index of the writer: the first entry of each chain, and the next one of each entry. A chain has the entries whose hashes
  // end in the same bits.
  private firsts = NO_INDEX
  private nexts = NO_INDEX
  /** No count is less; and the entry at which the search for this count goes on. */
  private least = 0
  private searchAt = 0

  /** @param at byte index of BYTES bytes in `memory` */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number) {
    this.words = new Int32Array(memory, at, KEYS)
    this.keys = new Uint8Array(memory, at + KEYS * 4, ENTRIES_MAX * KEY_BYTES)
  }

  /** How often any key was seen. */
  get seen(): number { return this.words[Word.Seen]! }

  /** The second of store time since which the table counts; 0 if it has not begun. */
  get since(): number { return this.words[Word.Since]! }

  private get size(): number { return this.words[Word.Size]! }

  // For the thread that writes

  /** True if this thread may add keys: it has begun the table, which has not been cleared since. */
  get isBegun(): boolean { return this.firsts !== NO_INDEX && this.since > 0 }

  /** Forgets all keys, and begins to count. @param now a second of store time */
  begin(now: number): void {
    const { words } = this
    if (this.firsts === NO_INDEX) {
      this.firsts = new Int16Array(ENTRIES_MAX)
      this.nexts = new Int16Array(ENTRIES_MAX)
    }
    words[Word.Size] = 0
    words[Word.Seen] = 0
    words[Word.Since] = now
    this.firsts.fill(NONE)
    this.least = this.searchAt = 0
  }

  /** Counts the key `[start, end)` of `bytes` for so many. */
  add(hash: number, bytes: Uint8Array, start: number, end: number, weight = 1): void {
    const { words } = this
    words[Word.Seen]! += weight
    const known = this.find(hash, bytes, start, end)
    if (known !== NONE) words[COUNTS + known]! += weight
    else if (this.size < ENTRIES_MAX) this.write(words[Word.Size]!++, 0, hash, bytes, start, end, weight)
    else this.takeOver(hash, bytes, start, end, weight)
  }

  private find(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const { words, nexts } = this
    let entry = this.firsts[hash & (ENTRIES_MAX - 1)]!
    while (entry !== NONE && (words[HASHES + entry] !== hash || !this.hasKey(entry, bytes, start, end))) entry = nexts[entry]!
    return entry
  }

  private hasKey(entry: number, bytes: Uint8Array, start: number, end: number): boolean {
    const { keys } = this
    const at = entry * KEY_BYTES
    if (keys[at] !== end - start) return false
    for (let i = 1; start < end; i++, start++) if (keys[at + i] !== bytes[start]) return false
    return true
  }

  private takeOver(hash: number, bytes: Uint8Array, start: number, end: number, weight: number): void {
    const entry = this.leastEntry()
    this.unchain(entry)
    this.write(entry, this.words[COUNTS + entry]!, hash, bytes, start, end, weight)
  }

  /** An entry of the least count. As counts only grow, the search goes on where the last one ended. */
  private leastEntry(): number {
    const { words } = this
    for (let step = 0; step < ENTRIES_MAX; step++) {
      const entry = this.searchAt
      if (words[COUNTS + entry] === this.least) return entry
      this.searchAt = (entry + 1) & (ENTRIES_MAX - 1)
    }
    this.least = Infinity
    for (let entry = 0; entry < ENTRIES_MAX; entry++) this.least = Math.min(this.least, words[COUNTS + entry]!)
    return this.leastEntry()
  }

  private unchain(entry: number): void {
    const { firsts, nexts } = this
    const chain = this.words[HASHES + entry]! & (ENTRIES_MAX - 1)
    if (firsts[chain] === entry) {
      firsts[chain] = nexts[entry]!
      return
    }
    let before = firsts[chain]!
    while (nexts[before] !== entry) before = nexts[before]!
    nexts[before] = nexts[entry]!
  }

  private write(entry: number, error: number, hash: number, bytes: Uint8Array, start: number, end: number, weight: number): void {
    const { words, keys, firsts, nexts } = this
    const chain = hash & (ENTRIES_MAX - 1)
    const at = entry * KEY_BYTES
    keys[at] = end - start
    copy(bytes, start, keys, at + 1, end - start)
    words[HASHES + entry] = hash
    words[COUNTS + entry] = error + weight
    words[ERRORS + entry] = error
    nexts[entry] = firsts[chain]!
    firsts[chain] = entry
  }

  // For any thread

  /** The keys that have entries, in no order. */
  *read(hash: Pick<Hash, 'of'>): Iterable<Counted> {
    const { words, keys, size } = this
    for (let entry = 0; entry < size; entry++) {
      const at = entry * KEY_BYTES
      const bytes = keys.slice(at + 1, at + 1 + keys[at]!)
      const count = words[COUNTS + entry]!
      const error = words[ERRORS + entry]!
      if (hash.of(bytes, 0, bytes.length) === words[HASHES + entry]) yield { bytes, count, error: Math.min(error, count) }
    }
  }

  /** Forgets all keys until it begins anew. No thread may be writing. */
  clear(): void { this.words.fill(0, 0, Word.Header) }
}
