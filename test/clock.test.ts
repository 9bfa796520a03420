// What time a server goes by when somebody sets the machine's clock: none of that. Each of these clocks jumps.

import { createRequire } from 'node:module'
import { existsSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { mock } from 'node:test'
import t, { type Test } from 'tap'

import { SystemClock, type Clock } from '../src/clock.js'
import { ServerCore } from '../src/server/core.js'
import { spawnServer } from './clients/server.js'
import { Client } from './support/client.js'
import { ManualClock } from './support/clock.js'
import { until } from './support/patience.js'
import { inProject } from './support/places.js'
import { startServer } from './support/server.js'
import { startThreads } from './support/workers.js'

const HALF_AN_HOUR = 1800
const TWO_HOURS = 7200
/** A test takes less than this, in seconds, however slow the machine is. */
const PATIENT_SECONDS = 600
/** Debian has it below, in a folder named after the machine. */
const FAKETIME_FOLDERS = '/usr/lib'

/** What one statistic says. */
async function stat(client: Client, name: string): Promise<number> {
  const stats = String(await client.says('stats\r\n', /[^]*END\r\n/))
  const found = new RegExp(`STAT ${name} (-?\\d+)\r\n`).exec(stats)
  if (found === null) throw new Error(`no statistic ${name}`)
  return Number(found[1])
}

t.test('a clock that goes back has stood still, and goes on from there', async t => {
  const { client, clock } = await startServer(t)
  const start = Math.floor(clock.milliseconds() / 1000)
  await client.says('set early 0 100 1\r\nv\r\n', 'STORED\r\n')
  clock.advance(10)
  t.equal(await stat(client, 'uptime'), 10)
  clock.jump(-TWO_HOURS)
  t.equal(await stat(client, 'uptime'), 10)
  t.equal(await stat(client, 'time'), start + 10)
  await client.says('set late 0 100 1\r\nv\r\nset dead 0 -1 1\r\nv\r\nget dead\r\n', 'STORED\r\nSTORED\r\nEND\r\n')
  await client.says('mg early t\r\nmg late t\r\n', 'HD t90\r\nHD t100\r\n')
  clock.advance(90)
  await client.says('mg early t\r\nmg late t\r\n', 'EN\r\nHD t10\r\n')
  clock.jump(-1)
  t.equal(await stat(client, 'uptime'), 100)
  clock.advance(10)
  await client.says('mg late t\r\n', 'EN\r\n')
  t.equal(await stat(client, 'uptime'), 110)
})

t.test('a clock that is behind the start from the beginning on makes nothing immortal', async t => {
  const { client, clock } = await startServer(t)
  clock.jump(-60)
  for (let exptime = 1; exptime <= 130; exptime++) {
    await client.says(`set k${exptime} 0 ${exptime} 1\r\nv\r\nmg k${exptime} t\r\n`, `STORED\r\nHD t${exptime}\r\n`)
  }
  clock.advance(130)
  for (let exptime = 1; exptime <= 130; exptime++) await client.says(`get k${exptime}\r\n`, 'END\r\n')
})

t.test('idle clients are closed in their time though a clock has gone back', async t => {
  const { client, clock } = await startServer(t, { idleTimeout: 60 })
  await client.says('mn\r\n', 'MN\r\n')
  clock.jump(-TWO_HOURS)
  clock.advance(63)
  await client.expectClosed()
})

t.test('no thread goes back with a clock', async t => {
  const { connect, clock, pass } = await startThreads(t, { threads: 3 })
  const clients = await Promise.all(Array.from({ length: 9 }, () => connect()))
  await clients[0]!.says('set k 0 100 1\r\nv\r\n', 'STORED\r\n')
  clock.jump(-TWO_HOURS)
  await pass(1000)
  for (const client of clients) {
    await client.says('mg k t\r\nset dead 0 -1 1\r\nv\r\nget dead\r\n', /HD t(99|100)\r\nSTORED\r\nEND\r\n/)
    t.ok(await stat(client, 'uptime') >= 0)
  }
  await pass(100_000)
  for (const client of clients) await client.says('mg k t\r\n', 'EN\r\n')
})

/** A clock by which time stands still while somebody sets the time of day. */
class SetClock extends ManualClock {
  aheadSeconds = 0

  timeOfDay(): number { return this.milliseconds() + this.aheadSeconds * 1000 }
}

/** A server that goes by this clock, or the machine's, and two clients of it. */
async function startWith(t: Test, clock?: Clock, Core = ServerCore): Promise<readonly [Client, Client]> {
  const server = new Core({ port: -1, listen: ['127.0.0.1'] }, { log: () => {}, ...clock && { clock } })
  t.teardown(() => server.close())
  await server.listen()
  const to = { host: '127.0.0.1', port: server.port }
  return [await Client.connect(to), await Client.connect(to)]
}

t.test('the time of day is but a stamp of what watch tells', async t => {
  const clock = new SetClock()
  const [client, watcher] = await startWith(t, clock)
  const start = Math.floor(clock.milliseconds() / 1000)
  await client.says(`set k 0 600 1\r\nv\r\nset date 0 ${start + 600} 1\r\nv\r\n`, 'STORED\r\nSTORED\r\n')
  for (const ahead of [HALF_AN_HOUR, -TWO_HOURS]) {
    clock.aheadSeconds = ahead
    await client.says('mg k t\r\nmg date t\r\nset dead 0 -1 1\r\nv\r\nget dead\r\n', 'HD t600\r\nHD t600\r\nSTORED\r\nEND\r\n')
    t.equal(await stat(client, 'uptime'), 0)
    t.equal(await stat(client, 'time'), start)
  }
  await stampIs(t, watcher, client, start - TWO_HOURS, () => clock.advance(1))
})

/** The built server, loaded anew where this is the time of day. Its threads have the machine's. */
function loadUnder(timeOfDay: () => number): typeof ServerCore {
  const load = createRequire(import.meta.url)
  const path = inProject('dist/server/core.js')
  for (const file of Object.keys(load.cache)) if (file.startsWith(inProject('dist'))) delete load.cache[file]
  const { now } = Date
  Date.now = timeOfDay
  try {
    return (load(path) as { ServerCore: typeof ServerCore }).ServerCore
  } finally { Date.now = now }
}

t.test('the clock of the machine may be set while a program serves', async t => {
  const { now } = Date
  let ahead = 0
  const [client] = await startWith(t, undefined, loadUnder(() => now() + ahead * 1000))
  const start = await stat(client, 'time')
  await client.says('set k 0 1200 1\r\nv\r\n', 'STORED\r\n')
  for (ahead of [HALF_AN_HOUR, -TWO_HOURS]) {
    await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
    await client.says('set dead 0 -1 1\r\nv\r\nget dead\r\n', 'STORED\r\nEND\r\n')
    t.ok(await stat(client, 'uptime') < PATIENT_SECONDS)
    t.ok(await stat(client, 'uptime') >= 0)
    const time = await stat(client, 'time')
    t.ok(time >= start && time < start + PATIENT_SECONDS, `${time}`)
  }
})

t.test('all threads begin where the server does, whatever the time of day is when they start', async t => {
  const { now } = Date
  // for this thread, as it makes the server; for the others the machine's clock is as ever
  const BuiltServer = loadUnder(() => now() - TWO_HOURS * 1000)
  const server = new BuiltServer({ threads: 3, port: -1, listen: ['127.0.0.1'] })
  t.teardown(() => server.close())
  await server.listen()
  const start = Math.floor(now() / 1000) - TWO_HOURS
  for (let count = 0; count < 9; count++) {
    const client = await Client.connect({ host: '127.0.0.1', port: server.port })
    t.teardown(() => client.stream.destroy())
    const time = await stat(client, 'time')
    t.ok(Math.abs(time - start) < PATIENT_SECONDS, `${time - start}`)
    t.ok(await stat(client, 'uptime') < PATIENT_SECONDS)
    await client.says(`set k 0 ${start + 2 * PATIENT_SECONDS} 1\r\nv\r\nget k\r\n`, 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
  }
})

t.test('fake timers of a program move no server', async t => {
  mock.timers.enable({ apis: ['Date', 'setInterval'], now: Date.UTC(2001, 0, 1) })
  t.teardown(() => mock.timers.reset())
  const [client] = await startWith(t)
  await client.says('set k 0 1200 1\r\nv\r\n', 'STORED\r\n')
  mock.timers.tick(TWO_HOURS * 1000)
  const time = await stat(client, 'time')
  t.ok(time > Date.UTC(2026, 0, 1) / 1000, `${time}`)
  await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  // what goes on in the background goes on without a tick
  let stop = (): void => {}
  await new Promise<void>(resolve => { stop = new SystemClock().every(1, resolve) })
  stop()
})

t.test('two clocks of one origin agree', t => {
  const clock = new SystemClock()
  const other = new SystemClock(clock.origin)
  for (let times = 0; times < 1000; times++) {
    const [before, between, after] = [clock.milliseconds(), other.milliseconds(), clock.milliseconds()]
    if (before > between || between > after) t.fail(`${before}, then ${between}, then ${after}`)
  }
  t.end()
})

/** Debian's libfaketime, for programs of several threads. */
function faketime(): string | undefined {
  if (process.platform !== 'linux') return undefined
  return readdirSync(FAKETIME_FOLDERS).map(folder => join(FAKETIME_FOLDERS, folder, 'faketime/libfaketimeMT.so.1'))
    .find(existsSync)
}

const library = faketime()

t.test('somebody sets the clock of the machine, for all threads', { skip: library === undefined && 'faketime is not installed' },
  async t => {
  const ahead = join(t.testdir(), 'ahead')
  const setAhead = (seconds: number): void => {
    writeFileSync(`${ahead}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(`${ahead}.new`, ahead)
  }
  setAhead(0)
  const env = {
    LD_PRELOAD: library!, FAKETIME_TIMESTAMP_FILE: ahead, FAKETIME_NO_CACHE: '1',
    // its older versions know the one, newer ones the other
    DONT_FAKE_MONOTONIC: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1',
  }
  const server = await spawnServer(t, ['-t', '4'], { env })
  const clients = await Promise.all(Array.from({ length: 8 }, () => server.client()))
  const start = await stat(clients[0]!, 'time')
  await clients[0]!.says(`set k 0 1200 1\r\nv\r\nset date 0 ${start + 1200} 1\r\nv\r\n`, 'STORED\r\nSTORED\r\n')
  for (const seconds of [HALF_AN_HOUR, -TWO_HOURS]) {
    setAhead(seconds)
    await stampIs(t, await server.client(), clients[0]!, Date.now() / 1000 + seconds)
    for (const [n, client] of clients.entries()) {
      await client.says('get k date\r\n', 'VALUE k 0 1\r\nv\r\nVALUE date 0 1\r\nv\r\nEND\r\n')
      await client.says(`set dead${n} 0 -1 1\r\nv\r\nget dead${n}\r\nset brief${n} 0 2 1\r\nv\r\n`, 'STORED\r\nEND\r\nSTORED\r\n')
      const uptime = await stat(client, 'uptime')
      t.ok(uptime >= 0 && uptime < PATIENT_SECONDS, `uptime ${uptime}`)
      const time = await stat(client, 'time')
      t.ok(time >= start && time < start + PATIENT_SECONDS, `time ${time}`)
    }
    for (const n of clients.keys()) {
      await until('an item ends', async () => String(await clients[0]!.says(`mg brief${n}\r\n`, /HD\r\n|EN\r\n/)) === 'EN\r\n')
    }
  }
})

/** What `watch` says of a get that `other` does is stamped with about this second. */
async function stampIs(t: Test, watcher: Client, other: Client, second: number, pass = (): void => {}): Promise<void> {
  await watcher.says('watch fetchers\r\n', 'OK\r\n')
  await other.says('get nothing\r\n', 'END\r\n')
  pass()
  const line = String(await watcher.expect(/ts=[^]*\n/))
  const stamp = Number(/^ts=(\d+)\./.exec(line)?.[1])
  t.ok(Math.abs(stamp - second) < PATIENT_SECONDS, `stamped ${stamp} for ${second}`)
  await watcher.hangUp()
}
