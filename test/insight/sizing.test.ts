// `stats sizing`: what the models behind it do with each kind of access, and what they cost. How near its ratios come to those of
// stores with that much memory is in traces.long.test.ts.
import t from 'tap'
import { Insight } from '../../src/insight/insight.js'
import { defaultOptions, type Options } from '../../src/options/options.js'
import { Below, Bound } from '../../src/store/accesses.js'
import { Mode } from '../../src/store/request.js'
import { ManualClock } from '../support/clock.js'
import { until } from '../support/patience.js'
import { StoreUnderTest, bytesOf } from '../support/store.js'
import { startThreads } from '../support/workers.js'
import { errorsOf, replay } from './replay.js'

const MIB = 1024 * 1024
const VALUE = bytesOf(1, 1000)
/** The items of such a value in 2 MiB. */
const ITEMS = 1770

class Subject extends StoreUnderTest {
  readonly insight: Insight
  private count = 0

  constructor(options: Partial<Options> = {}, clock = new ManualClock()) {
    const full = { ...defaultOptions(), maxbytes: 2 * MIB, ...options }
    super(full, clock)
    this.insight = new Insight(new ArrayBuffer(Insight.bytesFor(full, 1)), full, this.store)
  }

  /** Asks for a key, and stores it if it is missing. */
  ask(key: string, exptime = 0): void {
    if (this.count++ % 1000 === 0) this.pass(0.5)
    if (this.get(key) === undefined) this.put(Mode.Set, key, VALUE, 0, exptime)
  }

  /** A step of the background, in a process that took a fifth of the time. */
  pass(seconds = 0.1): void {
    this.clock.advance(seconds)
    this.store.balanceStep()
    this.insight.sizing.take(seconds * 200)
  }

  get rows(): Readonly<Record<string, number>> {
    const rows = Object.fromEntries(this.insight.sizing.rows())
    this.insight.sizing.verify()
    return rows
  }

  /** The ratios with a quarter, half, once, twice and four times the memory. */
  get ratios(): number[] {
    const { rows } = this
    return [0.25, 0.5, 1, 2, 4].map(factor => rows[`${factor}:hit_ratio`]!)
  }
}

function keysOf(count: number): string[] { return Array.from({ length: count }, (_, index) => `key${index}`) }

t.test('a program that asks for more keys than fit would hit all of them with twice the memory', async t => {
  const subject = new Subject()
  const keys = keysOf(Math.floor(ITEMS * 1.5))
  for (let round = 0; round < 20; round++) for (const key of keys) subject.ask(key)
  const { rows, ratios: [quarter, half, once, twice, fourfold] } = subject
  t.match(rows, { sample_rate: 1, requests: 20 * keys.length, '0.25:bytes': MIB / 2, '4:bytes': 8 * MIB })
  // the models tell keys apart by their hashes, whose key is another each time: once in a thousand runs two have the same
  t.ok(rows['sampled_keys']! <= keys.length && rows['sampled_keys']! >= keys.length - 2, `${rows['sampled_keys']} keys`)
  // each key misses once, and all but a few miss every time where not all fit
  for (const ratio of [twice!, fourfold!]) t.ok(Math.abs(ratio - 0.95) < 0.02, String(ratio))
  for (const ratio of [quarter!, half!, once!]) t.ok(ratio < 0.1, String(ratio))
})

t.test('the ratio with the present memory is that of the store', async t => {
  const subject = new Subject()
  for (const key of keysOf(100)) subject.ask(key)
  for (const key of keysOf(300)) subject.ask(key)
  t.same(subject.ratios, Array(5).fill(0.25))
})

t.test('a deleted, an expired or a flushed item is missed by the models too', async t => {
  const subject = new Subject()
  for (const key of keysOf(100)) subject.ask(key)
  for (const key of keysOf(100)) subject.delete(key)
  t.equal(subject.rows['sampled_keys'], 0)
  for (const key of keysOf(100)) subject.ask(key, 5)
  subject.pass(10)
  for (const key of keysOf(100)) subject.ask(key, 5)
  t.same(subject.ratios, Array(5).fill(0))
  subject.store.flush(0)
  subject.pass()
  t.equal(subject.rows['sampled_keys'], 0)
  for (const key of keysOf(100)) subject.ask(key)
  t.same(subject.ratios, Array(5).fill(0))
})

t.test('the models drop expired items that no client asks for', async t => {
  const subject = new Subject()
  for (const key of keysOf(1000)) subject.ask(key, 5)
  t.equal(subject.rows['sampled_keys'], 1000)
  for (let seconds = 0; seconds < 65; seconds++) subject.pass(1)
  t.equal(subject.rows['sampled_keys'], 0)
})

t.test('a value of another size takes another chunk in the models', async t => {
  const subject = new Subject()
  for (const valueBytes of [10, 5000, 100_000, 900_000, 10]) {
    for (const key of keysOf(50)) subject.put(Mode.Set, key, bytesOf(1, valueBytes))
    for (const key of keysOf(50)) subject.get(key)
    subject.pass()
    t.ok(subject.rows['sampled_keys']! > 0)
  }
})

t.test('stats reset has the models count anew, with the items that they have', async t => {
  const subject = new Subject()
  for (const key of keysOf(100)) subject.ask(key)
  t.same(subject.ratios, Array(5).fill(0))
  subject.store.resetCounts()
  subject.pass()
  t.match(subject.rows, { requests: 0, sampled_keys: 100 })
  for (const key of keysOf(100)) subject.ask(key)
  t.same(subject.ratios, Array(5).fill(1))
  t.equal(subject.rows['requests'], 100)
})

t.test('with -o no_sizing no access is noted, and there are no ratios', async t => {
  const subject = new Subject({ sizing: false })
  for (const key of keysOf(100)) subject.ask(key)
  t.same(subject.rows, { sample_rate: 0, sampled_keys: 0, requests: 0 })
  t.equal(subject.store.context.accesses.isSampled(-0x80000000), false)
})

t.test('many requests at once have a smaller sample and then none, until the models may work again', async t => {
  const subject = new Subject()
  const { sizing } = subject.insight
  const keys = keysOf(100)
  while (sizing.below !== Below.None) for (const key of keys) subject.get(key)
  const gets = subject.rows['requests']!
  t.ok(gets > 20_000 && gets < 200_000, `${gets} gets`)
  for (const key of keys) subject.put(Mode.Set, key, VALUE)
  t.equal(subject.rows['sampled_keys'], 0, 'the models rest')
  for (let second = 0; second < 10; second++) subject.pass(1)
  t.equal(sizing.below, Below.All)
  for (const key of keys) subject.put(Mode.Set, key, VALUE)
  t.equal(subject.rows['sampled_keys'], 100)
})

t.test('many writes at once have what changes may cost at first, and then the models rest', async t => {
  const subject = new Subject()
  const { sizing } = subject.insight
  const keys = keysOf(100)
  let sets = 0
  while (sizing.below !== Below.None && sets < 100_000) {
    for (const key of keys) subject.put(Mode.Set, key, VALUE)
    sets += keys.length
  }
  t.ok(sets > 20_000 && sets < 50_000, `${sets} sets`)
})

t.test('hits that change nothing are not noted for a second, and count as hits with any memory', async t => {
  const subject = new Subject()
  const bounds = subject.insight.sizing.bounds
  const keys = keysOf(100)
  for (const key of keys) subject.ask(key)
  subject.pass()
  // the first hits of a key change its items
  t.same(bounds, [Below.All, Below.All])
  for (let round = 0; round < 25; round++) for (const key of keys) subject.get(key)
  subject.pass()
  t.same(bounds, [Below.All, Below.All])
  for (let round = 0; round < 25; round++) for (const key of keys) subject.get(key)
  subject.pass()
  t.match(bounds, { [Bound.Others]: Below.All, [Bound.Hits]: Below.None })
  for (let round = 0; round < 49; round++) for (const key of keys) subject.get(key)
  t.same(subject.ratios, Array(5).fill(0.99))
  subject.put(Mode.Set, 'another', VALUE)
  t.equal(subject.rows['sampled_keys'], 101)
  for (let step = 0; step < 10; step++) subject.pass()
  t.same(bounds, [Below.All, Below.All])
})

t.test('hits are noted as long as models change', async t => {
  const subject = new Subject()
  const hot = keysOf(100)
  for (let round = 0; round < 100; round++) {
    for (const key of hot) subject.ask(key)
    for (let count = 0; count < 20; count++) subject.ask(`${round}:${count}`)
    subject.pass()
    t.equal(subject.insight.sizing.bounds[Bound.Hits], Below.All)
  }
})

t.test('the sample of a large cache has few of its keys, and no fewer than 4,000', async t => {
  const { sizing } = replay(Array.from({ length: 100_000 }, (_, index) => index % 60_000), { megabytes: 64, valueBytes: () => 500 })
  t.ok(sizing['sample_rate']! <= 1 / 8, `a rate of ${sizing['sample_rate']}`)
  t.ok(sizing['sampled_keys']! >= 4000, `${sizing['sampled_keys']} keys`)
})

t.test('memory for items of several sizes is shared as in the store', async t => {
  const keys = Array.from({ length: 60_000 }, (_, index) => Math.floor((index * 2654435761 % 2 ** 32 / 2 ** 32) ** 3 * 40_000))
  const errors = errorsOf(keys, { megabytes: 32, valueBytes: key => 200 + key % 7 * 600 }, [0.5, 2])
  for (const [factor, points] of errors) t.ok(Math.abs(points) < 3, `${factor}: off by ${points.toFixed(2)}`)
})

t.test('the requests of all threads are part of it, also before the next step of the background', async t => {
  const { clock, connect } = await startThreads(t)
  const clients = [await connect(), await connect()]
  clock.advance(10)
  for (const [number, client] of clients.entries()) {
    for (let i = 0; i < 3000; i++) void client.send(`set ${number}k${i} 0 0 1\r\nv\r\nget ${number}k${i}\r\n`)
  }
  for (const [number, client] of clients.entries()) {
    const answers = Array.from({ length: 3000 }, (_, i) => `STORED\r\nVALUE ${number}k${i} 0 1\r\nv\r\nEND\r\n`)
    await client.expect(answers.join(''))
  }
  const rowsOf = async (): Promise<Map<string, string>> => {
    const answer = await clients[0]!.says('stats sizing\r\n', /^(STAT [^\r]*\r\n)*END\r\n$/)
    return new Map(Array.from(answer.toString().matchAll(/^STAT (\S+) (\S+)/gm), ([, name, value]) => [name!, value!]))
  }
  await until('half full rings are emptied', async () => Number((await rowsOf()).get('sampled_keys')) > 0)
  clock.advance(1)
  const rows = await rowsOf()
  t.equal(rows.get('requests'), '6000')
  t.equal(rows.get('1:hit_ratio'), '1')
})
