// The prefixes that were flushed, each with the generation that its flush began (generations.ts), in memory that all threads
// share. A prefix is the part of a key before the first delimiter (-D). A key without a delimiter has no prefix; a key that
// begins with one has the empty prefix.
//
//   count | index: a word a slot, 0 or the row's number + 1 | row | row ...      row   hash   generation   length   bytes
//
// A row is found by the hash that the tables use, whose key no client knows, and by comparing the bytes. It is kept until a walk
// over all items (sweep.ts) that began after the flush has ended: then the items that it tells are dead are gone.
//
// A thread that adds or removes rows holds all stripes (Store). A thread that holds a stripe may read. So may a thread that holds
// none, if it reads again with a stripe before it acts on the result. The walk reads so, and does not miss a row of a flush that
// came before the walk, as only the walk's own thread removes some rows and leaves others.
import { assert } from '../../errors.js'
import { find, Memory } from '../../memory/bytes.js'
import { Size } from '../../memory/layout.js'
import { type Arena } from '../../memory/arena.js'
import { type Hash } from '../index/hash.js'

/** The most prefixes that may be flushed during a walk over all items. */
export const FLUSHED_PREFIXES_MAX = 4096
/** The slots of the index: a power of two, and twice as many as rows, so that most rows are found in the first slot. */
const SLOTS = 8192
/** The longest prefix, as a key has at least the delimiter behind its prefix. */
const PREFIX_BYTES_MAX = Size.KeyMax - 1

const enum Word { Count, Index, Rows = Index + SLOTS }

const enum RowWord { Hash, Generation, Length, Bytes, Stride = 66 }

const NO_ROW = -1

export class FlushedPrefixes {
  static readonly BYTES = (Word.Rows + FLUSHED_PREFIXES_MAX * RowWord.Stride) * 4

  private readonly words: Int32Array
  private readonly memory: Memory
  private readonly delimiter: number

  /** @param at word index of BYTES bytes, zeroed at the start; @param delimiter one character, see -D */
  constructor(arena: Arena, private readonly at: number, delimiter: string) {
    this.words = arena.words
    this.memory = arena.memory
    this.delimiter = delimiter.charCodeAt(0)
  }

  get count(): number { return this.words[this.at + Word.Count]! }

  /** The length of a key's prefix; negative if it has none. */
  prefixBytesOf(key: Uint8Array): number { return find(key, this.delimiter, 0, key.length) }

  /** True if there may be keys with this prefix: it has no delimiter, and a key has room for one behind it. */
  isPrefix(prefix: Uint8Array): boolean {
    return prefix.length <= PREFIX_BYTES_MAX && find(prefix, this.delimiter, 0, prefix.length) < 0
  }

  /** The generation that the last flush of a key's prefix began; 0 if there was none. @param hash the hash of keys in `bytes` */
  generationFor(hash: Hash, bytes: Uint8Array, keyStart: number, keyEnd: number): number {
    if (this.count === 0) return 0
    const end = find(bytes, this.delimiter, keyStart, keyEnd)
    if (end < 0) return 0
    const row = this.find(hash.of(bytes, keyStart, end), bytes, keyStart, end - keyStart)
    return row === NO_ROW ? 0 : this.words[row + RowWord.Generation]!
  }

  /** Records that a prefix is flushed; false if there is no row left for it. Needs all stripes. */
  note(hash: number, prefix: Uint8Array, generation: number): boolean {
    const { words, count } = this
    const old = this.find(hash, prefix, 0, prefix.length)
    if (old === NO_ROW && count === FLUSHED_PREFIXES_MAX) return false
    const row = old === NO_ROW ? this.rowAt(count) : old
    words[row + RowWord.Generation] = generation
    if (old !== NO_ROW) return true
    words[row + RowWord.Hash] = hash
    words[row + RowWord.Length] = prefix.length
    this.memory.copyFrom(prefix, 0, (row + RowWord.Bytes) << 2, prefix.length)
    words[this.at + Word.Count] = count + 1
    this.enter(count)
    return true
  }

  /** Removes the prefixes that were flushed up to a generation. Needs all stripes. Takes some 0.2 ms if half of the rows go. */
  forget(generation: number): void {
    const { words, at, count } = this
    if (count === 0) return
    let kept = 0
    for (let number = 0; number < count; number++) {
      const row = this.rowAt(number)
      if (words[row + RowWord.Generation]! <= generation) continue
      if (kept < number) words.copyWithin(this.rowAt(kept), row, row + RowWord.Stride)
      kept++
    }
    words.fill(0, at + Word.Index, at + Word.Rows)
    words[at + Word.Count] = kept
    for (let number = 0; number < kept; number++) this.enter(number)
  }

  private rowAt(number: number): number { return this.at + Word.Rows + number * RowWord.Stride }

  /** The word index of a prefix's row; NO_ROW if there is none. */
  private find(hash: number, bytes: Uint8Array, start: number, length: number): number {
    const { words, memory } = this
    for (let slot = hash & (SLOTS - 1); ; slot = (slot + 1) & (SLOTS - 1)) {
      const number = words[this.at + Word.Index + slot]! - 1
      if (number < 0) return NO_ROW
      const row = this.rowAt(number)
      const isSame = words[row + RowWord.Hash] === hash && words[row + RowWord.Length] === length &&
        memory.equals((row + RowWord.Bytes) << 2, bytes, start, length)
      if (isSame) return row
    }
  }

  /** Enters a complete row in the next free slot for its hash. */
  private enter(number: number): void {
    const { words, at } = this
    let slot = words[this.rowAt(number) + RowWord.Hash]! & (SLOTS - 1)
    while (words[at + Word.Index + slot] !== 0) slot = (slot + 1) & (SLOTS - 1)
    Atomics.store(words, at + Word.Index + slot, number + 1)
  }

  /** Checks that each row can be found and has no future generation. No other thread may use the store meanwhile. */
  verify(hash: Hash, generation: number): void {
    const { words, memory, count } = this
    assert(count >= 0 && count <= FLUSHED_PREFIXES_MAX, `${count} prefixes are flushed`)
    const entered = words.subarray(this.at + Word.Index, this.at + Word.Rows).filter(number => number !== 0)
    assert(entered.length === count, `${count} prefixes are flushed, and ${entered.length} have slots`)
    for (let number = 0; number < count; number++) {
      const row = this.rowAt(number)
      const length = words[row + RowWord.Length]!
      const start = (row + RowWord.Bytes) << 2
      assert(length >= 0 && length <= PREFIX_BYTES_MAX, `flushed prefix ${number} has ${length} bytes`)
      const hashed = hash.of(memory.bytes, start, start + length)
      assert(this.find(hashed, memory.bytes, start, length) === row, `flushed prefix ${number} cannot be found`)
      const flushedIn = words[row + RowWord.Generation]!
      assert(flushedIn > 0 && flushedIn <= generation, `prefix ${number} is flushed in generation ${flushedIn} of ${generation}`)
    }
  }
}
