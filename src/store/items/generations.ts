// Which items a flush_all has left alive. Each flush begins a new generation of the store; an item belongs to the one in which it
// was linked, and all but those of the last one are dead, wherever they are and whoever comes by them. There may be any number of
// flushes and a walk that reclaims dead items may be as slow as it likes: numbers do not run out.
//
// An item has 5 bits for its generation, so what they mean is said by its page, which has a word:
//
//   bit 0     turn: whether the items of the page that are alive have the numbers 1 to 15, or 16 to 30
//   bit 1-31  offset: what to add to the store's generation for the number that an item linked now would have
//
// An item is alive if its number is just that. A page counts on for 15 generations. An item that is linked later begins a new
// turn of its page: every item that is in it by then is dead, so all get the number 0, which none has that is alive, and then
// the page the other half of the numbers. A turn of a page costs as much as looking at its chunks, up to some 0.3 ms for the
// smallest ones, at most once in 15 flushes for each page that is stored in, and nothing where nothing is stored.
//
// Who may look: an item's generation is settled under the lock of its stripe, and a flush takes all stripes. The lock of the
// class of the page keeps its chunks what they are while they are gone through. Whoever meets an item of such a page meanwhile,
// with its number of before or 0, and the word of before or the new one, finds it dead with each of the four: with the word of
// before its number would lie beyond the half of that turn, with the new one in the other half. So the word needs no lock.
import { State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { type ItemId, type Items } from './items.js'
import { type Slabs } from '../slabs/slabs.js'

/** How many generations a page tells apart in one turn: two turns share the numbers 1 to 30. */
const TURN = 15
/** After so many generations the store counts from 1 again and every page begins a new turn when it is next stored in. */
export const GENERATIONS_MAX = 0xffff
/** The number of an item that is dead for good. */
const DEAD = 0

export class Generations {
  constructor(private readonly items: Items, private readonly slabs: Slabs, private readonly context: StoreContext) {}

  /** Whether no flush has come since the item was linked. */
  isCurrent(item: ItemId): boolean {
    return this.items.generation(item) === this.context.generation + (this.slabs.turnAt(item) >> 1)
  }

  /**
   * The number for an item that is being linked, or for the chunk that an item which is alive is moved to. Needs the lock of the
   * stripe, and takes that of the chunk's class.
   */
  numberFor(item: ItemId): number {
    const word = this.slabs.turnAt(item)
    const number = this.context.generation + (word >> 1)
    return number <= lastOf(word & 1) ? number : this.beginTurn(item)
  }

  private beginTurn(item: ItemId): number {
    const { context: { generation }, slabs } = this
    const slabClass = slabs.classAt(item)
    slabs.lock(slabClass)
    let word = slabs.turnAt(item)
    // another thread may have been quicker
    if (generation + (word >> 1) > lastOf(word & 1)) {
      this.endAll(slabs.pageAt(item), slabClass)
      const turn = (word & 1) ^ 1
      word = wordOf(turn, 1 + turn * TURN - generation)
      slabs.setTurn(slabs.pageAt(item), word)
    }
    slabs.unlock(slabClass)
    return generation + (word >> 1)
  }

  /** Gives all items of a page the number that none has that is alive. */
  private endAll(page: number, slabClass: number): void {
    const { items, slabs } = this
    const count = slabs.carvedChunks(page)
    for (let index = 0; index < count; index++) {
      const chunk = slabs.chunkAt(page, index, slabClass)
      if (items.has(chunk, State.Linked)) items.unmark(chunk, State.GenerationMask << State.GenerationShift)
    }
  }

  /**
   * The store begins to count from 1 again. Everything is dead by now, and stays it: no number fits any page before its next
   * turn. Needs all stripes. It is run too seldom to be compiled, and takes some 0.2 µs for each page, 0.4 ms for a whole arena.
   */
  restart(): void {
    const { slabs } = this
    for (let page = slabs.firstPage; page < slabs.pageEnd; page++) {
      const turn = slabs.turnOf(page) & 1
      slabs.setTurn(page, wordOf(turn, lastOf(turn)))
    }
  }

  /** Whether the number of a linked item is one that the turn of its page has given, or that of the dead. */
  isSound(item: ItemId): boolean {
    const number = this.items.generation(item)
    const word = this.slabs.turnAt(item)
    const last = lastOf(word & 1)
    const newest = Math.min(last, this.context.generation + (word >> 1))
    return number === DEAD || (number > last - TURN && number <= newest)
  }
}

/** The last number of a turn. */
function lastOf(turn: number): number { return TURN + turn * TURN }

function wordOf(turn: number, offset: number): number { return (offset << 1) | turn }
