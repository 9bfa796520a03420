import t from 'tap'
import { ClassCounter, Counter } from '../../src/stats/counters.js'
import { GENERATIONS_MAX } from '../../src/store/items/generations.js'
import { Mode } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const VALUE = bytesOf(1, 10)

t.test('an item is there until its second and not after', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE, 0, 10)
  subject.clock.advance(9)
  t.ok(subject.get('k'))
  subject.clock.advance(1)
  t.notOk(subject.get('k'))
  t.equal(subject.store.itemCount, 0, 'and its memory is free')
  subject.verify()
})

t.test('exptime is seconds up to thirty days, a date from there on, and over when negative', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  const now = Math.floor(subject.clock.milliseconds() / 1000)
  store.refreshTime()
  t.equal(store.expiryFor(0), 0)
  t.equal(store.expiryFor(2_592_000), store.context.now + 2_592_000)
  t.equal(store.expiryFor(now + 5_000_000), store.context.now + 5_000_000)
  t.ok(store.expiryFor(2_592_001) <= store.context.now, 'a date of 1970')
  t.equal(store.expiryFor(-1), 1)
  t.equal(store.expiryFor(-(2 ** 31)), 1)
})

t.test('expired items are reclaimed without anybody asking for them', async t => {
  const subject = new StoreUnderTest()
  for (let i = 0; i < 3000; i++) subject.put(Mode.Set, `k${i}`, VALUE, 0, i % 2 === 0 ? 5 : 0)
  subject.clock.advance(6)
  for (let i = 0; i < 100; i++) subject.store.sweepStep(100)
  t.equal(subject.store.itemCount, 1500)
  t.equal(subject.store.counters.sumClasses(ClassCounter.CrawlerReclaimed), 1500)
  subject.verify()
})

t.test('a flush is at once, whatever is stored in the same second afterwards lives', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'old', VALUE)
  subject.store.flush(0)
  subject.put(Mode.Set, 'new', VALUE)
  t.notOk(subject.get('old'))
  t.ok(subject.get('new'))
})

t.test('a delayed flush takes what is there when it falls due', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'a', VALUE)
  subject.store.flush(5)
  subject.clock.advance(4)
  subject.put(Mode.Set, 'b', VALUE)
  t.ok(subject.get('a'))
  subject.clock.advance(1)
  t.notOk(subject.get('a'))
  t.notOk(subject.get('b'))
  subject.put(Mode.Set, 'c', VALUE)
  subject.clock.advance(100)
  t.ok(subject.get('c'))
})

t.test('however many flushes come, nothing old comes back', async t => {
  const subject = new StoreUnderTest()
  // more items than a flush drops at once, so that generations have to tell them apart
  for (let i = 0; i < 30_000; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  for (let flush = 0; flush < 200; flush++) {
    subject.store.flush(0)
    if (subject.get(`k${flush}`) !== undefined) t.fail(`k${flush} survived flush ${flush}`)
    subject.put(Mode.Set, `new${flush}`, VALUE)
    if (flush % 7 === 0) subject.store.sweepStep(100)
  }
  t.equal(subject.get('new198'), undefined)
  t.ok(subject.get('new199'))
  subject.reclaimDead()
  t.equal(subject.store.itemCount, 1)
  subject.verify()
})

t.test('a flush of a large cache walks over nothing, however many have come before', async t => {
  const subject = new StoreUnderTest()
  const COUNT = 30_000
  for (let i = 0; i < COUNT; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  for (let flush = 0; flush < 100; flush++) {
    subject.put(Mode.Set, `new${flush}`, VALUE)
    subject.store.flush(0)
  }
  t.equal(subject.store.itemCount, COUNT + 100, 'what is dead is left to the background')
  t.equal(subject.get('k7'), undefined)
  t.equal(subject.store.counters.sum(Counter.GetFlushed), 1)
  t.equal(subject.store.itemCount, COUNT + 99, 'or to whoever asks for it')
  subject.verify()
  for (let step = 0; subject.store.itemCount > 0 && step < 10_000; step++) subject.store.sweepStep(100)
  t.equal(subject.store.itemCount, 0)
  subject.verify()
})

t.test('what is flushed behind a walk that is under way is reclaimed by another one, at the same second', async t => {
  const subject = new StoreUnderTest()
  const { store } = subject
  for (let i = 0; i < 8000; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  store.flush(0)
  store.sweepStep(100)
  const reclaimed = 8000 - store.itemCount
  t.ok(reclaimed > 100 && reclaimed < 1000, `${reclaimed} are reclaimed, where the walk has been`)
  for (let i = 0; i < reclaimed; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  store.flush(0)
  reclaimAll(subject)
  t.equal(store.itemCount, 0)
  subject.verify()
})

t.test('so is what a walk leaves that looks at so many items of a class only', async t => {
  const subject = new StoreUnderTest({ lruCrawlerTocrawl: 1000 })
  for (let i = 0; i < 8000; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  subject.store.flush(0)
  reclaimAll(subject)
  t.equal(subject.store.itemCount, 0)
  subject.verify()
})

/** Gives the background its time, until nothing is left or it should have been everywhere long ago. */
function reclaimAll({ store }: StoreUnderTest): void {
  for (let step = 0; store.itemCount > 0 && step < 1000; step++) store.sweepStep(100)
}

t.test('there is no last flush: with nobody reclaiming what is dead, what is stored lives until the next, and not longer',
  async t => {
  const subject = new StoreUnderTest()
  const values = [VALUE, bytesOf(2, 500), bytesOf(3, 3000)]
  // so much that an item of each generation lies beside those of many others, in several pages of each class
  for (let i = 0; i < 9000; i++) subject.put(Mode.Set, `k${i}`, values[i % 3]!)
  const wrong: string[] = []
  const FLUSHES = 1000
  const KEPT = 70
  for (let flush = 0; flush < FLUSHES; flush++) {
    // as if so many had come in between; the store counts anew soon after
    if (flush === 200 || flush === 600) subject.store.context.generation = GENERATIONS_MAX - 100
    const key = `n${flush % KEPT}`
    subject.put(Mode.Set, key, values[flush % 3]!)
    if (subject.get(key) === undefined) wrong.push(`${key} did not live until flush ${flush}`)
    subject.store.flush(0)
    // one that was stored some flushes ago, never the same number of them
    const other = `n${flush * 31 % KEPT}`
    if (subject.get(other) !== undefined) wrong.push(`${other} came back after flush ${flush}`)
    if (wrong.length > 5) break
    if (flush % 50 === 0) subject.verify()
  }
  t.same(wrong, [])
  for (let i = 0; i < 9000; i++) if (subject.get(`k${i}`) !== undefined) wrong.push(`k${i}`)
  t.same(wrong, [], 'nothing of the beginning has come back')
  subject.verify()
})

t.test('what is being read survives a flush for its reader only', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  const unpin = subject.pin('k')
  subject.store.flush(0)
  t.notOk(subject.get('k'))
  t.equal(subject.put(Mode.Set, 'k', bytesOf(2, 10)), Outcome.Stored)
  unpin()
  t.same(subject.get('k')?.value, bytesOf(2, 10))
  subject.verify()
})
