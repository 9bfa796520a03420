// `stats advice`: each advice is given for what it is about, and not for what looks a little like it.
import t, { type Test } from 'tap'
import { Habit, Habits } from '../../src/insight/habits.js'
import { type Options } from '../../src/options/options.js'
import { type Client } from '../support/client.js'
import { ask } from '../http/ask.js'
import { startLonelyServer, startServer } from '../support/server.js'
import { startSessions } from '../support/session.js'

/** An advice with its figures, by name. */
type Advice = ReadonlyMap<string, string>

function adviceIn(rows: Iterable<readonly [string, string | number]>): Advice[] {
  const given: Map<string, string>[] = []
  for (const [row, value] of rows) {
    const [, number, name = ''] = /^(\d+):(\w+)$/.exec(row) ?? []
    if (number === undefined) continue
    const index = Number(number) - 1
    given[index] ??= new Map<string, string>()
    given[index].set(name, String(value))
  }
  return given
}

/** One client of a server that looks at every request, and what it is advised after it has sent something. */
async function start(t: Test, options: Partial<Options> = {}) {
  const host = await startSessions(t, { hotkeys: 1, ...options })
  const client = await host.connect()
  const send = async (...requests: (string | Buffer)[]): Promise<void> => {
    for (const request of requests) await client.send(Buffer.from(request as string))
    await client.answer()
  }
  const rows = (): (readonly [string, string | number])[] => [...host.server.host.reportOwn('advice')].flatMap(part => [...part])
  const advice = (): Advice[] => adviceIn(rows())
  return { host, send, rows, advice, names: () => advice().map(given => given.get('advice')) }
}

function times(count: number, request: (index: number) => string): string[] {
  return Array.from({ length: count }, (_, index) => request(index))
}

t.test('a client that does everything right is given none', async t => {
  const { send, rows } = await start(t)
  await send(...times(100, n => `set k${n} 0 3600 5\r\nvalue\r\nget k${n} k${n + 1} k${n + 2}\r\ntouch k${n} 86400\r\n`))
  t.same(rows(), [['checked', 300]])
})

t.test('single gets in a row, each of which waits for the one before', async t => {
  const { send, advice, names } = await start(t)
  await send(...times(10, n => `get k${n}\r\n`))
  t.same(names(), [], 'too few to say anything')
  await send(...times(200, n => `get k${n}\r\n`))
  t.same(names(), ['single_gets'])
  const [given] = advice()
  t.ok(Number(given?.get('gets')) >= 100)
  t.ok(Number(given?.get('share')) > 0.5 && Number(given?.get('share')) <= 1)
  t.match(given?.get('text'), /^After \d+(\.\d)? % of the gets of one key .*saves waiting/)
})

t.test('gets of several keys, gets that come together, and gets with other requests between them are not', async t => {
  for (const requests of [
    times(200, n => `get k${n} l${n}\r\n`),
    times(200, n => `mg k${n} v\r\nmg l${n} v\r\nmn\r\n`),
    times(200, n => `get k${n}\r\nget l${n}\r\n`),
    times(100, n => `get k${n}\r\n`).flatMap(get => [get, 'set a 0 0 1\r\na\r\n']),
  ]) {
    const { send, names } = await start(t)
    await send(...requests)
    t.same(names(), [])
  }
})

t.test('a connection for each request', async t => {
  const { server, connect, settle } = await startLonelyServer(t, { hotkeys: 1 })
  const names = () => adviceIn([...server.host.reportOwn('advice')].flatMap(part => [...part])).map(given => given.get('advice'))
  const once = async (request: string, answer: string, connections: number): Promise<void> => {
    for (let connection = 0; connection < connections; connection++) {
      const client = await connect()
      await client.says(request, answer)
      await client.hangUp()
    }
    await settle()
  }
  await once('get a\r\nget b\r\n'.repeat(10), 'END\r\nEND\r\n'.repeat(10), 101)
  t.same(names(), [], 'twenty requests each are worth a connection')
  server.host.insight.reset()
  server.host.store.resetCounts()
  await once('get a b\r\n', 'END\r\n', 101)
  t.same(names(), ['connection_per_request'])
})

t.test('probes by HTTP, which have a connection each, are none', async t => {
  const { server, connect, settle } = await startLonelyServer(t, { hotkeys: 1, http: true })
  const client = await connect()
  for (let n = 0; n < 60; n++) await client.says('get a\r\n', 'END\r\n')
  for (let probe = 0; probe < 110; probe++) t.equal((await ask(server.port, '/healthz')).status, 200)
  await settle()
  t.same(adviceIn([...server.host.reportOwn('advice')].flatMap(part => [...part])).map(given => given.get('advice'))
    .filter(name => name === 'connection_per_request'), [])
})

t.test('a ttl that looks like milliseconds', async t => {
  const set = (ttl: number) => (n: number): string => `set k${n} 0 ${ttl} 1\r\nv\r\n`
  for (const ttl of [60_000, 300_000, 3_600_000, 86_400_000, 604_800_000]) {
    const { send, advice, names } = await start(t)
    await send(...times(300, set(60)), ...times(2, set(ttl)))
    t.same(names(), [], 'two may be a slip')
    await send(...times(2, set(ttl)))
    t.same(names(), ['ttl_milliseconds'], `${ttl}`)
    t.equal(advice()[0]?.get('example'), String(ttl))
    t.equal(advice()[0]?.get('share'), String(Math.round(4 / 304 * 1e6) / 1e6))
  }
  const { send, names } = await start(t)
  for (const ttl of [0, 1, 10_000, 100_000, 3600, 36_000, 86_400, 604_800, 2_592_000, 1_900_000_000, -1]) {
    await send(...times(10, set(ttl)))
  }
  t.same(names(), [])
  const touching = await start(t)
  await touching.send('set k 0 0 1\r\nv\r\n', ...times(3, () => 'touch k 60000\r\n'))
  t.same(touching.names(), ['ttl_milliseconds'])
})

t.test('keys near 250 bytes', async t => {
  const { send, advice, names } = await start(t)
  await send(...times(5, () => `set ${'k'.repeat(199)} 0 0 1\r\nv\r\n`))
  t.same(names(), [])
  await send(...times(3, n => `set ${'k'.repeat(200 + n)} 0 0 1\r\nv\r\n`))
  t.same(names(), ['long_keys'])
  t.same(['keys', 'long', 'longest'].map(figure => advice()[0]?.get(figure)), ['8', '3', '202'])
})

t.test('values near the limit, and above', async t => {
  const set = (bytes: number) => (n: number): string => `set k${n} 0 0 ${bytes}\r\n${'x'.repeat(bytes)}\r\n`
  const { send, advice, names } = await start(t)
  await send(...times(5, set(800_000)))
  t.same(names(), [])
  await send(...times(3, set(900_000)))
  t.same(names(), ['large_values'])
  t.same(['values', 'large', 'largest', 'refused', 'limit'].map(figure => advice()[0]?.get(figure)),
    ['8', '3', '900000', '0', '1048576'])
  const above = await start(t)
  await above.send(...times(1, set(1_100_000)))
  t.same(above.names(), ['large_values'])
  t.match(above.advice()[0]?.get('text'), /^1 values were refused/)
})

t.test('items that nobody reads, whether or not requests are sampled', async t => {
  for (const hotkeys of [0, 1]) {
    const { host, send, advice, names } = await start(t, { hotkeys })
    const sets = times(1200, n => `set k${n} 0 10 1\r\nv\r\n`)
    await send(...sets, ...times(700, n => `get k${n} x\r\n`))
    host.clock.advance(200)
    await send(...sets)
    t.same(names(), [], 'most were read')
    host.clock.advance(200)
    await send(...times(1200, n => `set l${n} 0 10 1\r\nv\r\n`))
    host.clock.advance(200)
    t.same(names(), ['unread_sets'])
    t.same(['stored', 'unread'].map(figure => advice()[0]?.get(figure)), ['3600', '2900'])
  }
})

/** Clients that miss a key, each of which may then store it. */
async function herd(t: Test, options: Partial<Options> = {}) {
  const { server, connect, client, clock } = await startServer(t, { hotkeys: 1, ...options })
  const clients = [client, ...await Promise.all(Array.from({ length: 9 }, connect))]
  const miss = async (rounds: number, of: readonly Client[] = clients, key = 'hot'): Promise<void> => {
    for (let round = 0; round < rounds; round++) for (const one of of) await one.says(`get ${key}\r\n`, 'END\r\n')
  }
  const store = async (key = 'hot'): Promise<void> => { await client.says(`set ${key} 0 0 1\r\nv\r\n`, 'STORED\r\n') }
  const advice = () => adviceIn([...server.host.reportOwn('advice')].flatMap(part => [...part]))
  const herds = () => advice().filter(given => given.get('advice') === 'thundering_herd')
  return { clients, clock, miss, store, herds }
}

t.test('a herd that misses one key, and stores it', async t => {
  const { miss, store, herds } = await herd(t)
  await miss(3, undefined, 'hot\tkey')
  t.same(herds(), [], 'a key that nobody stores may be none that can be stored')
  await store('hot\tkey')
  t.same(['herds', 'misses', 'key'].map(figure => herds()[0]?.get(figure)), ['1', '30', 'hot%09key'])
})

t.test('few misses, those of one client, and those of an hour are no herd', async t => {
  const { clients, clock, miss, store, herds } = await herd(t)
  await miss(1)
  await store()
  t.same(herds(), [], 'ten misses')
  await miss(30, clients.slice(0, 1), 'mine')
  await store('mine')
  t.same(herds(), [], 'one client')
  for (let hour = 0; hour < 4; hour++) {
    await miss(1, undefined, 'rare')
    clock.advance(3600)
  }
  await store('rare')
  t.same(herds(), [], 'in four hours')
})

t.test('with -X the key of a herd is not shown', async t => {
  const { miss, store, herds } = await herd(t, { dumpEnabled: false })
  await miss(3)
  await store()
  t.same([...herds()[0]?.keys() ?? []], ['advice', 'text', 'herds', 'misses'])
})

t.test('stats reset begins anew', async t => {
  const { send, names, rows } = await start(t)
  await send(...times(3, () => `get ${'k'.repeat(240)}\r\n`))
  t.same(names(), ['long_keys'])
  await send('stats reset\r\n')
  t.same(rows(), [['checked', 1]], 'the reset itself')
})

t.test('what all threads have seen counts', async t => {
  const memory = new SharedArrayBuffer(Habits.bytesFor(2))
  const [one, other] = [0, 1].map(thread => new Habits(memory, 0, 2, thread, 1, 1024 * 1024)) as [Habits, Habits]
  const { host } = await start(t)
  const { sampler } = host.server.host.insight
  sampler.teach(one)
  const client = await host.connect()
  await client.send(Buffer.from('get a\r\nget bbb\r\n'))
  sampler.teach(other)
  await client.send(Buffer.from('get cc\r\n'))
  t.equal(one.sum(Habit.Requests), 4, 'one has seen three, the other one')
  t.equal(other.largest(Habit.LongestKey), 3)
})
