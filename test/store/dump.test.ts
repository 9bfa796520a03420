// The walks over items for those who list them.
import t from 'tap'

import { Mode } from '../../src/store/request.js'
import { ClassSet } from '../../src/store/walks/crawler.js'
import { CLASS_STEP_ITEMS_MAX } from '../../src/store/walks/dump.js'
import type { Visitor } from '../../src/store/walks/dump.js'
import type { ItemView } from '../../src/store/view.js'
import { Counter } from '../../src/stats/counters.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'
import { runThreads } from '../support/threads.js'
import { type OverwriterData } from './overwriter.js'

const SEED = 5
const MIB = 1024 * 1024
const VALUE = Buffer.from('v')

/** Takes keys, and has room for so many in a step. */
class Keys implements Visitor {
  readonly all: string[] = []
  room = Infinity

  visit(view: ItemView): boolean {
    if (this.room-- <= 0) return false
    this.all.push(Buffer.from(view.bytes.subarray(view.keyStart, view.keyStart + view.keyBytes)).toString('latin1'))
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
  const dump = store.dump(ClassSet.all)
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
    const dump = store.dump(classes)
    while (!dump.step(keys));
    return keys.all.sort()
  }
  const { items, item } = subject.find('larger')
  t.ok(items.valueBytes(item) === 300)
  const larger = store.shards[0]!.allocator.classOf(item)
  t.same(dumped(ClassSet.all), ['larger', 'small'])
  t.same(dumped(ClassSet.of([larger])), ['larger'])
  t.same(dumped(ClassSet.of([1, 2])), ['small'])
  t.same(dumped(ClassSet.of([60])), [])
})

t.test('a walk over keys visits those that begin with the bytes, wherever in the key a delimiter is', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  for (const key of ['a', 'ab', 'ab:1', 'abc', 'b:ab', 'A']) put(subject, key)
  subject.put(Mode.Set, 'ab-large', Buffer.alloc(600_000))
  put(subject, 'ab-ended', 5)
  subject.clock.advance(10)
  const keysFrom = (prefix: string): string[] => {
    const keys = new Keys()
    const walk = store.tryWalkKeys(Buffer.from(prefix))
    while (walk?.step(keys) === false);
    return keys.all.sort()
  }
  store.refreshTime()
  t.same(keysFrom('ab'), ['ab', 'ab-large', 'ab:1', 'abc'])
  t.same(keysFrom('b'), ['b:ab'])
  t.same(keysFrom('c'), [])
  t.same(keysFrom('abcdef'), [])
  t.same(keysFrom(''), ['A', 'a', 'ab', 'ab-large', 'ab:1', 'abc', 'b:ab'])
  store.verify()
})

t.test('a walk over keys visits each key that is there all the time once, whatever happens to it and to others', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  const random = new Prng(SEED)
  const lasting = Array.from({ length: 3000 }, (_, index) => `lasting-${index}`)
  for (const [index, key] of lasting.entries()) {
    put(subject, key)
    put(subject, `other-${index}`)
  }
  const keys = new Keys()
  const walk = store.tryWalkKeys(Buffer.from('lasting-'))!
  let steps = 0
  for (let isDone = false; !isDone; steps++) {
    keys.room = random.between(20, 300)
    isDone = walk.step(keys)
    for (let count = 0; count < 50; count++) {
      put(subject, `other-${random.below(6000)}`)
      subject.put(Mode.Set, lasting[random.below(lasting.length)]!, Buffer.alloc(random.below(300)))
    }
  }
  t.ok(steps > 10, `${steps} steps`)
  t.same(keys.all.sort(), lasting.sort())
  t.equal(walk.step(keys), true, 'that was all')
  t.equal(keys.all.length, lasting.length)
  store.verify()
})

t.test('while a walk over keys is under way no other begins, nor a dump; when it has ended or was closed, one may', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  for (let index = 0; index < 3000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const walk = store.tryWalkKeys(Buffer.from('k'))!
  walk.step(keys)
  t.equal(store.tryWalkKeys(Buffer.from('k')), undefined)
  t.equal(store.crawler.tryBegin(ClassSet.all), false)
  walk.close()
  t.equal(walk.step(keys), true, 'it goes on no further')
  const taken = keys.all.length
  const other = store.tryWalkKeys(Buffer.from('k'))!
  walk.close()
  t.equal(store.tryWalkKeys(Buffer.from('k')), undefined, 'it has nothing to close any more')
  while (!other.step(keys));
  t.equal(keys.all.length, taken + 3000)
  t.equal(store.crawler.tryBegin(ClassSet.all), true)
  t.equal(store.tryWalkKeys(Buffer.from('k')), undefined)
  store.crawler.end()
})

t.test('what there is no room for comes again in the next step', async t => {
  const subject = new StoreUnderTest({ maxbytes: 1024 * 1024 })
  const { store } = subject
  for (let index = 0; index < 5000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = store.dump(ClassSet.all)
  for (let isDone = false; !isDone;) {
    keys.room = 12
    isDone = dump.step(keys)
  }
  t.equal(keys.all.length, 5000)
  t.equal(new Set(keys.all).size, 5000)
  keys.room = 0
  const other = store.dump(ClassSet.all)
  t.throws(() => { while (!other.step(keys)); }, /a visitor has no room for a single item/)
})

/** All keys of a store, as a dump lists them; and how many steps it took. */
function dumpAll({ store }: StoreUnderTest): { keys: string[], steps: number } {
  const keys = new Keys()
  const dump = store.dump(ClassSet.all)
  let steps = 1
  while (!dump.step(keys)) steps++
  dump.close()
  return { keys: keys.all, steps }
}

t.test('the order of a dump is the same whatever the hashes are', async t => {
  const orders = Array.from({ length: 3 }, () => {
    const subject = new StoreUnderTest()
    for (let index = 0; index < 3000; index++) put(subject, `k${index}`)
    for (let index = 0; index < 3000; index += 7) subject.delete(`k${index}`)
    for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
    return dumpAll(subject).keys
  })
  t.ok(orders[0]!.length > 2500)
  t.same(orders[1], orders[0])
  t.same(orders[2], orders[0])
})

t.test('a dump takes as many steps as there is to list, not as there may be', async t => {
  const stepsWith = (maxbytes: number): number => {
    const subject = new StoreUnderTest({ maxbytes })
    for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
    return dumpAll(subject).steps
  }
  const few = stepsWith(8 * MIB)
  t.equal(stepsWith(1024 * MIB), few)
  t.ok(few < 20, `${few} steps`)
})

t.test('a dump ends though more keys come, and are stored anew, than it can list', async t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB })
  for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = subject.store.dump(ClassSet.all)
  let steps = 0
  for (let isDone = false; !isDone && steps < 1000; steps++) {
    keys.room = 20
    isDone = dump.step(keys)
    for (let count = 0; count < 50; count++) {
      put(subject, `new-${steps}-${count}`)
      put(subject, `new-${steps}-${count}`)
    }
  }
  t.ok(steps < 1000, 'it has come to its end')
  t.equal(keys.all.filter(key => key.startsWith('k')).length, 1000)
})

t.test('a key whose memory moves during a dump is taken once', async t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, slabAutomove: 0 })
  const { store } = subject
  const value = Buffer.alloc(5000)
  const lasting = Array.from({ length: 5000 }, (_, index) => `lasting-${index}`)
  for (const key of lasting) {
    subject.put(Mode.Set, key, value)
    subject.put(Mode.Set, `${key}-gone`, value)
  }
  for (const key of lasting) subject.delete(`${key}-gone`)
  const slabClass = store.shards[0]!.allocator.classOf(subject.find(lasting[0]!).item)
  const keys = new Keys()
  const dump = store.dump(ClassSet.all)
  for (let isDone = false; !isDone;) {
    keys.room = 200
    isDone = dump.step(keys)
    store.rebalance.reassign(slabClass, 0)
    while (store.moveStep());
  }
  dump.close()
  t.ok(store.counters.sum(Counter.Rescues) > 100, `${store.counters.sum(Counter.Rescues)} were moved`)
  t.same(keys.all.sort(), lasting.sort())
  store.verify()
})

t.test('each key is taken once while other threads store it anew all the time, and pages move', async t => {
  const threads = 2
  const dumps = 6
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, shared: true, threads: threads + 1, slabAutomove: 0 })
  const { store } = subject
  const lasting = Array.from({ length: 3000 }, (_, index) => `lasting-${index}`)
  for (const key of lasting) put(subject, key)
  // pages to move
  for (let index = 0; index < 40; index++) subject.put(Mode.Set, `other-${index}`, Buffer.alloc(400_000))
  const gate = new Int32Array(new SharedArrayBuffer(8))
  const data = Array.from({ length: threads }, (_, index): OverwriterData =>
    ({ shared: store.share(), gate, threads, thread: index + 1, seed: SEED, keys: lasting.length }))
  const done: string[][] = []
  let keys = new Keys()
  let dump = store.dump(ClassSet.all)
  let moveFrom = 1
  await runThreads(new URL('overwriter.js', import.meta.url), data, () => {
    store.refreshTime()
    // for some steps, and the threads get in between
    for (let steps = 0; steps < 20; steps++) {
      keys.room = 100
      store.rebalance.reassign(moveFrom, -1)
      store.rebalance.reassign(moveFrom, moveFrom % store.classes.largest + 1)
      moveFrom = moveFrom % store.classes.largest + 1
      store.moveStep()
      if (!dump.step(keys)) continue
      dump.close()
      done.push(keys.all.filter(key => key.startsWith('lasting-')))
      if (done.length === dumps) Atomics.store(gate, 1, 1)
      keys = new Keys()
      dump = store.dump(ClassSet.all)
    }
  })
  t.ok(done.length >= dumps)
  lasting.sort()
  for (const listed of done) {
    t.ok(listed.sort().join() === lasting.join(), `${listed.length} keys, ${new Set(listed).size} of them different`)
  }
  t.ok(store.counters.sum(Counter.Rescues) > 0, 'items were moved')
})

t.test('the list of a class is taken newest first, in steps', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false, lruMaintainer: false })
  const { store } = subject
  for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = store.dumpClass(1)
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
  const dump = store.dumpClass(1)
  t.notOk(dump.step(keys))
  subject.delete(keys.all.at(-1)!)
  const before = keys.all.length
  t.ok(dump.step(keys))
  t.equal(keys.all.length, before)
  t.equal(store.refCount, 0)
  const other = store.dumpClass(1)
  t.notOk(other.step(keys))
  other.close()
  t.equal(store.refCount, 0)
  store.verify()
})

t.test('a list in which nothing can be held ends after some more tries', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false, lruMaintainer: false, shared: true, threads: 2 })
  const other = StoreUnderTest.attach(subject.store.share(), 1)
  for (let index = 0; index < 1000; index++) put(subject, `k${index}`)
  const keys = new Keys()
  const dump = subject.store.dumpClass(1)
  other.store.context.stripes.takeAll()
  while (!dump.step(keys));
  other.store.context.stripes.releaseAll()
  t.same(keys.all, Array.from({ length: CLASS_STEP_ITEMS_MAX }, (_, index) => `k${999 - index}`))
  t.equal(subject.store.refCount, 0)
})
