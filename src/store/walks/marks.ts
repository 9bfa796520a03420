// What a walk over the memory of an arena knows of keys while they are moved about under it. The walk is a dump (dump.ts), of
// which a store has one at a time; it lists each key that is there from its beginning to its end exactly once, though an item
// may be stored anew or moved, and then lies where the walk has been already.
//
//   a bit for each place where a chunk may begin: its item is done, that is, it has been listed, or need not be
//   a word for each page: it is to be walked
//
// An item that takes another's place, by a new value or by a move, is done if that was; if not, its page is to be walked, again
// if need be. One of a new key is done from the start. So what is left to be listed never grows, and is in pages to be walked.
//
// Who lists, stores or moves an item does so, and changes its bit, with the stripe of its key in its hands. Whoever takes a page
// to walk it clears the page's word first and reads its chunks then, and whoever stores an item makes it a linked one first and
// sets the word then: so one of them sees the other. Bits that lie in one word belong to several stripes, so they are changed
// atomically. All this costs nothing while there is no dump.
import { ARENA_PAGES_MAX, type Arena } from '../../memory/arena.js'
import { ShardWord, Size } from '../../memory/layout.js'
import { type ItemId } from '../items/items.js'

export class Marks {
  private readonly words: Int32Array
  /** Word indexes: where the pages have their words, and their bits. */
  private readonly asked: number
  private readonly bits: number
  private readonly bitWordsPerPage: number
  private readonly chunkWordsMin: number

  /** The bytes that `pages` pages need, where no chunk is smaller than `chunkBytesMin`. */
  static bytesFor(pages: number, chunkBytesMin: number): number { return pages * (4 + bitWordsFor(chunkBytesMin) * 4) }

  /**
   * @param shardWords word index of the ShardWords of the arena
   * @param at byte index of `bytesFor(ARENA_PAGES_MAX)`: pages count from the start of the arena
   */
  constructor(arena: Arena, private readonly shardWords: number, at: number, chunkBytesMin: number) {
    this.words = arena.words
    this.asked = at >> 2
    this.bits = this.asked + ARENA_PAGES_MAX
    this.bitWordsPerPage = bitWordsFor(chunkBytesMin)
    this.chunkWordsMin = chunkBytesMin >> 2
  }

  /** Whether a dump is under way. */
  get isOn(): boolean { return this.words[this.shardWords + ShardWord.IsDumping] !== 0 }
  set isOn(isOn: boolean) { Atomics.store(this.words, this.shardWords + ShardWord.IsDumping, isOn ? 1 : 0) }

  /** Forgets what is done in a page. Nobody may be marking any more. */
  clear(page: number): void {
    const start = this.bits + page * this.bitWordsPerPage
    this.words.fill(0, start, start + this.bitWordsPerPage)
  }

  /** A page is to be walked. */
  ask(page: number): void { Atomics.store(this.words, this.asked + page, 1) }

  /** Whether a page is to be walked; who is told so is to walk it. */
  take(page: number): boolean {
    const word = this.asked + page
    return this.words[word] !== 0 && Atomics.exchange(this.words, word, 0) !== 0
  }

  isDone(item: ItemId): boolean { return (this.words[this.wordOf(item)]! & this.bitOf(item)) !== 0 }

  /** An item has been listed, or its key is new. */
  done(item: ItemId): void { Atomics.or(this.words, this.wordOf(item), this.bitOf(item)) }

  /** An item, which is a linked one already, has taken the place of another, whose chunk is not free yet. */
  inherit(old: ItemId, item: ItemId): void {
    if (this.isDone(old)) return this.done(item)
    Atomics.and(this.words, this.wordOf(item), ~this.bitOf(item))
    this.ask(item >>> Size.PageShift)
  }

  private wordOf(item: ItemId): number {
    return this.bits + (item >>> Size.PageShift) * this.bitWordsPerPage + (this.placeOf(item) >>> 5)
  }

  private bitOf(item: ItemId): number { return 1 << (this.placeOf(item) & 31) }

  /** Two chunks never begin in one such place of a page. */
  private placeOf(item: ItemId): number { return Math.floor((item & (Size.PageWords - 1)) / this.chunkWordsMin) }
}

function bitWordsFor(chunkBytesMin: number): number { return Math.ceil(Math.ceil(Size.Page / chunkBytesMin) / 32) }
