// Generations, which tell the items that flushes have left alive from the dead ones. Each flush, of everything or of a prefix,
// begins a new generation of the store. An item belongs to the generation in which it was linked, or to an older one if it has
// not been flushed since. It is dead if
//
//   its generation is older than the floor, which is the generation that the last flush of everything began, or
//   its generation is older than the one that the last flush of its prefix began (flushes.ts).
//
// This holds wherever the item is, and for every thread. So there may be any number of flushes, and the walk that reclaims dead
// items may be as slow as it likes. When the walk has seen all memory (Store.noteSwept), there is no floor and no flushed prefix
// any more, and nothing has to be looked up until the next flush: then StoreContext.mayHoldDead is false.
//
// An item has only 5 bits for its generation, a number whose meaning depends on its page. The page has a word with
//
//   bit 0     its turn: the items of the page have the numbers 1 to 15 in turn 0, and 16 to 30 in turn 1; items that are dead
//             for good have 0
//   bit 1-31  its offset, which is added to a generation to get its number
//
// So the numbers of a turn last for 15 generations. An item that is linked after those still gets the last number if it is alive
// with it: that is, if neither everything nor its own prefix has been flushed since the generation of that number. Otherwise the
// thread that links it begins a new turn of the page: all items that are alive get the first number of the other half, which then
// means the present generation, so they stay alive until their next flush; dead items get 0; and then the page gets its new
// word. A turn takes as long as reading the chunks of a page: up to some 0.3 ms for the smallest chunks, and 1 ms if each item
// has a prefix to be looked up. A page has a turn at most once in 15 flushes, and only if items of a flushed prefix (or, after a
// flush of everything, any items) are stored in it.
//
// Locks: a thread reads an item's generation under the lock of the item's stripe, and a flush takes all stripes. A thread in a
// turn has the lock of the page's class, so the chunks of the page stay what they are, and so do their numbers: an item that is
// linked in a page without a number for it is linked as a dead one, and gets its number under that lock (`stamp`).
// A thread may meet an item of the page during the turn. It reads a number and a word, each either old or new. If both are old or
// both are new, they are right. A new number with the old word is a number of the other half, and that item is alive. An old
// number with the new word is one of the other half, too. So a thread that finds a number of the other half reads both again, the
// word first.
import { State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type Hash } from '../index/hash.js'
import { type Slabs } from '../slabs/slabs.js'
import { type ItemId, type Items } from './items.js'

/** The number of generations that a page tells apart in one turn. Two turns share the numbers 1 to 30. */
const TURN = 15
/** The last generation, after which the store goes on with TURN: an offset has 31 bits with its sign. */
export const GENERATIONS_MAX = 2 ** 29
/** The number of an item that is dead for good. */
const DEAD = 0

export class Generations {
  /** @param hash the hash of keys in the arena of these items */
  constructor(private readonly items: Items, private readonly slabs: Slabs, private readonly hash: Hash,
    private readonly context: StoreContext) {}

  /** True if an item has not been flushed since it was linked. */
  isCurrent(item: ItemId): boolean { return !this.context.mayHoldDead || this.hasOutlived(item) }

  private hasOutlived(item: ItemId): boolean {
    const word = this.slabs.turnAt(item)
    const number = this.items.generation(item)
    return number === DEAD || isOfTurn(number, word) ? this.outlives(number, word, item) : this.outlivesTurn(item)
  }

  /** True if an item is alive with this number, by this word of its page. */
  private outlives(number: number, word: number, item: ItemId): boolean {
    const { context } = this
    if (number === DEAD) return false
    const generation = number - (word >> 1)
    if (generation >= context.generation) return true
    if (generation < context.floor) return false
    const keyStart = this.items.keyStart(item)
    const keyEnd = keyStart + this.items.keyBytes(item)
    return generation >= context.flushedPrefixes.generationFor(this.hash, this.items.bytes, keyStart, keyEnd)
  }

  /** The same as `hasOutlived`, while another thread begins a turn of the item's page. */
  private outlivesTurn(item: ItemId): boolean {
    const word = this.slabs.loadTurnAt(item)
    const number = this.items.loadGeneration(item)
    // only an item that is alive has a number of the new turn
    return number !== DEAD && !isOfTurn(number, word) ? true : this.outlives(number, word, item)
  }

  /**
   * The number for an item that is linked, or for the chunk that a live item is moved to. DEAD if the page may need a new turn
   * for that; `stamp` then gives the right number. Needs the lock of the stripe.
   */
  numberFor(item: ItemId): number {
    const word = this.slabs.turnAt(item)
    const last = lastOf(word & 1)
    const number = this.context.generation + (word >> 1)
    // if the page has a number for the present generation, or no item is dead, no thread can be in a turn of the page
    if (number <= last) return number
    return this.context.mayHoldDead ? DEAD : last
  }

  /**
   * Gives an item its right number if `numberFor` returned DEAD when it was linked. Needs the lock of the stripe, and takes that
   * of the chunk's class.
   */
  stamp(item: ItemId): void {
    const { items, slabs } = this
    if (items.generation(item) !== DEAD) return
    const slabClass = slabs.classAt(item)
    slabs.lock(slabClass)
    let word = slabs.turnAt(item)
    if (!this.outlives(this.newestOf(word), word, item)) {
      this.beginTurnClassLocked(slabs.pageAt(item), slabClass)
      word = slabs.turnAt(item)
    }
    items.setGeneration(item, this.newestOf(word))
    slabs.unlock(slabClass)
  }

  /** The newest number of a page by now. */
  private newestOf(word: number): number { return Math.min(this.context.generation + (word >> 1), lastOf(word & 1)) }

  private beginTurnClassLocked(page: number, slabClass: number): void {
    const { items, slabs, context } = this
    const word = slabs.turnOf(page)
    const turn = (word & 1) ^ 1
    const first = lastOf(turn) - TURN + 1
    const count = slabs.carvedChunks(page)
    for (let index = 0; index < count; index++) {
      const chunk = slabs.chunkAt(page, index, slabClass)
      if (!items.has(chunk, State.Linked)) continue
      items.setGeneration(chunk, this.outlives(items.generation(chunk), word, chunk) ? first : DEAD)
    }
    slabs.setTurn(page, wordOf(turn, first - context.generation))
  }

  /**
   * Renumbers all pages so that all items are of generations up to TURN. Returns the new generation of the store, which is TURN.
   * Needs all stripes. It runs too seldom to be compiled, and takes some 0.2 µs for each page, 0.4 ms for a whole arena.
   */
  static restart(slabs: Slabs): number {
    for (let page = slabs.firstPage; page < slabs.pageEnd; page++) {
      const turn = slabs.turnOf(page) & 1
      slabs.setTurn(page, wordOf(turn, lastOf(turn) - TURN))
    }
    return TURN
  }

  /** True if the number of a linked item is one of its page's turn, or DEAD while there may be dead items. For checks. */
  isSound(item: ItemId): boolean {
    const number = this.items.generation(item)
    const word = this.slabs.turnAt(item)
    if (number === DEAD) return this.context.mayHoldDead
    return isOfTurn(number, word) && number <= this.newestOf(word)
  }
}

function isOfTurn(number: number, word: number): boolean {
  const last = lastOf(word & 1)
  return number > last - TURN && number <= last
}

/** The last number of a turn. */
function lastOf(turn: number): number { return TURN + turn * TURN }

function wordOf(turn: number, offset: number): number { return (offset << 1) | turn }
