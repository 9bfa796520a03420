// What the settings of the lists do, and that commands may change them at any time and for all threads.
import t from 'tap'
import { ListWord } from '../../src/memory/layout.js'
import { ClassCounter } from '../../src/stats/counters.js'
import { Segment } from '../../src/store/items/items.js'
import { Outcome } from '../../src/store/outcome.js'
import { Mode } from '../../src/store/request.js'
import { type StoreOptions } from '../../src/store/store.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
const VALUE_BYTES = 1000

function fill(subject: StoreUnderTest, count: number, exptime = 0, prefix = 'k'): Outcome {
  let outcome = Outcome.Stored
  for (let n = 0; n < count; n++) outcome = subject.put(Mode.Set, `${prefix}${n}`, bytesOf(n, VALUE_BYTES), 0, exptime)
  return outcome
}

/** How many items each list has, over all classes. */
function lengths({ store }: StoreUnderTest): Record<'hot' | 'warm' | 'cold' | 'temp', number> {
  const length = (segment: Segment): number => {
    let sum = 0
    for (let slabClass = 1; slabClass <= store.classes.largest; slabClass++) {
      for (const { lru } of store.shards) sum += lru.get(slabClass, segment, ListWord.Count)
    }
    return sum
  }
  return { hot: length(Segment.Hot), warm: length(Segment.Warm), cold: length(Segment.Cold), temp: length(Segment.Temp) }
}

/** A cache of one class of values, so full that it evicts. */
function full(options: Partial<StoreOptions> = {}): StoreUnderTest {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, ...options })
  fill(subject, 4000)
  return subject
}

t.test('HOT and WARM keep to their shares', async t => {
  const subject = new StoreUnderTest({ hotLruPct: 10, warmLruPct: 20 })
  fill(subject, 3000)
  for (let n = 0; n < 3000; n++) for (let hits = 0; hits < 2; hits++) subject.get(`k${n}`)
  while (subject.store.balanceStep());
  const { hot, warm, cold } = lengths(subject)
  const all = hot + warm + cold
  t.ok(hot <= 0.1 * all, `${hot} of ${all} items are hot`)
  t.ok(warm <= 0.2 * all, `${warm} of ${all} items are warm`)
  t.ok(warm > 0.15 * all, `only ${warm} of ${all} items are warm, though all were hit`)
  subject.store.verify()
})

t.test('new shares count at once, though nothing is stored any more', async t => {
  const subject = new StoreUnderTest()
  fill(subject, 3000)
  while (subject.store.balanceStep());
  subject.store.tuning.tune(5, 5, 0.2, 2)
  while (subject.store.balanceStep());
  const { hot, cold } = lengths(subject)
  t.ok(hot <= 0.05 * (hot + cold))
  subject.store.verify()
})

t.test('where items are evicted, new shares count as others are stored', async t => {
  const subject = full()
  const storeAndRead = (prefix: string): void => {
    for (let n = 0; n < 3000; n++) {
      subject.put(Mode.Set, `${prefix}${n}`, bytesOf(n, VALUE_BYTES))
      for (let hits = 0; hits < 2; hits++) subject.get(`${prefix}${n}`)
    }
  }
  for (const [prefix, hotPct] of [['a', 20], ['b', 5]] as const) {
    subject.store.tuning.tune(hotPct, 5, 0.2, 2)
    storeAndRead(prefix)
    const { hot, warm, cold } = lengths(subject)
    const percent = hot / (hot + warm + cold) * 100
    t.ok(Math.abs(percent - hotPct) < 2, `${percent} % are hot`)
  }
  subject.store.verify()
})

t.test('a step of the background moves a bounded number of items', async t => {
  const subject = new StoreUnderTest({ maxbytes: 16 * MIB })
  fill(subject, 10_000)
  subject.store.tuning.lruSegmented = false
  let steps = 0
  let before = lengths(subject).cold
  for (let isUnfinished = true; isUnfinished; steps++) {
    isUnfinished = subject.store.balanceStep()
    const { cold } = lengths(subject)
    t.ok(cold - before <= 1050)
    before = cold
  }
  t.ok(steps >= 10)
  t.same(lengths(subject), { hot: 0, warm: 0, cold: 10_000, temp: 0 })
})

t.test('the mode may change back and forth while the cache is used', async t => {
  const subject = full({ tempLru: true, temporaryTtl: 10 })
  const { store } = subject
  for (let round = 0; round < 6; round++) {
    store.tuning.lruSegmented = round % 2 === 1
    t.doesNotThrow(() => { store.verify() })
    for (let n = 0; n < 3000; n++) {
      subject.put(Mode.Set, `k${n}`, bytesOf(n, VALUE_BYTES), 0, n % 7 === 0 ? 5 : 0)
      subject.get(`k${n % 500}`)
      subject.get(`k${n % 100}`)
    }
    subject.clock.advance(61)
    store.balanceStep()
    t.doesNotThrow(() => { store.verify() })
  }
})

t.test('with one list a hit moves its item to the head, wherever it was before', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB })
  fill(subject, 1500)
  subject.store.tuning.lruSegmented = false
  subject.clock.advance(61)
  subject.get('k1499')
  t.equal(lengths(subject).cold, 1, 'the others are still to come')
  while (subject.store.balanceStep());
  subject.get('k0')
  subject.clock.advance(61)
  subject.get('k0')
  fill(subject, 1000, 0, 'other')
  t.ok(subject.get('k0'))
  t.notOk(subject.get('k1'))
  subject.store.verify()
})

t.test('what one thread sets all go by', async t => {
  const one = new StoreUnderTest({ maxbytes: 2 * MIB, shared: true, threads: 2 })
  const other = StoreUnderTest.attach(one.store.share(), 1)
  fill(other, 10)
  t.same(lengths(other), { hot: 10, warm: 0, cold: 0, temp: 0 })
  one.store.tuning.lruSegmented = false
  one.store.tuning.tempLru = true
  one.store.tuning.temporaryTtl = 20
  fill(other, 5, 0, 'flat')
  fill(other, 3, 20, 'temp')
  fill(other, 2, 21, 'longer')
  t.same(lengths(other), { hot: 10, warm: 0, cold: 7, temp: 3 })
})

t.test('short-lived items are not evicted', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, tempLru: true, temporaryTtl: 30 })
  fill(subject, 100, 20, 'short')
  fill(subject, 5000)
  for (let n = 0; n < 100; n++) t.ok(subject.get(`short${n}`))
  t.equal(fill(subject, 3000, 30, 'short'), Outcome.NoMemory, 'there is nothing else left to evict')
  subject.store.verify()
})

t.test('short-lived items make room once they have ended, before others do', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, tempLru: true, temporaryTtl: 30 })
  fill(subject, 400, 20, 'short')
  fill(subject, 1000)
  subject.clock.advance(21)
  fill(subject, 400, 0, 'new')
  for (let n = 0; n < 1000; n++) t.ok(subject.get(`k${n}`))
  subject.store.verify()
})

t.test('a short-lived item that is given a longer life can be evicted', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, tempLru: true, temporaryTtl: 30 })
  fill(subject, 3000, 20, 'short')
  for (let n = 0; n < 3000; n++) subject.touch(`short${n}`, 0)
  t.equal(fill(subject, 100), Outcome.Stored)
  subject.store.verify()
})

t.test('without the list of short-lived items what is in it is like any other', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, tempLru: true, temporaryTtl: 30 })
  fill(subject, 3000, 20, 'short')
  subject.store.tuning.tempLru = false
  t.equal(fill(subject, 100), Outcome.Stored)
  t.equal(lengths(subject).temp > 0, true)
})

t.test('something is evicted even when every item is in use', async t => {
  const subject = full()
  const keys = Array.from({ length: 4000 }, (_, n) => `k${n}`)
  for (let round = 0; round < 10; round++) {
    for (const key of keys) for (let hits = 0; hits < 3; hits++) subject.get(key)
    t.equal(subject.put(Mode.Set, `new${round}`, bytesOf(round, VALUE_BYTES)), Outcome.Stored)
  }
  t.ok(subject.store.counters.sumClasses(ClassCounter.EvictedActive) > 0)
  subject.store.verify()
})

t.test('an eviction counts as one direct reclaim', async t => {
  const { store } = full()
  const evicted = store.counters.sumClasses(ClassCounter.Evicted)
  t.ok(evicted > 0)
  t.equal(store.counters.sumClasses(ClassCounter.DirectReclaims), evicted)
})

t.test('with one list an item that is written over goes to the head, as a new one does', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, lruSegmented: false })
  for (let n = 0; n < 6000; n++) {
    subject.put(Mode.Set, `k${n}`, bytesOf(n, VALUE_BYTES))
    // a cas finds it there, unless it was evicted, and does not count as a use
    if (n % 100 === 0) subject.putWhole(Mode.Set, 'wanted', bytesOf(n, VALUE_BYTES))
    else if (n % 100 === 99) t.equal(subject.put(Mode.Cas, 'wanted', bytesOf(n, VALUE_BYTES)), Outcome.Exists, `after ${n}`)
  }
  subject.verify()
})

const counted = ({ store }: StoreUnderTest, counter: ClassCounter): number => store.counters.sumClasses(counter)

/** Items of just the same size, k1000 and so on. */
function fillAlike(subject: StoreUnderTest, count: number, exptime = 0, prefix = 'k'): void {
  for (let n = 1000; n < 1000 + count; n++) subject.put(Mode.Set, `${prefix}${n}`, bytesOf(n, VALUE_BYTES), 0, exptime)
}

/** As often as the lists take until they are in order. */
function maintain({ store }: StoreUnderTest): void { while (store.balanceStep()); }

t.test('HOT and WARM give up what is too much for a class that is nearly empty', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'alone', bytesOf(1, VALUE_BYTES))
  maintain(subject)
  t.same(lengths(subject), { hot: 0, warm: 0, cold: 1, temp: 0 })
  t.equal(counted(subject, ClassCounter.MovesToCold), 1)
  fillAlike(subject, 10)
  maintain(subject)
  t.same(lengths(subject), { hot: 2, warm: 0, cold: 9, temp: 0 })
  t.equal(counted(subject, ClassCounter.MovesToCold), 9)
  subject.verify()
})

t.test('HOT gives up what is older than it may be, though nothing is stored any more', async t => {
  const subject = new StoreUnderTest()
  fillAlike(subject, 100)
  maintain(subject)
  t.equal(lengths(subject).hot, 20)
  subject.clock.advance(2)
  maintain(subject)
  t.same(lengths(subject), { hot: 0, warm: 0, cold: 100, temp: 0 })
  t.equal(counted(subject, ClassCounter.MovesToCold), 100)
  subject.verify()
})

t.test('an item that was hit twice goes from the tail of HOT or COLD to WARM, and rather than leave that to its head',
  async t => {
  const subject = new StoreUnderTest({ warmLruPct: 1 })
  fillAlike(subject, 100)
  const hitTwice = (key: string): void => { for (let hits = 0; hits < 2; hits++) subject.get(key) }
  hitTwice('k1000')
  maintain(subject)
  t.same(lengths(subject), { hot: 20, warm: 1, cold: 79, temp: 0 })
  t.equal(counted(subject, ClassCounter.MovesToWarm), 1, 'k1000, from HOT')
  subject.get('k1000')
  hitTwice('k1001')
  maintain(subject)
  t.equal(counted(subject, ClassCounter.MovesToWarm), 2, 'k1001, from COLD')
  t.equal(counted(subject, ClassCounter.MovesWithinLru), 1, 'k1000, to the head')
  t.equal(counted(subject, ClassCounter.MovesToCold), 80, 'so that it was k1001 that had to leave')
  t.same(lengths(subject), { hot: 20, warm: 1, cold: 79, temp: 0 })
  subject.get('k1002')
  maintain(subject)
  t.equal(counted(subject, ClassCounter.MovesToWarm), 2, 'one hit is not enough')
  subject.verify()
})

t.test('an add of a key that is there keeps its item, as a use of it', async t => {
  const subject = new StoreUnderTest()
  fillAlike(subject, 100)
  maintain(subject)
  t.equal(subject.put(Mode.Add, 'k1000', bytesOf(1, VALUE_BYTES)), Outcome.NotStored)
  maintain(subject)
  t.equal(counted(subject, ClassCounter.MovesToWarm), 1)
  t.same(lengths(subject), { hot: 20, warm: 1, cold: 79, temp: 0 })
  subject.verify()
})

t.test('a canary that was read twice survives a flood of new keys and is counted', async t => {
  for (const before of [0, 2000]) {
    const subject = new StoreUnderTest({ maxbytes: 4 * MIB })
    subject.put(Mode.Set, 'canary', bytesOf(1, VALUE_BYTES))
    fill(subject, before)
    for (let hits = 0; hits < 2; hits++) t.ok(subject.get('canary'))
    for (let wave = 0; wave < 5; wave++) {
      fill(subject, 1000, 0, `wave${wave} `)
      subject.store.balanceStep()
    }
    t.ok(counted(subject, ClassCounter.Evicted) > 1000)
    t.ok(subject.get('canary'))
    t.equal(counted(subject, ClassCounter.MovesToWarm), 1)
    subject.verify()
  }
})

t.test('what was hit twice stays where only those who store put the lists in order', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB })
  subject.put(Mode.Set, 'canary', bytesOf(1, VALUE_BYTES))
  for (let hits = 0; hits < 2; hits++) subject.get('canary')
  fill(subject, 4000)
  t.ok(counted(subject, ClassCounter.Evicted) > 1000)
  t.equal(counted(subject, ClassCounter.MovesToCold), 1)
  t.ok(subject.get('canary'))
  subject.verify()
})

t.test('a short life that an item is given later does not keep it from being evicted', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, tempLru: true, temporaryTtl: 30 })
  fill(subject, 3000)
  for (let n = 0; n < 3000; n++) subject.touch(`k${n}`, 20)
  t.equal(fill(subject, 100, 0, 'new'), Outcome.Stored)
  t.equal(lengths(subject).temp, 0)
  subject.verify()
})

t.test('what is dead makes room before anything that lives has to go, however fast it is needed', async t => {
  for (const evictions of [true, false]) {
    const subject = new StoreUnderTest({ maxbytes: 2 * MIB, evictions })
    fill(subject, 1700, 100)
    while (subject.store.balanceStep());
    subject.clock.advance(200)
    t.equal(fill(subject, 1700, 0, 'new'), Outcome.Stored)
    for (let n = 0; n < 1700; n++) if (subject.get(`new${n}`) === undefined) t.fail(`new${n} is not there`)
    t.equal(counted(subject, ClassCounter.Evicted) + counted(subject, ClassCounter.OutOfMemory), 0)
    subject.verify()
  }
})

t.test('with one list a hit says when it was, but not more than once a minute', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false })
  subject.put(Mode.Set, 'k', bytesOf(1, VALUE_BYTES))
  const ageAfter = (seconds: number): number => {
    subject.clock.advance(seconds)
    const { items, item } = subject.find('k')
    return items.age(item, subject.store.context.now)
  }
  t.same([ageAfter(60), ageAfter(1), ageAfter(5), ageAfter(56)], [60, 0, 5, 0])
})

t.test('what is dead at the tail of any list is reclaimed by the maintainer, not what is behind an item that lives', async t => {
  const subject = new StoreUnderTest({ tempLru: true, temporaryTtl: 3 })
  fillAlike(subject, 5, 3, 's')
  fillAlike(subject, 20, 5, 'c')
  subject.put(Mode.Set, 'alive', bytesOf(1, VALUE_BYTES))
  fillAlike(subject, 9, 5, 'b')
  maintain(subject)
  // TEMP has its part in what the shares are reckoned from
  t.same(lengths(subject), { hot: 7, warm: 0, cold: 23, temp: 5 })
  subject.clock.advance(5)
  maintain(subject)
  t.equal(counted(subject, ClassCounter.Reclaimed), 5, 'those of TEMP; the others ended just now')
  subject.clock.advance(1)
  maintain(subject)
  t.equal(counted(subject, ClassCounter.Reclaimed), 5 + 20)
  t.equal(counted(subject, ClassCounter.ExpiredUnfetched), 5 + 20)
  t.equal(counted(subject, ClassCounter.CrawlerReclaimed), 0)
  t.same(lengths(subject), { hot: 0, warm: 0, cold: 10, temp: 0 }, 'as old as what is in COLD, the others had left HOT before')
  subject.verify()
})

t.test('what is dead at a tail but still read goes when its last reader does', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', bytesOf(1, VALUE_BYTES), 0, 5)
  const borrowed = subject.borrow('k')
  subject.clock.advance(6)
  maintain(subject)
  t.equal(counted(subject, ClassCounter.Reclaimed), 1)
  t.equal(subject.store.itemCount, 0)
  t.same(borrowed?.read(), bytesOf(1, VALUE_BYTES))
  subject.verify(1)
  borrowed?.end()
  subject.verify()
})

t.test('with one list each allocation reclaims some of what is dead at the tail, and nobody else does', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false, lruMaintainer: false })
  fill(subject, 10, 5)
  subject.clock.advance(6)
  subject.store.balanceStep()
  for (let step = 0; step < 10; step++) subject.store.sweepStep(100)
  t.equal(subject.store.itemCount, 10)
  for (const reclaimed of [5, 10, 10]) {
    subject.put(Mode.Set, 'new', bytesOf(1, VALUE_BYTES))
    t.equal(counted(subject, ClassCounter.Reclaimed), reclaimed)
  }
  t.equal(counted(subject, ClassCounter.CrawlerReclaimed), 0)
  subject.verify()
})

t.test('with one list a set that writes over an item reclaims as well', async t => {
  const subject = new StoreUnderTest({ lruSegmented: false, lruMaintainer: false })
  fill(subject, 10, 5)
  subject.putWhole(Mode.Set, 'k', bytesOf(1, VALUE_BYTES))
  subject.clock.advance(6)
  for (const reclaimed of [5, 10, 10]) {
    subject.putWhole(Mode.Set, 'k', bytesOf(1, VALUE_BYTES))
    t.equal(counted(subject, ClassCounter.Reclaimed), reclaimed)
  }
  // what is last now is the item itself
  subject.putWhole(Mode.Set, 'k', bytesOf(1, VALUE_BYTES), 0, -1)
  t.equal(subject.store.itemCount, 1)
  subject.verify()
})

t.test('what a flush has left counts as found at the tails, whoever finds it', async t => {
  for (const count of [10, 30_000]) {
    const subject = new StoreUnderTest()
    for (let n = 0; n < count; n++) subject.putWhole(Mode.Set, `k${n}`, bytesOf(n, 10))
    subject.get('k1')
    for (let step = 0; step < 100; step++) subject.store.sweepStep(100)
    const looked = counted(subject, ClassCounter.CrawlerChecked)
    subject.store.flush(0)
    for (let step = 0; step < 200; step++) subject.store.sweepStep(100)
    t.equal(subject.store.itemCount, 0)
    t.equal(counted(subject, ClassCounter.Reclaimed), count)
    t.equal(counted(subject, ClassCounter.ExpiredUnfetched), count - 1)
    t.equal(counted(subject, ClassCounter.CrawlerReclaimed), 0)
    t.equal(counted(subject, ClassCounter.CrawlerChecked), looked)
    subject.verify()
  }
})
