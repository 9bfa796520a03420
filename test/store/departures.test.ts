import t from 'tap'
import { ClassCounter } from '../../src/stats/counters.js'
import { Departure, Departures, EXPLAIN_ENTRIES_MAX, type Departed, type DepartureFacts } from '../../src/store/departures.js'
import { Mode, Want } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { StoreUnderTest, bytesOf } from '../support/store.js'
import { runThreads } from '../support/threads.js'
import { type LeaverData } from './leaver.js'

const MIB = 1024 * 1024
const VALUE = bytesOf(1, 100)
/** The facts about a store of one thread whose records are as many as the limit allows. */
const factsOf = (maxbytes: number, threads = 1, explainEntries = -1): DepartureFacts =>
  ({ maxbytes, threads, stripeCount: 1024, explainEntries })

/** Departures of one thread in memory of their own. */
function alone(maxbytes: number): { words: Int32Array, departures: Departures } {
  const words = new Int32Array(Departures.bytesFor(factsOf(maxbytes)) / 4)
  return { words, departures: new Departures(words, 0, factsOf(maxbytes), 0) }
}

/** Records a departure in generation 1, which no client has asked for. */
function record(departures: Departures, hash: number, reason: Departure, slabClass: number, second: number): void {
  departures.record(hash, reason, slabClass, second, 3, 1, undefined)
}

/** More steps than any search here may take. */
const STEPS_MAX = 100

/** The newest record of a key. */
function departed({ store }: StoreUnderTest, key: string): Departed | undefined {
  const bytes = Buffer.from(key)
  const search = store.context.departures.search(store.context.hash.of(bytes, 0, bytes.length))
  for (let step = 0; !search.step(); step++) if (step === STEPS_MAX) throw new Error('the search does not end')
  return search.found
}

const remembered = ({ store }: StoreUnderTest): number => store.context.departures.remembered

t.test('what a client deletes is recorded with the time, its class, and when it was last used', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  const slabClass = subject.store.shards[0]!.allocator.classOf(subject.find('k').item)
  const storedAt = subject.store.context.now
  subject.clock.advance(40)
  t.equal(departed(subject, 'k'), undefined, 'it is there')
  subject.delete('k')
  t.match(departed(subject, 'k'), { reason: Departure.Deleted, slabClass, second: storedAt + 40, since: storedAt })
  t.equal(subject.delete('k'), Outcome.NotFound)
  t.equal(remembered(subject), 1, 'a delete of what is not there is none')
  subject.verify()
})

t.test('what has expired is recorded once, by who finds it, with the second in which it ended', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'asked for', VALUE, 0, 10)
  subject.put(Mode.Set, 'swept', VALUE, 0, 20)
  const { now } = subject.store.context
  subject.clock.advance(100)
  subject.get('asked for')
  subject.get('asked for')
  subject.reclaimDead()
  t.match(departed(subject, 'asked for'), { reason: Departure.Expired, second: now + 100, since: now + 10 })
  t.match(departed(subject, 'swept'), { reason: Departure.Expired, second: now + 100, since: now + 20 })
  t.equal(remembered(subject), 2)
  subject.verify()
})

t.test('each eviction is recorded, and so is what a move of pages costs', async t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB })
  const KEYS = 300
  for (let i = 0; i < KEYS; i++) subject.put(Mode.Set, `k${i}`, bytesOf(i, 60_000))
  const evicted = subject.store.counters.sumClasses(ClassCounter.Evicted)
  t.ok(evicted > 100, `${evicted} were evicted`)
  for (let i = 0; i < KEYS; i++) {
    const isThere = subject.get(`k${i}`) !== undefined
    t.equal(departed(subject, `k${i}`)?.reason, isThere ? undefined : Departure.Evicted, `k${i}`)
  }
  // another class takes pages from that one
  for (let i = 0; i < 60; i++) subject.put(Mode.Set, `other${i}`, bytesOf(i, 30_000))
  t.equal(remembered(subject), subject.store.counters.sumClasses(ClassCounter.Evicted))
  subject.verify()
})

t.test('what a refused set takes along says why it was refused', async t => {
  const subject = new StoreUnderTest({ itemSizeMax: MIB })
  subject.put(Mode.Set, 'large', VALUE)
  t.equal(subject.put(Mode.Set, 'large', bytesOf(1, 2 * MIB)), Outcome.TooLarge)
  t.equal(departed(subject, 'large')?.reason, Departure.TooLarge)
  t.equal(subject.put(Mode.Set, 'never there', bytesOf(1, 2 * MIB)), Outcome.TooLarge)
  t.equal(departed(subject, 'never there'), undefined)

  const full = new StoreUnderTest({ maxbytes: 4 * MIB, evictions: false })
  full.put(Mode.Set, 'k', VALUE)
  for (let i = 0; full.put(Mode.Set, `filler${i}`, bytesOf(1, 200_000)) === Outcome.Stored; i++);
  t.equal(full.put(Mode.Set, 'k', bytesOf(1, 200_000)), Outcome.NoMemory)
  t.equal(departed(full, 'k')?.reason, Departure.NoMemory)
  full.verify()
})

t.test('a key whose value is replaced has not left, nor has one that keeps its place without a value', async t => {
  const subject = new StoreUnderTest()
  subject.put(Mode.Set, 'k', VALUE)
  subject.put(Mode.Set, 'k', bytesOf(1, 5000))
  subject.putWhole(Mode.Set, 'k', bytesOf(2, 5000))
  subject.put(Mode.Append, 'k', VALUE)
  subject.put(Mode.Set, 'n', Buffer.from('9'))
  subject.add('n', 1000n)
  subject.delete('k', Want.RemoveValue)
  t.equal(remembered(subject), 0)
  subject.verify()
})

t.test('a flush is told by its time, not item by item', async t => {
  const subject = new StoreUnderTest()
  for (const key of ['asked for', 'swept', 'expired too']) subject.put(Mode.Set, key, VALUE, 0, key === 'expired too' ? 5 : 0)
  for (let i = 0; i < 1000; i++) subject.put(Mode.Set, `k${i}`, VALUE)
  subject.clock.advance(10)
  subject.store.flush(0)
  subject.clock.advance(10)
  subject.get('asked for')
  subject.reclaimDead()
  t.equal(remembered(subject), 0)
  t.equal(subject.store.context.now - subject.store.context.flushedAt, 10)
  subject.verify()
})

t.test('the newest of several records counts, whichever thread wrote it', async t => {
  const first = new StoreUnderTest({ shared: true, threads: 3 })
  const others = [1, 2].map(thread => StoreUnderTest.attach(first.store.share(), thread))
  const seconds: number[] = []
  for (const subject of [...others, first, others[0]!]) {
    for (const { clock } of [first, ...others]) clock.advance(1)
    subject.put(Mode.Set, 'k', VALUE)
    subject.delete('k')
    seconds.push(subject.store.context.now)
    for (const { store } of [first, ...others]) store.refreshTime()
    for (const asker of [first, ...others]) t.equal(departed(asker, 'k')?.second, seconds.at(-1))
  }
  t.ok(new Set(seconds).size === 4)
  t.equal(remembered(first), 4)
  first.verify()
})

t.test('a ring that is full forgets its oldest records', async t => {
  const subject = new StoreUnderTest({ maxbytes: MIB })
  const { capacity } = subject.store.context.departures
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < capacity; i++) {
      subject.put(Mode.Set, `k${round}-${i}`, VALUE)
      subject.delete(`k${round}-${i}`)
      if (round === 0 && i === capacity >> 1) t.equal(remembered(subject), i + 1)
      subject.verify()
    }
  }
  t.equal(remembered(subject), capacity - 1)
  t.equal(departed(subject, 'k1-7'), undefined)
  t.equal(departed(subject, 'k2-7')?.reason, Departure.Deleted)
})

t.test('the records take no more than a hundredth of the memory limit', async t => {
  for (const threads of [1, 4, 64]) {
    for (const maxbytes of [MIB, 10 * MIB, 64 * MIB, 1024 * MIB, 64 * 1024 * MIB]) {
      const facts = factsOf(maxbytes, threads)
      const bytes = Departures.bytesFor(facts)
      t.ok(bytes <= maxbytes / 100, `${bytes} of ${maxbytes}`)
      t.ok(bytes <= 64 * MIB, `${bytes} whatever the limit`)
      if (Departures.capacityFor(facts) < 2 ** 21 / threads / 2) {
        t.ok(bytes >= maxbytes / 200 - 4096 - threads * 256, `${bytes} of ${maxbytes}`)
      }
    }
  }
  t.equal(Departures.capacityFor(factsOf(MIB, 512)), 0)
  const crowded = new StoreUnderTest({ maxbytes: MIB, shared: true, threads: 512 })
  crowded.put(Mode.Set, 'k', VALUE)
  crowded.delete('k')
  t.equal(departed(crowded, 'k'), undefined)
  t.equal(remembered(crowded), 0)
  crowded.verify()
})

t.test('there are at least as many records as are asked for, or none', async t => {
  for (const threads of [1, 5, 257]) {
    for (const entries of [1, 100, 4096, 100_000, EXPLAIN_ENTRIES_MAX]) {
      const facts = factsOf(MIB, threads, entries)
      const records = Departures.capacityFor(facts) * threads
      t.ok(records >= entries && records < 2 * (entries + threads), `${records} for ${entries}`)
      t.ok(Departures.bytesFor(facts) <= 64 * MIB)
    }
    t.equal(Departures.bytesFor(factsOf(MIB, threads, 0)), 0)
  }
  const none = new StoreUnderTest({ explainEntries: 0 })
  none.put(Mode.Set, 'k', VALUE)
  none.delete('k')
  t.equal(departed(none, 'k'), undefined)
  none.verify()
})

t.test('a search goes in steps, and what is overwritten meanwhile is not believed', async t => {
  const { departures } = alone(64 * MIB)
  const { capacity } = departures
  for (let i = 1; i <= capacity; i++) record(departures, i, Departure.Evicted, 5, 10)
  departures.verify(63, 1)
  const whole = departures.search(1 + 1)
  let steps = 1
  for (; !whole.step(); steps++);
  t.ok(steps >= 4, `${steps} steps`)
  t.match(whole.found, { reason: Departure.Evicted, slabClass: 5, second: 10, since: 3 })
  const overtaken = departures.search(2)
  overtaken.step()
  for (let i = 1; i <= capacity / 2; i++) record(departures, i, Departure.Deleted, 6, 20)
  while (!overtaken.step());
  t.equal(overtaken.found, undefined, 'the record in its place is another one, which was not there when it began')
  const newest = departures.search(2)
  while (!newest.step());
  t.match(newest.found, { reason: Departure.Deleted, slabClass: 6, second: 20 })
})

t.test('counts may come round', async t => {
  const { words, departures } = alone(MIB)
  const { capacity } = departures
  // behind the orders
  const COUNT = 1024
  words[COUNT] = 0x7fffffff - (0x7fffffff & (capacity - 1))
  words.fill(-5, 0, COUNT)
  for (let i = 1; i <= capacity * 3; i++) record(departures, i, Departure.Expired, 5, i)
  t.ok(words[COUNT]! < 0)
  words[COUNT] = -(capacity * 2)
  for (let i = 1; i <= capacity * 4 + 5; i++) record(departures, i, Departure.Expired, 5, i)
  departures.verify(63, 1)
  for (const hash of [capacity * 4 + 5, capacity * 4, capacity * 3 + 10]) {
    const search = departures.search(hash)
    while (!search.step());
    t.equal(search.found?.second, hash)
  }
})

t.test('a prefix and a key of the same hash are told apart', async t => {
  const { departures } = alone(MIB)
  record(departures, 7, Departure.Deleted, 3, 10)
  departures.recordPrefix(7, 20, 1)
  departures.verify(63, 1)
  const found = [false, true].map(isPrefix => {
    const search = departures.search(7, isPrefix)
    while (!search.step());
    return search.found?.reason
  })
  t.same(found, [Departure.Deleted, Departure.PrefixFlushed])
})

t.test('threads that store, evict and delete beside each other record each key that leaves exactly once', async t => {
  const THREADS = 3
  const KEYS = 1500
  const first = new StoreUnderTest({ maxbytes: 64 * MIB, shared: true, threads: THREADS + 1, stripes: 8 })
  const words = () => new Int32Array(new SharedArrayBuffer(THREADS * KEYS * 4))
  const common = { shared: first.store.share(), gate: words(), threads: THREADS, keys: KEYS, valueBytes: 40_000,
    deleted: words() }
  await runThreads(new URL('leaver.js', import.meta.url),
    Array.from({ length: THREADS }, (_, index): LeaverData => ({ ...common, thread: index + 1 })))
  const wrong: string[] = []
  const left = { [Departure.Deleted]: 0, [Departure.Evicted]: 0 }
  for (let key = 0; key < THREADS * KEYS; key++) {
    const isThere = first.get(`key-${key}`) !== undefined
    const wants = isThere ? undefined : common.deleted[key] === 1 ? Departure.Deleted : Departure.Evicted
    const reason = departed(first, `key-${key}`)?.reason
    if (reason !== wants) wrong.push(`key-${key} has ${reason}, not ${wants}`)
    if (wants !== undefined) left[wants]++
  }
  t.same(wrong, [])
  t.ok(left[Departure.Deleted] > 100 && left[Departure.Evicted] > 100, JSON.stringify(left))
  t.equal(left[Departure.Evicted], first.store.counters.sumClasses(ClassCounter.Evicted))
  t.equal(remembered(first), left[Departure.Deleted] + left[Departure.Evicted], 'none is recorded twice')
  first.verify()
})
