// A map of the memory of a store, for a picture of it: the pages of each class, and how many chunks of each are used, free and
// dead. A chunk is dead while its item has expired or was flushed, and no walk has reclaimed it yet.
//
// The map is made in steps, between which clients are served, and while other threads store items. So its numbers may be of
// slightly different moments. The dead chunks are counted where a page has few chunks and the store few pages, and else estimated
// from some chunks of each page.
import { Size, State } from '../memory/layout.js'
import { type ItemId } from '../store/items/items.js'
import { type Shard } from '../store/shard.js'
import { type Store } from '../store/store.js'

/**
 * The chunks that are looked at for a map, about, and beyond them two of each page. Each takes 30 ns, and 200 ns if it is fetched
 * from memory.
 */
const LOOKS_MAX = 1 << 14
/** The least and the most chunks of a page that are looked at. */
const PAGE_LOOKS_MIN = 2
const PAGE_LOOKS_MAX = 1000
/** The chunks and pages that a step looks at, before it ends with a page. */
const STEP_LOOKS = 1000
/** The most cells of a map. If a store has more pages, a cell is for several of them. */
export const CELLS_MAX = 1024

/** The chunks of the pages of a cell: used by live items, free, and used by dead items. The last is 1 if a page is moving. */
export type Cell = readonly [used: number, free: number, dead: number, isMoving?: 1]

export interface ClassPages {
  readonly class: number
  /** The bytes of an item that fit a chunk, as `stats slabs` shows them. */
  readonly chunkSize: number
  readonly pages: number
  readonly cells: readonly Cell[]
}

export interface MemoryMap {
  readonly pageBytes: number
  /** The bytes that all pages may take together, and the pages in use that belong to no class. */
  readonly limit: number
  readonly pool: number
  /** The pages of a cell; fewer in the last cell of a class. */
  readonly pagesPerCell: number
  /** The classes that have pages. */
  readonly classes: readonly ClassPages[]
}

/** A cell that is being filled. */
type Filling = [used: number, free: number, dead: number, isMoving?: 1]

/** Makes the map of a store. Each step takes well below a millisecond; the map is returned after the last one. */
export function* mapMemory(store: Store): Generator<undefined, MemoryMap> {
  const pagesPerCell = 2 ** Math.ceil(Math.log2(Math.max(1, sum(store, ({ slabs }) => slabs.pagesUsed) / CELLS_MAX)))
  const stride = Math.max(1, Math.ceil(sum(store, ({ slabs }) => slabs.carvedCount) / LOOKS_MAX))
  const found = new Map<number, { pages: number, cells: Filling[] }>()
  let looks = 0
  for (const shard of store.shards) {
    const { slabs } = shard
    for (let page = slabs.firstPage; page < slabs.pageEnd; page++) {
      const slabClass = slabs.classOfPage(page)
      looks++
      if (slabClass > 0) {
        let row = found.get(slabClass)
        if (row === undefined) found.set(slabClass, row = { pages: 0, cells: [] })
        if (row.pages++ % pagesPerCell === 0) row.cells.push([0, 0, 0])
        looks += countPage(row.cells.at(-1)!, shard, store, page, stride)
      }
      if (looks < STEP_LOOKS) continue
      yield undefined
      looks = 0
    }
  }
  return {
    pageBytes: Size.Page,
    limit: store.maxbytes,
    pool: store.rebalance.poolPages,
    pagesPerCell,
    classes: [...found].sort(([a], [b]) => a - b).map(([slabClass, { pages, cells }]) => (
      { class: slabClass, chunkSize: store.classes.nominalBytes[slabClass]!, pages, cells })),
  }
}

/** Adds the chunks of a page to a cell. @param stride of how many chunks one is looked at @returns the chunks looked at */
function countPage(cell: Filling, shard: Shard, store: Store, page: number, stride: number): number {
  const { slabs } = shard
  const slabClass = slabs.classOfPage(page)
  const carved = slabs.carvedChunks(page)
  const looks = Math.min(carved, PAGE_LOOKS_MAX, Math.max(PAGE_LOOKS_MIN, Math.ceil(carved / stride)))
  let found = 0
  for (let look = 0; look < looks; look++) {
    if (isDead(shard, store, slabs.chunkAt(page, Math.floor(look * carved / looks), slabClass))) found++
  }
  const used = slabs.usedChunks(page)
  const dead = looks === 0 ? 0 : Math.min(used, Math.round(found * carved / looks))
  cell[0] += used - dead
  cell[1] += Math.max(0, slabs.chunksOf(page, slabClass) - used)
  cell[2] += dead
  if (slabs.isLeaving(page)) cell[3] = 1
  return looks
}

/** True if a chunk holds a dead item. */
function isDead({ items, allocator }: Shard, { context }: Store, chunk: ItemId): boolean {
  if (!items.has(chunk, State.Linked)) return false
  if (!context.mayHoldDead) return allocator.isExpired(chunk)
  // what was flushed is known only under the lock of the item; a chunk that is reused at this moment has the lock of another one
  const hash = allocator.hashOf(chunk)
  context.stripes.take(hash)
  const dead = items.has(chunk, State.Linked) && allocator.isDead(chunk)
  context.stripes.release(hash)
  return dead
}

function sum({ shards }: Store, value: (shard: Shard) => number): number {
  return shards.reduce((total, shard) => total + value(shard), 0)
}
