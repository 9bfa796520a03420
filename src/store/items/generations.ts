// Which items flushes have left alive. Each flush, of everything or of a prefix, begins a new generation of the store. An item
// belongs to the generation in which it was linked, or to an older one that no flush of it has come after. It is dead if
//
//   its generation is older than the floor, which is the one that the last flush of everything began, or
//   its generation is older than the one that the last flush of its prefix began (flushes.ts)
//
// wherever it is and whichever thread meets it. There may be any number of flushes, and the walk that reclaims dead items may
// be as slow as it likes. When that has been everywhere (Store.noteSwept) there is no floor and no flushed prefix left, and
// nothing is looked up until the next flush: StoreContext.mayHoldDead says so.
//
// An item has 5 bits for its generation, so what they mean is said by its page, which has a word:
//
//   bit 0     turn: whether the items of the page have the numbers 1 to 15, or 16 to 30; those that are dead for good have 0
//   bit 1-31  offset: what to add to a generation for its number
//
// A page counts on for 15 generations. An item that is linked after those gets the last number all the same, if it is alive by
// it: no flush of everything has come since, nor one of its own prefix. Else it begins a new turn of its page, in which all
// items that are alive belong to the generation of now, which leaves them alive until their next flush; they get the first
// number of the other half, those that are dead 0, and then the page gets its new word. A turn costs as much as looking at the
// chunks of a page, up to some 0.3 ms for the smallest ones and 1 ms where each has a prefix to be looked up; at most once in
// 15 flushes for each page in which items of a flushed prefix, or after a flush of everything any, are stored.
//
// Who may look: an item's generation is settled under the lock of its stripe, and a flush takes all stripes. A thread in a turn
// has the lock of the page's class, so the chunks of the page stay what they are, and so does each number: an item that is
// linked to a page that has no number for it is linked as a dead one and gets its number under that lock (`stamp`).
// A thread that meets an item of such a page meanwhile reads the number and the word of before or of after. Both of before or
// both of after are right. A number of after with the word of before lies in the other half, and is that of an item that is
// alive; one of before with the word of after does too, so a thread that finds a number in the other half reads both again,
// the word first.
import { State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type Hash } from '../index/hash.js'
import { type Slabs } from '../slabs/slabs.js'
import { type ItemId, type Items } from './items.js'

/** How many generations a page tells apart in one turn: two turns share the numbers 1 to 30. */
const TURN = 15
/** After so many the store counts on from TURN: an offset has 31 bits with its sign. */
export const GENERATIONS_MAX = 2 ** 29
/** The number of an item that is dead for good. */
const DEAD = 0

export class Generations {
  /** @param hash for the keys of these items */
  constructor(private readonly items: Items, private readonly slabs: Slabs, private readonly hash: Hash,
    private readonly context: StoreContext) {}

  /** Whether no flush of an item has come since it was linked. */
  isCurrent(item: ItemId): boolean { return !this.context.mayHoldDead || this.hasOutlived(item) }

  private hasOutlived(item: ItemId): boolean {
    const word = this.slabs.turnAt(item)
    const number = this.items.generation(item)
    return number === DEAD || isOfTurn(number, word) ? this.outlives(number, word, item) : this.outlivesTurn(item)
  }

  /** Whether a number by the word of its page is one that leaves this item alive. */
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

  /** As `hasOutlived`, where the item's page begins a turn in this moment. */
  private outlivesTurn(item: ItemId): boolean {
    const word = this.slabs.loadTurnAt(item)
    const number = this.items.loadGeneration(item)
    // a number of the turn that begins has only what is alive
    return number !== DEAD && !isOfTurn(number, word) ? true : this.outlives(number, word, item)
  }

  /**
   * The number to link an item with, or the chunk that an item which is alive is moved to; DEAD if its page has none at hand, so
   * `stamp` follows. Needs the lock of the stripe.
   */
  numberFor(item: ItemId): number {
    const word = this.slabs.turnAt(item)
    const last = lastOf(word & 1)
    const number = this.context.generation + (word >> 1)
    // where the page has a number for now, or nothing is dead, no thread can be in a turn of it
    if (number <= last) return number
    return this.context.mayHoldDead ? DEAD : last
  }

  /**
   * Gives an item that was linked with a number of `numberFor` the one it should have, if that was DEAD. Needs the lock of the
   * stripe, and takes that of the chunk's class.
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

  /** The newest number that a page has by now. */
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
   * The store begins to count anew: what is in it is of generations up to TURN, and so is the store. Needs all stripes. It is
   * run too seldom to be compiled, and takes some 0.2 µs for each page, 0.4 ms for a whole arena.
   */
  static restart(slabs: Slabs): number {
    for (let page = slabs.firstPage; page < slabs.pageEnd; page++) {
      const turn = slabs.turnOf(page) & 1
      slabs.setTurn(page, wordOf(turn, lastOf(turn) - TURN))
    }
    return TURN
  }

  /** Whether the number of a linked item is one that the turn of its page has given, or that of the dead, if there may be some. */
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
