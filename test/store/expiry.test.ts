import t from 'tap'
import { ClassCounter } from '../../src/stats/counters.js'
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
  for (let i = 0; i < 10; i++) subject.store.sweepStep(100)
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
  subject.store.sweepAll()
  t.equal(subject.store.itemCount, 1)
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
