// The map of memory, beside what the store says of its pages.
import t from 'tap'
import { ClassWord, Size } from '../../src/memory/layout.js'
import { CELLS_MAX, mapMemory, type MemoryMap } from '../../src/stats/pages.js'
import { Mode } from '../../src/store/request.js'
import { type Store } from '../../src/store/store.js'
import { StoreUnderTest } from '../support/store.js'

const VALUE = Buffer.alloc(9000)
/** The chunks of a page that such a value goes into. */
const PER_PAGE = 90

/** @param most the most steps that it may take */
function mapOf(store: Store, most = 2): MemoryMap {
  const steps = mapMemory(store)
  for (let step = 0; step <= most; step++) {
    const { done, value } = steps.next()
    if (done === true) return value
  }
  throw new Error('the map has too many steps')
}

/** The sums of used, free and dead chunks over all cells. */
function sumsOf({ classes }: MemoryMap): number[] {
  const cells = classes.flatMap(({ cells }) => cells)
  return [0, 1, 2].map(part => cells.reduce((sum, cell) => sum + cell[part]!, 0))
}

t.test('an empty store has no classes with pages, and its limit', async t => {
  const { store } = new StoreUnderTest({ maxbytes: 8 * Size.Page })
  t.same(mapOf(store), { pageBytes: Size.Page, limit: 8 * Size.Page, pool: 0, pagesPerCell: 1, classes: [] })
})

t.test('each page has a cell in the row of its class, with what is used and free', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * Size.Page })
  for (let i = 0; i < 100; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  subject.put(Mode.Set, 'small', Buffer.alloc(1))
  const { classes } = mapOf(subject.store)
  t.equal(classes.length, 2)
  const [small, large] = classes
  t.same(small!.cells.map(([used, , dead]) => [used, dead]), [[1, 0]])
  t.equal(large!.chunkSize, subject.store.classes.nominalBytes[large!.class])
  t.equal(large!.pages, 2)
  const chunks = large!.cells[0]![0]
  t.ok(Math.abs(chunks - PER_PAGE) < 20)
  t.same(large!.cells, [[chunks, 0, 0], [100 - chunks, 2 * chunks - 100, 0]])
})

t.test('what has expired or was flushed is dead until it is reclaimed, and then free', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * Size.Page, lruCrawler: false })
  for (let i = 0; i < 50; i++) subject.put(Mode.Set, `k${i}`, VALUE, 0, i < 20 ? 10 : 0)
  const [, free = 0] = sumsOf(mapOf(subject.store))
  t.same(sumsOf(mapOf(subject.store)), [50, free, 0])
  subject.clock.advance(11)
  subject.store.refreshTime()
  t.same(sumsOf(mapOf(subject.store)), [30, free, 20], 'expired')
  subject.reclaimDead()
  t.same(sumsOf(mapOf(subject.store)), [30, free + 20, 0], 'reclaimed')
  for (let i = 0; i < 400; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  subject.store.flush(0)
  t.same(sumsOf(mapOf(subject.store)).filter((_, part) => part !== 1), [0, 400], 'flushed')
})

t.test('a page that is leaving its class is marked', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * Size.Page })
  const { store } = subject
  for (let i = 0; i < 300; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  const [from] = mapOf(store).classes
  store.rebalance.reassign(from!.class, 0)
  store.rebalance.decide()
  t.equal(mapOf(store).classes[0]!.cells.filter(cell => cell[3] === 1).length, 1)
  while (store.rebalance.step());
  const after = mapOf(store)
  t.equal(after.pool, 1)
  t.equal(after.classes[0]!.cells.filter(cell => cell[3] === 1).length, 0)
})

t.test('many pages share cells, and take many steps, each with few looks', async t => {
  const subject = new StoreUnderTest({ maxbytes: 3000 * Size.Page, slabReassign: false })
  const { store } = subject
  // the memory of chunks that are only taken is never touched
  const { largest } = store.classes
  for (const { slabs } of store.shards) for (let i = 0; i < 5000; i++) slabs.takeClassLocked(largest)
  const pages = store.shards.reduce((sum, { slabs }) => sum + slabs.get(largest, ClassWord.PageCount), 0)
  t.ok(pages >= 2500, String(pages))
  const map = mapOf(store, 100)
  t.ok(map.pagesPerCell > 1)
  t.equal(map.classes[0]!.pages, pages)
  t.ok(map.classes[0]!.cells.length <= CELLS_MAX)
  t.equal(map.classes[0]!.cells.length, Math.ceil(pages / map.pagesPerCell))
})

t.test('dead items of small chunks are estimated from some of them', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * Size.Page, lruCrawler: false })
  for (let i = 0; i < 20_000; i++) subject.put(Mode.Set, `k${i}`, Buffer.alloc(1), 0, i % 4 === 0 ? 10 : 0)
  subject.clock.advance(11)
  subject.store.refreshTime()
  const [used = 0, , dead = 0] = sumsOf(mapOf(subject.store, 4))
  t.equal(used + dead, 20_000)
  t.ok(Math.abs(dead - 5000) < 500, String(dead))
})
