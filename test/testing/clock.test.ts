// The clock of a TestServer: what follows it, in all threads.
import t, { type Test } from 'tap'
import { TestServer, type TestServerOptions } from '../../dist/testing/index.js'
import { readDuration } from '../../src/options/durations.js'
import { Client } from '../support/client.js'

const CLIENTS = 9

/** A server whose clock stands still, and clients of it, which several threads serve. @param at the time before they connect */
async function begin(t: Test, options: TestServerOptions = {}, at?: string):
Promise<{ cache: TestServer, clients: readonly Client[] }> {
  const cache = await TestServer.create({ threads: 3, ...options })
  t.teardown(() => cache.stop())
  cache.clock.freeze()
  if (at !== undefined) cache.clock.setTime(at)
  const to = { host: cache.host, port: cache.port }
  return { cache, clients: await Promise.all(Array.from({ length: CLIENTS }, () => Client.connect(to))) }
}

async function stat(client: Client, name: string): Promise<number> {
  const stats = String(await client.says('stats\r\n', /[^]*END\r\n/))
  return Number(new RegExp(`STAT ${name} (-?\\d+)\r\n`).exec(stats)?.[1])
}

t.test('items expire, in all threads, as soon as the time has been moved', async t => {
  const { cache, clients } = await begin(t)
  const [first] = clients
  await first!.says('set k 0 100 1\r\nv\r\n', 'STORED\r\n')
  cache.clock.tick('1m')
  for (const client of clients) await client.says('mg k t\r\n', 'HD t40\r\n')
  cache.clock.tick(39_000)
  for (const client of clients) await client.says('mg k t\r\n', 'HD t1\r\n')
  cache.clock.tick('1s')
  for (const client of clients) await client.says('get k\r\n', 'END\r\n')
})

t.test('stats explain says how old a value is, when the time is moved and when it goes back', async t => {
  const { cache, clients } = await begin(t)
  const [client] = clients
  const explained = async (): Promise<string> => String(await client!.says('stats explain k\r\n', /[^]*END\r\n/))
  await client!.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  cache.clock.tick('200s')
  // the second read notes the time
  for (const client of clients.slice(0, 2)) await client.says('mg k t\r\n', 'HD t-1\r\n')
  t.match(await explained(), /, stored 3 min ago, last used at most just now[^]*STAT age 200\r\n/)
  cache.clock.tick('1h')
  t.match(await explained(), /STAT age 3800\r\n/)
  cache.clock.setTime(cache.clock.now() - 86_400_000)
  t.notMatch(await explained(), /STAT age/)
})

t.test('a month is what an exptime may be, and a date from there on', async t => {
  const { cache, clients: [client] } = await begin(t)
  cache.clock.setTime('2030-01-01T00:00:00Z')
  const start = Date.UTC(2030, 0, 1) / 1000
  await client!.says(`set month 0 ${30 * 86_400} 1\r\nv\r\nset date 0 ${start + 31 * 86_400} 1\r\nv\r\n`, 'STORED\r\nSTORED\r\n')
  await client!.says('mg month t\r\nmg date t\r\n', `HD t${30 * 86_400}\r\nHD t${31 * 86_400}\r\n`)
  cache.clock.tick('30d')
  await client!.says('get month date\r\n', 'VALUE date 0 1\r\nv\r\nEND\r\n')
  cache.clock.setTime(new Date(Date.UTC(2030, 1, 1)))
  await client!.says('get date\r\n', 'END\r\n')
})

t.test('parts of a second add up', async t => {
  const { cache, clients: [client] } = await begin(t)
  cache.clock.setTime(Date.UTC(2030, 0, 1))
  await client!.says('set k 0 1 1\r\nv\r\n', 'STORED\r\n')
  cache.clock.tick(400)
  cache.clock.tick('599ms')
  t.equal(cache.clock.now(), Date.UTC(2030, 0, 1) + 999)
  await client!.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  cache.clock.tick(1)
  await client!.says('get k\r\n', 'END\r\n')
})

t.test('stats, a delayed flush, and the stamps of watch follow it', async t => {
  const { cache, clients: [client, other] } = await begin(t)
  cache.clock.setTime('2030-01-01T00:00:00Z')
  const before = await stat(client!, 'uptime')
  await client!.says('set k 0 0 1\r\nv\r\nflush_all 90\r\n', 'STORED\r\nOK\r\n')
  await other!.says('watch mutations\r\n', 'OK\r\n')
  cache.clock.tick('89s')
  t.equal(await stat(client!, 'uptime') - before, 89)
  t.equal(await stat(client!, 'time'), Date.UTC(2030, 0, 1) / 1000 + 89)
  await client!.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  cache.clock.tick('1s')
  await client!.says('get k\r\n', 'END\r\n')
  await client!.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  await other!.expect(new RegExp(`ts=${Date.UTC(2030, 0, 1) / 1000 + 90}\\.\\d+ [^\\n]*\\n`))
})

for (const threads of [1, 3]) t.test(`idle clients are closed by a tick, and others are not, in ${threads} threads`, async t => {
  const { cache, clients: [idle, busy, ...others] } = await begin(t, { idleTimeout: 60, threads })
  for (const client of [idle, busy, ...others]) await client!.says('version\r\n', /.*\r\n/)
  cache.clock.tick('40s')
  await busy!.says('version\r\n', /.*\r\n/)
  cache.clock.tick('30s')
  await idle!.expectClosed()
  for (const other of others) await other.expectClosed()
  t.equal(await stat(busy!, 'idle_kicks'), CLIENTS - 1)
})

t.test('it can go back, and what was stored in the future stays until its date', async t => {
  const { cache, clients } = await begin(t, { idleTimeout: 600 }, '2030-01-01T00:00:00Z')
  const [client] = clients
  const start = Date.UTC(2030, 0, 1) / 1000
  await client!.says(`set relative 0 100 1\r\nv\r\nset date 0 ${start + 50} 1\r\nv\r\n`, 'STORED\r\nSTORED\r\n')
  cache.clock.setTime('2001-01-01T00:00:00Z')
  const distance = (Date.UTC(2030, 0, 1) - Date.UTC(2001, 0, 1)) / 1000
  for (const each of clients) {
    await each.says('mg relative t\r\nmg date t\r\n', `HD t${distance + 100}\r\nHD t${distance + 50}\r\n`)
  }
  t.equal(await stat(client!, 'time'), Date.UTC(2001, 0, 1) / 1000)
  t.equal(await stat(client!, 'uptime'), 0)
  await client!.says('set early 0 10 1\r\nv\r\n', 'STORED\r\n')
  cache.clock.tick('10s')
  await client!.says('get early relative\r\n', 'VALUE relative 0 1\r\nv\r\nEND\r\n')
  t.equal(await stat(client!, 'uptime'), 10)
  await client!.says('stats conns\r\n', /[^]*state conn_listening\r\nSTAT \d+:secs_since_last_cmd 12\r\n[^]*END\r\n/)
  cache.clock.tick('9m')
  t.equal(await stat(client!, 'idle_kicks'), 0)
  cache.clock.tick('2m')
  await clients[1]!.expectClosed()
})

t.test('it runs, is frozen, runs again, and is set to the machine\'s time again', async t => {
  const cache = new TestServer()
  const { clock } = cache
  t.equal(clock.isFrozen, false)
  clock.freeze()
  t.equal(clock.isFrozen, true)
  const at = clock.now()
  clock.tick('1d')
  t.equal(clock.now(), at + 86_400_000)
  clock.unfreeze()
  t.equal(clock.isFrozen, false)
  t.ok(clock.now() >= at + 86_400_000 && clock.now() < at + 86_400_000 + 600_000)
  clock.setTime('2000-01-01')
  clock.freeze()
  clock.reset()
  t.equal(clock.isFrozen, false)
  t.ok(clock.now() >= at && clock.now() < at + 600_000)
})

t.test('it may be set before the server starts, and is kept by a restart', async t => {
  const cache = new TestServer()
  t.teardown(() => cache.stop())
  cache.clock.freeze()
  cache.clock.setTime('2020-02-02T00:00:00Z')
  await cache.start()
  const client = await Client.connect({ host: cache.host, port: cache.port })
  t.equal(await stat(client, 'time'), Date.UTC(2020, 1, 2) / 1000)
  t.equal(await stat(client, 'uptime'), 0)
  await cache.restart()
  cache.clock.tick('5s')
  const other = await Client.connect({ host: cache.host, port: cache.port })
  t.equal(await stat(other, 'time'), Date.UTC(2020, 1, 2) / 1000 + 5)
})

t.test('what is no duration or no date is an error, and the time stays', async t => {
  const { clock } = new TestServer()
  clock.freeze()
  const at = clock.now()
  for (const wrong of ['soon', '', '5 apples', -1, NaN, Infinity, '-5s', undefined, {}]) {
    t.throws(() => clock.tick(wrong as string), { name: 'MemslabError', code: 'EUSAGE' }, String(wrong))
  }
  for (const wrong of ['some day', NaN, new Date(NaN), undefined, '1980-01-01', '2070-01-01', -1]) {
    t.throws(() => clock.setTime(wrong as string), { name: 'MemslabError', code: 'EUSAGE' }, String(wrong))
  }
  t.throws(() => clock.tick('2000w'), { code: 'EUSAGE' })
  t.equal(clock.now(), at)
})

t.test('durations', async t => {
  const cases = {
    '31d': 31 * 86_400_000, '90s': 90_000, '1h30m': 5_400_000, '1h 30m': 5_400_000, '2w': 1_209_600_000, '250ms': 250, '0.5s': 500,
  }
  for (const [text, milliseconds] of Object.entries(cases)) t.equal(readDuration(text), milliseconds, text)
  for (const wrong of ['', '1', 's', '1x', '1 s', '1s,2s', null]) t.equal(readDuration(wrong), undefined, String(wrong))
})
