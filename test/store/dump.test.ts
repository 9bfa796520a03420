// The walks over items for those who list them.
import t from 'tap'

import { Mode } from '../../src/store/request.js'
import { ClassSet } from '../../src/store/crawler.js'
import { CLASS_STEP_ITEMS_MAX, ClassDump, Dump } from '../../src/store/dump.js'
import type { Taker } from '../../src/store/dump.js'
import type { ItemId } from '../../src/store/items.js'
import type { Shard } from '../../src/store/shard.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'

const SEED = 5
const VALUE = Buffer.from('v')

/** Takes keys, and has room for so many in a step. */
class Keys implements Taker {
  readonly all: string[] = []
  private beganAt = 0
  room = Infinity

  begin(): void { this.beganAt = this.all.length }

  rewind(): void { this.all.length = this.beganAt }

  take({ items }: Shard, item: ItemId): boolean {
    if (this.room-- <= 0) return false
    const start = items.keyStart(item)
    this.all.push(Buffer.from(items.bytes.subarray(start, start + items.keyBytes(item))).toString('latin1'))
    return true
  }
}

function put(subject: StoreUnderTest, key: string, exptime = 0): void {
  subject.put(Mode.Set, key, VALUE, 0, exptime)
}

t.test('what is there from the beginning of a dump to its end is taken once, whatever happens to the rest', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  const random = new Prng(SEED)
  const lasting = Array.from({ length: 5000 }, (_, index) => `lasting-${index}`)
  for (const [index, key] of lasting.entries()) {
    put(subject, key)
    put(subject, `passing-${index}`)
  }
  const keys = new Keys()
  const dump = new Dump(store.shards, store.context, ClassSet.all)
  for (let isDone = false; !isDone;) {
    keys.room = random.between(20, 300)
    isDone = dump.step(keys)
    for (let count = 0; count < 50; count++) {
      const passing = `passing-${random.below(10_000)}`
      if (random.below(2) === 0) put(subject, passing)
      else subject.delete(passing)
      // a new value for an old key
      put(subject, lasting[random.below(lasting.length)]!)
    }
    store.balanceStep()
  }
  const taken = keys.all.filter(key => key.startsWith('lasting-'))
  t.same(taken.sort(), lasting.sort())
  store.verify()
})

t.test('a dump takes only the classes that it is for, and nothing that is dead', async t => {
  const subject = new StoreUnderTest()
  const { store, clock } = subject
  put(subject, 'small')
  put(subject, 'expired', 5)
  subject.put(Mode.Set, 'larger', Buffer.alloc(300))
  clock.advance(10)
  store.refreshTime()
  const dumped = (classes: ClassSet): string[] => {
    const keys = new Keys()
    const dump = new Dump(store.shards, store.context, classes)
    while (!dump.step(keys));
    return keys.all.sort()
  }
  const { items, item } = subject.find('larger')
  t.ok(items.valueBytes(item) === 300)
  const larger = store.shards[0]!.space.classOf(item)
  t.same(dumped(ClassSet.all), ['larger', 'small'])
  t.same(dumped(ClassSet.of([larger])), ['larger'])
  t.same(dumped(ClassSet.of([1, 2])), ['small'])
  t.same(dumped(ClassSet.of([60])), [])
})

t.test('the items of one bucket are taken together or in the next step', async t => {
  const subject = new StoreUnderTest({ maxbytes: 1024 * 1024 })
  const { store } = subject
  for (let index = 0; index < 5000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = new Dump(store.shards, store.context, ClassSet.all)
  for (let isDone = false; !isDone;) {
    keys.room = 12
    isDone = dump.step(keys)
  }
  t.equal(keys.all.length, 5000)
  t.equal(new Set(keys.all).size, 5000)
  keys.room = 0
  t.throws(() => new Dump(store.shards, store.context, ClassSet.all).step(keys), /one bucket/)
})

t.test('the list of a class is taken newest first, in steps', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false, lruMaintainer: false })
  const { store } = subject
  for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = new ClassDump(store.shards, store.context, 1)
  for (let before = 0; !dump.step(keys); before = keys.all.length) {
    t.ok(keys.all.length - before <= CLASS_STEP_ITEMS_MAX)
    t.equal(store.refCount, 1, 'one item is held')
  }
  dump.close()
  t.equal(store.refCount, 0)
  t.same(keys.all, Array.from({ length: 1000 }, (_, index) => `k${999 - index}`))
  store.verify()
})

t.test('a list whose place is dropped ends there; its memory is given back', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false, lruMaintainer: false })
  const { store } = subject
  for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = new ClassDump(store.shards, store.context, 1)
  t.notOk(dump.step(keys))
  subject.delete(keys.all.at(-1)!)
  const before = keys.all.length
  t.ok(dump.step(keys))
  t.equal(keys.all.length, before)
  t.equal(store.refCount, 0)
  const other = new ClassDump(store.shards, store.context, 1)
  t.notOk(other.step(keys))
  other.close()
  t.equal(store.refCount, 0)
  store.verify()
})
