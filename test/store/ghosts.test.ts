// Which items are kept when memory is short: patterns of which a list in order of use alone would keep too little.
import t from 'tap'
import { ClassWord, Share } from '../../src/memory/layout.js'
import { Ghost, Ghosts } from '../../src/store/items/ghosts.js'
import { Shares } from '../../src/store/items/shares.js'
import { Mode } from '../../src/store/request.js'
import { type StoreOptions } from '../../src/store/store.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
const VALUE = bytesOf(1, 1000)

/** A cache of some 1,770 items that looks every key up, and stores it if it is missing. */
class LookAside extends StoreUnderTest {
  private count = 0
  private steps = 0

  constructor(options: Partial<StoreOptions> = {}) { super({ maxbytes: 2 * MIB, ...options }) }

  /** True if the key was there. */
  ask(key: string): boolean {
    if (++this.steps % 100 === 0) this.store.balanceStep()
    if (this.get(key) !== undefined) return true
    this.put(Mode.Set, key, VALUE)
    return false
  }

  /** Asks for keys that never come again. */
  scan(count: number): void { for (let i = 0; i < count; i++) this.ask(`once${this.count++}`) }

  /** The number of these keys that are there. It does not change what becomes of them, as it is asked last. */
  held(keys: readonly string[]): number { return keys.filter(key => this.get(key) !== undefined).length }
}

function keysOf(prefix: string, count: number): string[] { return Array.from({ length: count }, (_, i) => `${prefix}${i}`) }

t.test('keys that are asked for again and again outlast any number that are asked for once', async t => {
  const cache = new LookAside()
  const often = keysOf('often', 1000)
  for (let round = 0; round < 5; round++) for (const key of often) cache.ask(key)
  cache.scan(20_000)
  // one key in a thousand may find the ghost of another
  t.ok(cache.held(often) > 900, `${cache.held(often)} are there`)
  cache.verify()
})

t.test('a key that comes back soon after its item was evicted is kept, even if it is not asked for again', async t => {
  const cache = new LookAside()
  const back = keysOf('back', 100)
  cache.scan(4000)
  for (const key of back) cache.ask(key)
  cache.scan(1000)
  // now and then the ghost of another key is taken for that of a key that was never there
  t.ok(cache.held(back) < 10)
  for (const key of back) cache.ask(key)
  cache.scan(5000)
  // a ghost may be overwritten by another, but seldom
  t.ok(cache.held(back) > 60, `${cache.held(back)} are there`)
  cache.verify()
})

t.test('with one list, or without a ghost, such a key is evicted', async t => {
  for (const [between, options] of [[2000, { lruSegmented: false }], [20_000, {}]] as const) {
    const cache = new LookAside(options)
    const back = keysOf('back', 100)
    cache.scan(4000)
    for (const key of back) cache.ask(key)
    cache.scan(between)
    for (const key of back) cache.ask(key)
    cache.scan(5000)
    t.ok(cache.held(back) < 10)
  }
})

t.test('keys that have each their time are kept for it: HOT grows', async t => {
  const cache = new LookAside()
  const APART = 900
  let hits = 0
  // each key twice, with 900 others in between
  for (let i = 0; i < 30_000; i++) {
    cache.ask(`k${i}`)
    if (i >= APART && cache.ask(`k${i - APART}`) && i >= 20_000) hits++
  }
  t.ok(hits > 9000, `${hits} of 10000`)
  cache.verify()
})

t.test('an item that is stored again keeps the place that its key has earned, also with another size', async t => {
  const cache = new LookAside({ maxbytes: 6 * MIB, slabAutomove: 0 })
  const often = keysOf('often', 50)
  const scanBoth = (): void => {
    for (let i = 0; i < 5000; i++) {
      cache.ask(`small${i}`)
      cache.put(Mode.Set, `large${i}`, bytesOf(1, 2000))
    }
  }
  scanBoth()
  for (const key of often) {
    cache.ask(key)
    cache.ask(key)
    cache.ask(key)
  }
  scanBoth()
  for (const key of often) cache.put(Mode.Set, key, bytesOf(1, 2000))
  scanBoth()
  t.equal(cache.held(often), 50)
  cache.verify()
})

t.test('the evictions of a class are averaged without a drift, even if it has as many items as an arena can hold', async t => {
  const { store } = new LookAside()
  const { arena, slabs } = store.shards[0]!
  const ghosts = new Ghosts(arena, arena.buffer.byteLength - Ghosts.bytesFor(2 * MIB), 2 * MIB)
  const shares = new Shares(arena, slabs, store.tuning, ghosts)
  const ITEMS = 14e6
  shares.advance(1, ITEMS, 0, 0)
  for (let i = 0; i < 1e6; i++) {
    shares.noteEviction(1, i, Ghost.Hot, ITEMS)
    shares.noteEviction(1, i, Ghost.Cold, ITEMS)
  }
  const part = slabs.get(1, ClassWord.ColdPart) / Share.Unit
  t.ok(Math.abs(part - 0.5) < 0.01, `half of them are of COLD, not ${part}`)
})

t.test('ghosts are part of the memory limit, and take less than a hundredth of it', async t => {
  for (const megabytes of [1, 3, 8, 64, 100, 1024, 65_536]) {
    const bytes = Ghosts.bytesFor(megabytes * MIB)
    t.ok(bytes > 0 && bytes <= megabytes * MIB / 100)
  }
  for (const megabytes of [8, 20, 64]) {
    const cache = new StoreUnderTest({ maxbytes: megabytes * MIB })
    for (let i = 0; i < megabytes * 100; i++) cache.put(Mode.Set, `k${i}`, bytesOf(1, 16_000))
    const { slabs } = cache.store.shards[0]!
    const used = slabs.bytesUsed + Ghosts.bytesFor(megabytes * MIB)
    t.ok(used <= megabytes * MIB && used > 0.97 * megabytes * MIB, `${used} bytes of ${megabytes} MiB`)
    t.equal(slabs.pagesUsed, megabytes)
    cache.verify()
  }
})

t.test('an item in the chunk of one that was to be evicted next is evicted as itself', async t => {
  const cache = new StoreUnderTest({ maxbytes: MIB, slabChunkMax: MIB / 2 })
  let count = 0
  const put = (): string => {
    const key = `k${count++}`
    cache.put(Mode.Set, key, bytesOf(1, 300_000))
    return key
  }
  // three items fit, fewer than a thread looks ahead
  for (let i = 0; i < 3; i++) put()
  for (let round = 0; round < 20; round++) {
    const [first, second, third] = [put(), put(), put()]
    t.equal(cache.store.itemCount, 3)
    cache.delete(first)
    cache.delete(second)
    const kept = [put(), put(), put()]
    t.equal(cache.get(third), undefined)
    for (const key of kept) t.ok(cache.get(key))
    cache.verify()
  }
})
