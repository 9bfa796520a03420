// What each prefix has: counted exactly whatever happens to its items, in bounded memory, and kept within quotas.
import t from 'tap'
import { Memory } from '../../src/memory/bytes.js'
import { Locks } from '../../src/memory/lock.js'
import { COUNTED_PREFIXES_MAX, PrefixRow, PrefixUse, type PrefixFacts } from '../../src/store/items/prefixes.js'
import { Mode, Want } from '../../src/store/request.js'
import { Counter, ClassCounter } from '../../src/stats/counters.js'
import { Prng } from '../support/prng.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
const SEED = 20261129
const VALUE = bytesOf(1, 10)

const put = (subject: StoreUnderTest, ...keys: string[]) => { for (const key of keys) subject.put(Mode.Set, key, VALUE) }

function use({ store }: StoreUnderTest) {
  const { prefixes } = store.context
  if (prefixes === undefined) throw new Error('prefixes are not counted')
  return prefixes
}

/** The facts about prefixes, by their names. */
function factsOf(subject: StoreUnderTest): Record<string, PrefixFacts> {
  const prefixes = use(subject)
  const rows = prefixes.rowsByBytes().flatMap(row => prefixes.factsOf(row) ?? [])
  return Object.fromEntries([...rows.map(facts => [Buffer.from(facts.prefix).toString('latin1'), facts] as const),
    ['(none)', prefixes.none], ['(other)', prefixes.other]])
}

const counts = ({ items, hits, misses, evictions }: PrefixFacts) => ({ items, hits, misses, evictions })
const sumOf = (facts: Record<string, PrefixFacts>, name: 'items' | 'bytes' | 'hits' | 'misses' | 'evictions') =>
  Object.values(facts).reduce((sum, each) => sum + each[name], 0)

t.test('items, hits and misses are those of the part of the key before the first delimiter', t => {
  const subject = new StoreUnderTest({ trackPrefixes: true })
  put(subject, 'a:1', 'a:b:2', 'b:a:1', ':1', 'plain', 'a')
  for (const key of ['a:1', 'a:1', 'a:3', 'c:1', 'plain', 'gone', ':1', 'b:a:1']) subject.get(key)
  const facts = factsOf(subject)
  t.same(Object.keys(facts).sort(), ['', '(none)', '(other)', 'a', 'b', 'c'].sort())
  t.same(counts(facts['a']!), { items: 2, hits: 2, misses: 1, evictions: 0 })
  t.same(counts(facts['b']!), { items: 1, hits: 1, misses: 0, evictions: 0 })
  t.same(counts(facts['c']!), { items: 0, hits: 0, misses: 1, evictions: 0 })
  t.same(counts(facts['']!), { items: 1, hits: 1, misses: 0, evictions: 0 })
  t.same(counts(facts['(none)']!), { items: 2, hits: 1, misses: 1, evictions: 0 })
  t.same(counts(facts['(other)']!), { items: 0, hits: 0, misses: 0, evictions: 0 })
  t.equal(facts['b']!.bytes, subject.look('b:a:1', view => view.itemBytes))
  subject.store.resetCounts()
  const after = factsOf(subject)
  t.same(counts(after['a']!), { items: 2, hits: 0, misses: 0, evictions: 0 })
  subject.verify()
  t.end()
})

t.test('the delimiter is that of -D, and prefixes are bytes', t => {
  const subject = new StoreUnderTest({ trackPrefixes: true, prefixDelimiter: '/' })
  put(subject, 'a:1/x', '\xff\x00\x80/1', `${'p'.repeat(249)}/`)
  t.same(Object.keys(factsOf(subject)).sort(), ['a:1', '\xff\x00\x80', 'p'.repeat(249), '(none)', '(other)'].sort())
  subject.verify()
  t.end()
})

t.test('without the option nothing is counted', t => {
  const subject = new StoreUnderTest()
  put(subject, 'a:1')
  t.equal(subject.store.context.prefixes, undefined)
  t.end()
})

t.test('the sums are those of the store, whatever happens to items', t => {
  const subject = new StoreUnderTest({ maxbytes: 8 * MIB, trackPrefixes: true })
  const random = new Prng(SEED)
  const key = () => ['', ':', 'a:', 'bb:', 'ccc:'][random.below(5)]! + random.below(400)
  for (let step = 0; step < 20_000; step++) {
    const value = bytesOf(step, random.below(10) === 0 ? random.below(700_000) : random.below(3000))
    switch (random.below(12)) {
      case 0: subject.put(Mode.Set, key(), value, 0, random.below(4)); break
      case 1: case 2: subject.putWhole(Mode.Set, key(), value, random.below(2), random.below(4)); break
      case 3: subject.put(Mode.Append, key(), bytesOf(step, random.below(50))); break
      case 4: subject.put(Mode.Add, key(), value); break
      case 5: subject.delete(key()); break
      case 6: subject.delete(key(), Want.RemoveValue); break
      case 7: subject.add(key(), 99_999n, 1n); break
      case 8: subject.clock.advance(1); break
      case 9: subject.movePages(3); break
      case 10: if (random.below(200) === 0) subject.store.flushPrefix(Buffer.from('a')); break
      default: subject.get(key())
    }
    if (step % 100 === 0) subject.store.sweepStep(100)
    if (step % 2000 === 0) subject.verify()
  }
  subject.verify()
  const { store: { counters } } = subject
  const facts = factsOf(subject)
  const hits = [ClassCounter.HitsToHot, ClassCounter.HitsToWarm, ClassCounter.HitsToCold, ClassCounter.HitsToTemp]
  t.equal(sumOf(facts, 'items'), subject.store.itemCount)
  t.equal(sumOf(facts, 'hits'), hits.reduce((sum, counter) => sum + counters.sumClasses(counter), 0))
  t.equal(sumOf(facts, 'misses'), counters.sum(Counter.GetMisses))
  t.equal(sumOf(facts, 'evictions'), counters.sumClasses(ClassCounter.Evicted))
  t.ok(sumOf(facts, 'evictions') > 0 && sumOf(facts, 'hits') > 0 && sumOf(facts, 'misses') > 0)
  t.end()
})

t.test('what is wrong with the counts is found', t => {
  const subject = new StoreUnderTest({ trackPrefixes: true })
  put(subject, 'a:1')
  const { items, item } = subject.find('a:1')
  use(subject).count(items, item, 1)
  t.throws(() => subject.verify(), /1 items of \d+ bytes, 2 of/)
  use(subject).count(items, item, -1)
  use(subject).resize(items, item, 1)
  t.throws(() => subject.verify(), /bytes/)
  t.end()
})

t.test('prefixes beyond the bound count as others, until prefixes without items have made room', t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, trackPrefixes: true, prefixQuotas: { held: 1 } })
  const { store } = subject
  // a row is the held one's
  for (let index = 0; index < COUNTED_PREFIXES_MAX - 1; index++) put(subject, `p${index}:1`)
  t.equal(use(subject).isFull, false)
  put(subject, 'late:1', 'late:2', 'later:1')
  subject.get('later:1')
  t.equal(use(subject).isFull, true)
  t.match(factsOf(subject), { '(other)': { items: 3, hits: 1 }, p0: { items: 1 } })
  t.equal(factsOf(subject)['late'], undefined)
  subject.get('p7:1')
  for (let index = 5; index < 10; index++) subject.delete(`p${index}:1`)
  subject.verify()
  store.sweepStep(100)
  subject.verify()
  t.equal(use(subject).isFull, false)
  t.match(factsOf(subject), { '(other)': { items: 3, hits: 2 }, held: { items: 0 } })
  put(subject, 'late:3', 'fresh:1', 'p7:1')
  const facts = factsOf(subject)
  t.match(facts, { fresh: { items: 1 }, p7: { items: 1, hits: 0 }, '(other)': { items: 4 } })
  t.equal(facts['late'], undefined, 'its first items are counted as others')
  for (const key of ['late:1', 'late:2', 'late:3']) subject.delete(key)
  t.equal(factsOf(subject)['(other)']!.items, 1)
  for (let index = 0; index < 10; index++) put(subject, `more${index}:1`)
  t.equal(use(subject).isFull, true)
  store.sweepStep(100)
  t.equal(use(subject).isFull, true, 'tidied not so long ago')
  subject.clock.advance(10)
  subject.delete('p100:1')
  store.sweepStep(100)
  put(subject, 'late:4')
  t.equal(factsOf(subject)['late']!.items, 1, 'nothing of it is counted elsewhere any more')
  subject.verify()
  t.end()
})

t.test('while prefixes come and go for ever, the counts stay right', t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, trackPrefixes: true })
  const random = new Prng(SEED)
  for (let step = 0; step < 60_000; step++) {
    put(subject, `p${step}:1`)
    subject.delete(`p${step - 1000 - random.below(1000)}:1`)
    if (step >= 2000) subject.delete(`p${step - 2000}:1`)
    if (step % 50 === 0) {
      subject.clock.advance(1)
      subject.store.sweepStep(100)
    }
    if (step % 6000 === 0) subject.verify()
  }
  subject.verify()
  const { items } = factsOf(subject)['(other)']!
  t.ok(items < subject.store.itemCount / 4, `${items} of ${subject.store.itemCount} items are others'`)
  t.end()
})

// The table alone

/** Locks that count how often they are taken. */
class CountedLocks extends Locks {
  taken = 0

  override take(word: number): void {
    this.taken++
    super.take(word)
  }
}

/** A table that is used by a test alone. */
function makeTable(memoryOf = (bytes: Uint8Array) => new Memory(bytes)) {
  const buffer = new ArrayBuffer(PrefixUse.bytesFor(1))
  const words = new Int32Array(buffer)
  const locks = new CountedLocks(words, false)
  const { hash } = new StoreUnderTest().store.context
  const table = new PrefixUse({ buffer, words, memory: memoryOf(new Uint8Array(buffer)) }, 0, hash, locks, ':', 1, 0)
  table.begin({})
  return { table, locks }
}

t.test('where all rows are taken, prefixes are looked up without the lock that adds rows', t => {
  const { table, locks } = makeTable()
  const rowOf = (name: string) => {
    const key = Buffer.from(`${name}:1`)
    return table.rowOf(key, 0, key.length)
  }
  for (let index = 0; index < COUNTED_PREFIXES_MAX; index++) rowOf(`p${index}`)
  t.equal(table.isFull, false)
  t.equal(rowOf('late'), PrefixRow.Other)
  t.equal(table.isFull, true)
  const { taken } = locks
  for (const name of ['late', 'later', 'late']) t.equal(rowOf(name), PrefixRow.Other)
  t.ok(rowOf('p17') >= PrefixRow.First)
  t.equal(locks.taken, taken)
  t.end()
})

t.test('a row that another prefix takes over is at no moment taken for that of the one before', t => {
  let whileCopying = () => {}
  const { table } = makeTable(bytes => new class extends Memory {
    override copyFrom(from: Uint8Array, fromAt: number, toAt: number, count: number): void {
      whileCopying()
      super.copyFrom(from, fromAt, toAt, count)
    }
  }(bytes))
  const [before, after] = [Buffer.from('abc:1'), Buffer.from('xyz:1')]
  const row = table.rowOf(before, 0, before.length)
  table.tidyAllStripesLocked()
  const seen: boolean[] = []
  whileCopying = () => seen.push(table.isKeyOf(row, before, 0, before.length))
  t.equal(table.rowOf(after, 0, after.length), row)
  t.same(seen, [false])
  t.ok(table.isKeyOf(row, after, 0, after.length))
  t.end()
})

// Quotas

/** Stores so many bytes under keys of a prefix, each in turn. @returns the keys */
function fill(subject: StoreUnderTest, prefix: string, bytes: number, valueBytes: () => number): string[] {
  const keys: string[] = []
  for (let stored = 0; stored < bytes;) {
    const value = bytesOf(keys.length, valueBytes())
    const key = `${prefix}:${keys.length}`
    subject.putWhole(Mode.Set, key, value)
    keys.push(key)
    stored += value.length
  }
  return keys
}

t.test('a prefix above its quota has its own items evicted, those used longest ago first, and others keep theirs', t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, prefixQuotas: { a: 10 }, trackPrefixes: true })
  fill(subject, 'b', 2 * MIB, () => 100)
  const hot = fill(subject, 'a', 20_000, () => 100)
  const quota = 6.4 * MIB
  let most = 0
  const stored: string[] = []
  for (let index = 0; index < 200_000; index++) {
    if (index % 2000 === 0) {
      subject.clock.advance(1)
      for (const key of hot) subject.get(key)
    }
    const key = `a:cold-${index}`
    subject.putWhole(Mode.Set, key, bytesOf(index, 100))
    stored.push(key)
    if (index % 50 === 0) most = Math.max(most, factsOf(subject)['a']!.bytes)
  }
  const { a, b } = factsOf(subject)
  t.ok(most <= quota * 1.01, `${most} bytes of ${quota}`)
  t.ok(a!.bytes > quota * 0.99, `${a!.bytes} bytes of ${quota}`)
  t.equal(b!.evictions, 0)
  t.ok(a!.evictions > 100_000)
  const kept = hot.filter(key => subject.get(key) !== undefined).length
  t.ok(kept > hot.length * 0.85, `${kept} of ${hot.length} that are in use`)
  const fits = Math.floor(a!.items * 0.6)
  const young = stored.slice(-fits).filter(key => subject.get(key) !== undefined).length
  t.ok(young > fits * 0.9, `${young} of the last ${fits}`)
  subject.verify()
  t.end()
})

t.test('several prefixes with values of all sizes stay within their quotas, and nobody else loses an item', t => {
  const LARGEST = 20_000
  const prefixQuotas = { a: 20, b: 10, c: 3, d: 0.2 }
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, prefixQuotas, trackPrefixes: true })
  const random = new Prng(SEED)
  const names = Object.keys(prefixQuotas) as (keyof typeof prefixQuotas)[]
  fill(subject, 'other', 4 * MIB, () => random.below(2000))
  const above: string[] = []
  for (let step = 0; step < 60_000; step++) {
    const bytes = [100, 2000, LARGEST][random.below(3)]!
    const key = `${names[random.below(names.length)]!}:${random.below(20_000)}`
    if (random.below(2) === 0) subject.putWhole(Mode.Set, key, bytesOf(step, random.below(bytes)))
    else subject.put(Mode.Set, key, bytesOf(step, random.below(bytes)))
    if (step % 500 !== 0) continue
    subject.clock.advance(1)
    const facts = factsOf(subject)
    for (const name of names) {
      const quota = subject.store.maxbytes * prefixQuotas[name] / 100
      const { bytes } = facts[name]!
      if (bytes > quota * 1.01 + LARGEST) above.push(`${name} has ${bytes} of ${quota} bytes`)
    }
  }
  t.same(above, [])
  const facts = factsOf(subject)
  t.equal(facts['other']!.evictions, 0)
  for (const name of names) {
    const part = facts[name]!.bytes / (subject.store.maxbytes * prefixQuotas[name] / 100)
    t.ok(part > 0.8, `${name} has ${part} of its quota`)
  }
  subject.verify()
  t.end()
})

t.test('a large value takes the place of many small ones by and by, and a value above the quota is stored', t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, prefixQuotas: { a: 2, b: 0.01 }, trackPrefixes: true })
  fill(subject, 'a', 0.7 * MIB, () => 100)
  subject.put(Mode.Set, 'a:large', bytesOf(1, 900_000))
  const before = factsOf(subject)['a']!
  t.ok(before.evictions > 0 && before.evictions < 100, 'one value has some of them evicted')
  for (let index = 0; index < 200; index++) subject.putWhole(Mode.Set, `a:more-${index}`, bytesOf(index, 100))
  const after = factsOf(subject)['a']!
  t.ok(after.bytes <= 1.28 * MIB, `${after.bytes}`)
  t.not(subject.get('a:large'), undefined)
  subject.put(Mode.Set, 'b:1', bytesOf(1, 100_000))
  t.not(subject.get('b:1'), undefined)
  subject.put(Mode.Set, 'b:2', bytesOf(1, 100_000))
  t.same(['b:1', 'b:2'].filter(key => subject.get(key) !== undefined), ['b:2'])
  subject.verify()
  t.end()
})

t.test('an item that a session holds is not evicted, and without cas numbers and in several arenas it is the same', t => {
  const subject = new StoreUnderTest({ maxbytes: 3072 * MIB, prefixQuotas: { a: 0.01 }, trackPrefixes: true, useCas: false })
  const quota = 3072 * MIB / 10_000
  subject.putWhole(Mode.Set, 'a:held', bytesOf(1, 1000))
  const unpin = subject.pin('a:held')
  fill(subject, 'a', 2 * MIB, () => 1000)
  t.ok(factsOf(subject)['a']!.bytes <= quota)
  t.not(subject.get('a:held'), undefined)
  unpin()
  subject.clock.advance(1)
  fill(subject, 'a', 2 * MIB, () => 1000)
  t.equal(subject.get('a:held'), undefined)
  subject.verify()
  t.end()
})

t.test('a quota is a part of the limit as it is now, and grows with values that grow', t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB, prefixQuotas: { a: 10 }, trackPrefixes: true })
  fill(subject, 'a', 7 * MIB, () => 1000)
  subject.store.setMemoryLimit(32 * MIB)
  for (let index = 0; index < 200; index++) subject.putWhole(Mode.Set, `a:more-${index}`, bytesOf(index, 1000))
  t.ok(factsOf(subject)['a']!.bytes <= 3.2 * MIB)
  const keys = Array.from({ length: 100 }, (_, index) => `a:more-${100 + index}`)
  for (const key of keys) subject.putWhole(Mode.Set, key, bytesOf(1, 970))
  for (const key of keys) subject.putWhole(Mode.Set, key, bytesOf(1, 1010))
  t.ok(factsOf(subject)['a']!.bytes <= 3.2 * MIB)
  subject.verify()
  t.end()
})
