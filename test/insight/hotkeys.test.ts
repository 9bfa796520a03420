// The keys that are asked for most, and those with the largest values, as `stats` shows them.
import t from 'tap'
import { Insight } from '../../src/insight/insight.js'
import { Sample } from '../../src/insight/sampler.js'
import { ENTRIES_MAX, TopKeys } from '../../src/insight/topkeys.js'
import { defaultOptions } from '../../src/options/options.js'
import { Opcode, packet } from '../support/packet.js'
import { Prng } from '../support/prng.js'
import { startSessions, type BareSession } from '../support/session.js'
import { StoreUnderTest } from '../support/store.js'

/** The rows of a report, by name. */
async function report(session: BareSession, name: string): Promise<Record<string, string>> {
  await session.send(Buffer.from(`stats ${name}\r\n`))
  const lines = String(await session.answer()).split('\r\n')
  t.equal(lines.at(-2), 'END')
  return Object.fromEntries(lines.slice(0, -2).map(line => {
    const [, row, ...value] = line.split(' ')
    return [row, value.join(' ')]
  }))
}

async function say(session: BareSession, text: string): Promise<string> {
  await session.send(Buffer.from(text, 'latin1'))
  return String(await session.answer())
}

t.test('a table counts few keys exactly', async t => {
  const { store: { context: { hash } } } = new StoreUnderTest()
  const table = new TopKeys(new ArrayBuffer(TopKeys.BYTES), 0)
  table.begin(1)
  for (let key = 0; key < ENTRIES_MAX; key++) {
    const bytes = Buffer.from(`..key${key}`)
    for (let times = 0; times <= key; times++) table.add(hash.of(bytes, 2, bytes.length), bytes, 2, bytes.length)
  }
  const read = [...table.read(hash)].map(({ bytes, count, error }) => `${Buffer.from(bytes)} ${count} ${error}`)
  t.same(read, Array.from({ length: ENTRIES_MAX }, (_, key) => `key${key} ${key + 1} 0`))
})

t.test('of many keys, the counts are bounds, and no frequent key is missing', async t => {
  const { store: { context: { hash } } } = new StoreUnderTest()
  for (const seed of [1, 2, 3]) {
    const random = new Prng(seed)
    const table = new TopKeys(new ArrayBuffer(TopKeys.BYTES), 0)
    const truth = new Map<string, number>()
    const samples = 100_000
    table.begin(1)
    for (let sample = 0; sample < samples; sample++) {
      // a few are frequent, and most come once or twice
      const key = random.oneIn(3) ? `hot${Math.min(random.below(60), random.below(60))}` : `cold${random.below(50_000)}`
      const bytes = Buffer.from(key)
      table.add(hash.of(bytes, 0, bytes.length), bytes, 0, bytes.length)
      truth.set(key, (truth.get(key) ?? 0) + 1)
    }
    t.equal(table.seen, samples)
    const found = new Map([...table.read(hash)].map(({ bytes, count, error }) => [String(Buffer.from(bytes)), { count, error }]))
    t.equal(found.size, ENTRIES_MAX)
    t.equal([...found.values()].reduce((sum, { count }) => sum + count, 0), samples, 'each sample counts once')
    const wrong = [...found].filter(([key, { count, error }]) => !(count >= truth.get(key)! && count - error <= truth.get(key)!))
    t.same(wrong, [], `seed ${seed}`)
    const missing = [...truth].filter(([key, count]) => count > samples / ENTRIES_MAX && !found.has(key))
    t.same(missing, [], `seed ${seed}`)
  }
})

t.test('what is read of an entry while it is changed is left out', async t => {
  const { store: { context: { hash } } } = new StoreUnderTest()
  const memory = new ArrayBuffer(TopKeys.BYTES)
  const table = new TopKeys(memory, 0)
  table.begin(1)
  for (const key of ['one', 'two']) table.add(hash.of(Buffer.from(key), 0, 3), Buffer.from(key), 0, 3)
  Buffer.from(memory).write('o', Buffer.from(memory).indexOf('two'))
  t.same([...table.read(hash)].map(({ bytes }) => String(Buffer.from(bytes))), ['one'])
})

t.test('reads and writes are counted for themselves', async t => {
  const { connect } = await startSessions(t, { hotkeys: 1 })
  const session = await connect()
  await say(session, 'set a 0 0 1\r\n1\r\nget a\r\nget a b\r\nget a\r\nincr a 1\r\nincr a 1\r\ntouch c 0\r\n')
  t.same(await report(session, 'hotkeys'), {
    'sample_rate': '1', 'seconds': '0', 'reads:sampled': '4', 'writes:sampled': '4',
    'reads:1:key': 'a', 'reads:1:count': '3', 'reads:1:share': '0.75', 'reads:1:error': '0',
    'reads:2:key': 'b', 'reads:2:count': '1', 'reads:2:share': '0.25', 'reads:2:error': '0',
    'writes:1:key': 'a', 'writes:1:count': '3', 'writes:1:share': '0.75', 'writes:1:error': '0',
    'writes:2:key': 'c', 'writes:2:count': '1', 'writes:2:share': '0.25', 'writes:2:error': '0',
  })
})

t.test('a key is written so that it stays in its line', async t => {
  const { connect } = await startSessions(t, { hotkeys: 1 })
  const session = await connect()
  await session.send(packet(Opcode.Set, { key: 'a\r\nSTAT b', extras: new Uint8Array(8), value: 'v' }))
  await session.answer()
  const text = await connect()
  t.equal((await report(text, 'hotkeys'))['writes:1:key'], 'a%0D%0ASTAT%20b')
  t.equal(Object.entries(await report(text, 'bigkeys')).join(), '1:1:key,a%0D%0ASTAT%20b,1:1:bytes,1')
})

t.test('a key counts for as many as its samples stand for', async t => {
  const hash = new StoreUnderTest().store.context.hash
  const table = new TopKeys(new ArrayBuffer(TopKeys.BYTES), 0)
  table.begin(1)
  const key = Buffer.from('key')
  for (const weight of [8, 4, 1]) table.add(hash.of(key, 0, 3), key, 0, 3, weight)
  t.equal(table.seen, 13)
  t.same([...table.read(hash)].map(({ count, error }) => [count, error]), [[13, 0]])
})

t.test('counts are estimates of all requests, from a sample', async t => {
  const { server, connect } = await startSessions(t, { hotkeys: 0.1 })
  const session = await connect()
  const random = new Prng(7)
  const { sampler } = server.host.insight
  // the sampler of the server, with numbers by chance that are the same each time, and a clock by which samples come in their pace
  let now = 0
  Object.assign(sampler, { random: () => random.below(2 ** 30) / 2 ** 30, milliseconds: () => ++now })
  for (let batch = 0; batch < 1000; batch++) {
    await session.send(Buffer.from(`get hot\r\nget warm\r\nget hot\r\nget cold${batch}\r\n`.repeat(10)))
    await session.answer()
  }
  const rows = await report(session, 'hotkeys')
  t.same([rows['sample_rate'], rows['reads:1:key'], rows['reads:2:key']], ['0.1', 'hot', 'warm'])
  t.ok(Math.abs(Number(rows['reads:1:count']) - 20_000) < 1500, rows['reads:1:count']!)
  t.ok(Math.abs(Number(rows['reads:1:share']) - 0.5) < 0.04, rows['reads:1:share']!)
  t.ok(Math.abs(Number(rows['reads:2:count']) - 10_000) < 1200, rows['reads:2:count']!)
})

t.test('what was hot is forgotten after a minute or two, unless little is asked for', async t => {
  const { clock, connect } = await startSessions(t, { hotkeys: 1 })
  const session = await connect()
  const hottest = async (): Promise<string | undefined> => (await report(session, 'hotkeys'))['reads:1:key']
  const ask = async (key: string, times: number): Promise<void> => { await say(session, `get ${key}\r\n`.repeat(times)) }
  await ask('old', 1500)
  clock.advance(60)
  await ask('new', 1000)
  t.equal(await hottest(), 'old')
  t.equal((await report(session, 'hotkeys'))['seconds'], '60')
  clock.advance(60)
  await ask('newer', 1)
  t.equal(await hottest(), 'new')
  clock.advance(3600)
  await ask('newer', 998)
  t.equal(await hottest(), 'new', 'there are few samples')
  await ask('newest', 1)
  t.equal(await hottest(), 'new')
  await ask('newest', 1)
  t.equal(await hottest(), 'newer')
})

t.test('at most twenty keys are shown, and none of which most is uncertain', async t => {
  const { connect } = await startSessions(t, { hotkeys: 1 })
  const session = await connect()
  await say(session, Array.from({ length: 1000 }, (_, key) => `get cold${key}\r\n`).join(''))
  t.equal((await report(session, 'hotkeys'))['reads:1:key'], undefined)
  for (let key = 0; key < 30; key++) await say(session, `get hot${key}\r\n`.repeat(30 + key))
  const rows = await report(session, 'hotkeys')
  t.equal(rows['reads:1:key'], 'hot29')
  t.equal(rows['reads:20:key'], 'hot10')
  t.equal(rows['reads:21:key'], undefined)
})

t.test('the largest values of each class are those that are there now', async t => {
  const { connect } = await startSessions(t, { hotkeys: 1 })
  const session = await connect()
  const set = (key: string, bytes: number): Promise<string> => say(session, `set ${key} 0 0 ${bytes}\r\n${'v'.repeat(bytes)}\r\n`)
  for (let key = 0; key < 9; key++) await set(`small${key}`, key + 1)
  await set('medium', 5000)
  await set('large', 900_000)
  const keys = (rows: Record<string, string>): string[] =>
    Object.entries(rows).filter(([row]) => row.endsWith(':key')).map(([row, key]) => `${key} ${rows[row.replace('key', 'bytes')]}`)
  t.same(keys(await report(session, 'bigkeys')),
    ['small8 9', 'small7 8', 'small6 7', 'small5 6', 'small4 5', 'medium 5000', 'large 900000'])
  await say(session, 'delete large\r\n')
  await set('small8', 2)
  await set('medium', 4990)
  t.same(keys(await report(session, 'bigkeys')), ['small7 8', 'small6 7', 'small5 6', 'small4 5', 'small8 2', 'medium 4990'])
})

t.test('large values that no sample has met are found by the background walk', async t => {
  const { clock, server, connect } = await startSessions(t, { hotkeys: 1e-9 })
  const session = await connect()
  for (let key = 0; key < 1000; key++) await say(session, `set key${key} 0 0 ${key + 1000}\r\n${'v'.repeat(key + 1000)}\r\n`)
  t.same(await report(session, 'bigkeys'), {})
  clock.advance(130)
  server.store.refreshTime()
  const rows = await report(session, 'bigkeys')
  const first = Object.keys(rows)[0]!.split(':')[0]!
  const last = Object.keys(rows).at(-1)!.split(':')[0]!
  t.equal(rows[`${last}:1:key`], 'key999')
  t.equal(rows[`${last}:5:key`], 'key995')
  t.equal(Object.keys(rows).length, 10 * (Number(last) - Number(first) + 1))
  // what is deleted makes room for others, once it has not been met for a while
  for (let key = 990; key < 1000; key++) await say(session, `delete key${key}\r\n`)
  t.equal((await report(session, 'bigkeys'))[`${last}:1:key`], undefined)
  clock.advance(300)
  t.equal((await report(session, 'bigkeys'))[`${last}:1:key`], 'key989')
})

t.test('what threads have counted is added up, also by a thread that takes the place of another', async t => {
  const first = new StoreUnderTest({ shared: true, threads: 2 })
  const second = StoreUnderTest.attach(first.store.share(), 1)
  const memory = new SharedArrayBuffer(Insight.bytesFor(defaultOptions(), 2))
  const insightOf = ({ store }: StoreUnderTest): Insight => new Insight(memory, { ...defaultOptions(), hotkeys: 1 }, store)
  const ask = ({ hotKeys, store }: Insight, key: string, times: number): void => {
    const bytes = Buffer.from(key)
    const hash = store.context.hash.of(bytes, 0, bytes.length)
    const sample = Object.assign(new Sample(bytes), { keyEnd: bytes.length, hash, now: store.context.now })
    for (let time = 0; time < times; time++) hotKeys.key(sample)
  }
  const read = ({ hotKeys }: Insight): string[] => [...hotKeys.report()].flatMap(rows => [...rows])
    .filter(([row]) => /^reads:.*(key|count)$/.test(row)).map(([, value]) => String(value))
  const one = insightOf(first)
  const other = insightOf(second)
  ask(one, 'a', 3)
  ask(other, 'b', 4)
  ask(other, 'a', 2)
  t.same(read(one), ['a', '5', 'b', '4'])
  t.same(read(other), ['a', '5', 'b', '4'])
  // more keys than there are entries, in a table that the thread has not begun itself
  const next = insightOf(second)
  for (let key = 0; key < 2 * ENTRIES_MAX; key++) ask(next, `key${key}`, 1)
  ask(next, 'c', 5)
  t.same(read(one).slice(0, 4), ['c', '7', 'a', '3'], 'one count of a key before is its error')
})

t.test('without samples there is nothing to show', async t => {
  const { clock, connect } = await startSessions(t, { hotkeys: 0 })
  const session = await connect()
  await say(session, 'set a 0 0 1\r\nv\r\nget a\r\n')
  clock.advance(130)
  t.same(await report(session, 'hotkeys'), { 'sample_rate': '0', 'seconds': '0', 'reads:sampled': '0', 'writes:sampled': '0' })
  t.same(await report(session, 'bigkeys'), {})
})

t.test('a server that begins anew has forgotten all keys', async t => {
  const { server, connect } = await startSessions(t, { hotkeys: 1 })
  const session = await connect()
  await say(session, 'set a 0 0 1\r\nv\r\nget a\r\n')
  server.beginAnew()
  t.equal((await report(session, 'hotkeys'))['reads:sampled'], '0')
  t.same(await report(session, 'bigkeys'), {})
  await say(session, 'get b\r\n')
  t.equal((await report(session, 'hotkeys'))['reads:1:key'], 'b')
})
