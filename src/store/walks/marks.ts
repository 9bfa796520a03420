// Marks for a dump (dump.ts), of which a store has one at a time. A dump lists each key that is there from its beginning to its
// end exactly once. But a new value may be stored under a key, or its item be moved, to memory that the dump has already walked.
//
//   a bit for each place where a chunk may begin   set when its item is done: it has been listed, or need not be listed
//   a word for each page                           set when the page is to be walked
//
// An item that replaces another, by a new value or by a move, is done if the other was. If not, its page is to be walked, a
// second time if need be. An item with a new key is done from the start. So the number of items left to list never grows, and
// all of them are in pages to be walked.
//
// A thread lists, stores or moves an item, and changes its bit, under the stripe of the item's key. The dump first clears a
// page's word and then reads its chunks; a thread that stores an item first links it and then sets the word. So one of them sees
// the other. The bits in one word belong to several stripes, so they are changed atomically. All this costs nothing while there
// is no dump.
import { ARENA_PAGES_MAX, type Arena } from '../../memory/arena.js'
import { ShardWord, Size } from '../../memory/layout.js'
import { type ItemId } from '../items/items.js'

export class Marks {
  private readonly words: Int32Array
  /** The indexes of the pages' words, and of the first word of their bits. */
  private readonly asked: number
  private readonly bits: number
  private readonly bitWordsPerPage: number
  private readonly chunkWordsMin: number

  /** The bytes for the marks of `pages` pages if no chunk is smaller than `chunkBytesMin`. */
  static bytesFor(pages: number, chunkBytesMin: number): number { return pages * (4 + bitWordsFor(chunkBytesMin) * 4) }

  /**
   * @param shardWords word index of the ShardWords of the arena
   * @param at byte index of `bytesFor(ARENA_PAGES_MAX)` bytes, as pages are numbered from the start of the arena
   */
  constructor(arena: Arena, private readonly shardWords: number, at: number, chunkBytesMin: number) {
    this.words = arena.words
    this.asked = at >> 2
    this.bits = this.asked + ARENA_PAGES_MAX
    this.bitWordsPerPage = bitWordsFor(chunkBytesMin)
    this.chunkWordsMin = chunkBytesMin >> 2
  }

  /** True while a dump is under way. */
  get isOn(): boolean { return this.words[this.shardWords + ShardWord.IsDumping] !== 0 }
  set isOn(isOn: boolean) { Atomics.store(this.words, this.shardWords + ShardWord.IsDumping, isOn ? 1 : 0) }

  /** Clears the bits of a page. No thread may be marking items. */
  clear(page: number): void {
    const start = this.bits + page * this.bitWordsPerPage
    this.words.fill(0, start, start + this.bitWordsPerPage)
  }

  /** Asks for a page to be walked. */
  ask(page: number): void { Atomics.store(this.words, this.asked + page, 1) }

  /** True if a page is to be walked. Clears its word, so the caller has to walk it. */
  take(page: number): boolean {
    const word = this.asked + page
    return this.words[word] !== 0 && Atomics.exchange(this.words, word, 0) !== 0
  }

  isDone(item: ItemId): boolean { return (this.words[this.wordOf(item)]! & this.bitOf(item)) !== 0 }

  /** Marks an item as done: it has been listed, or its key is new. */
  done(item: ItemId): void { Atomics.or(this.words, this.wordOf(item), this.bitOf(item)) }

  /** Marks an item that replaces another. It must be linked already, and the chunk of `old` must not be free yet. */
  inherit(old: ItemId, item: ItemId): void {
    if (this.isDone(old)) return this.done(item)
    Atomics.and(this.words, this.wordOf(item), ~this.bitOf(item))
    this.ask(item >>> Size.PageShift)
  }

  private wordOf(item: ItemId): number {
    return this.bits + (item >>> Size.PageShift) * this.bitWordsPerPage + (this.placeOf(item) >>> 5)
  }

  private bitOf(item: ItemId): number { return 1 << (this.placeOf(item) & 31) }

  /** The index of an item's bit in its page. No two chunks of a page have the same. */
  private placeOf(item: ItemId): number { return Math.floor((item & (Size.PageWords - 1)) / this.chunkWordsMin) }
}

function bitWordsFor(chunkBytesMin: number): number { return Math.ceil(Math.ceil(Size.Page / chunkBytesMin) / 32) }
