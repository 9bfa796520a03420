// What a watcher sees of a server with one thread, and what becomes of it.
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import t from 'tap'
import { Client } from '../support/client.js'
import { DatagramClient } from '../support/datagram.js'
import { startLonelyServer, startServer, type LonelyServer } from '../support/server.js'
import { startSessions } from '../support/session.js'

type Host = Pick<LonelyServer, 'server' | 'pass'>

function statistic({ server }: Host, name: string): number {
  return Number(new Map(server.host.report('')).get(name))
}

/** The lines that a watcher got in the meantime. */
async function linesOf(host: Host, watcher: { answer(expected: never): Promise<Buffer>, waiting(): Buffer }): Promise<string[]> {
  await host.pass(100)
  const text = watcher.waiting().toString('latin1')
  return text.split('\n').slice(0, -1).filter(line => line !== 'OK\r')
}

const MIB = 1024 * 1024

t.test('evictions show what went, how old and whether anybody wanted it', async t => {
  const host = await startSessions(t, { maxbytes: 2 * MIB, itemSizeMax: MIB, lruSegmented: false, lruMaintainer: false })
  const watcher = await host.connect()
  const client = await host.connect()
  await client.send(Buffer.from(`set first 0 500 1000\r\n${'x'.repeat(1000)}\r\nget first\r\n`))
  host.clock.advance(10)
  await watcher.send(Buffer.from('watch evictions\r\n'))
  for (let count = 0; count < 3000; count++) await client.send(Buffer.from(`set k${count} 0 0 1000\r\n${'x'.repeat(1000)}\r\n`))
  const lines = await linesOf(host, watcher)
  t.match(lines[0], /^ts=\d+\.\d{6} gid=1 type=eviction key=first fetch=yes ttl=490 la=10 clsid=\d+ size=1000$/)
  t.match(lines[1], /^ts=\d+\.\d{6} gid=2 type=eviction key=k0 fetch=no ttl=-1 la=0 clsid=\d+ size=1000$/)
  t.equal(lines.length, statistic(host, 'log_worker_written'))
  t.equal(lines.length + statistic(host, 'log_worker_dropped'), statistic(host, 'evictions'),
    'each is written or counted as dropped')
})

t.test('page moves are system events', async t => {
  const host = await startSessions(t, { maxbytes: 4 * MIB, itemSizeMax: MIB })
  const watcher = await host.connect()
  const client = await host.connect()
  for (let count = 0; count < 5000; count++) await client.send(Buffer.from(`set k${count} 0 0 1000\r\n${'x'.repeat(1000)}\r\n`))
  await watcher.send(Buffer.from('watch sysevents\r\n'))
  // what is old gives way to what is wanted
  host.clock.advance(100)
  for (let count = 0; count < 100; count++) {
    await client.send(Buffer.from(`set m${count} 0 0 100000\r\n${'x'.repeat(100_000)}\r\n`))
    host.clock.advance(0.1)
  }
  const lines = await linesOf(host, watcher)
  t.equal(lines.length, statistic(host, 'slabs_moved'))
  t.ok(lines.length > 0)
  for (const line of lines) t.match(line, /^ts=\d+\.\d{6} gid=\d+ type=slab_move src=\d+ dst=\d+$/)
})

t.test('so are those that a command asks for', async t => {
  const host = await startSessions(t, { maxbytes: 8 * MIB })
  const watcher = await host.connect()
  const client = await host.connect()
  for (let count = 0; count < 3000; count++) await client.send(Buffer.from(`set k${count} 0 0 1000\r\n${'x'.repeat(1000)}\r\n`))
  await watcher.send(Buffer.from('watch sysevents\r\n'))
  for (const to of [30, 0]) {
    await client.send(Buffer.from(`slabs reassign -1 ${to}\r\n`))
    host.clock.advance(2)
    for (let steps = 0; steps < 200; steps++) host.clock.advance(0.01)
  }
  const lines = await linesOf(host, watcher)
  t.equal(lines.length, statistic(host, 'slabs_moved'))
  t.match(lines[0], /type=slab_move src=\d+ dst=30$/)
  t.match(lines[1], /type=slab_move src=\d+ dst=0$/, 'to the pool')
})

t.test('a watcher that does not read is skipped, told how often, and holds no more than its buffer', async t => {
  const host = await startSessions(t, { watcherLogbufSize: 2048 })
  const [slow, quick, client] = [await host.connect(), await host.connect(), await host.connect()]
  await slow.send(Buffer.from('watch fetchers\r\n'))
  await quick.send(Buffer.from('watch fetchers\r\n'))
  slow.pause()
  for (let count = 0; count < 500; count++) {
    await client.send(Buffer.from(`get k${count}\r\n`))
    host.clock.advance(0.1)
  }
  const before = slow.waiting().toString().split('\n')
  t.ok(slow.waiting().length < 3000, `${slow.waiting().length} bytes were written to it`)
  t.equal((await linesOf(host, quick)).length, 500, 'others are told everything')
  slow.resume()
  host.clock.advance(0.1)
  await client.send(Buffer.from('get last\r\n'))
  const lines = await linesOf(host, slow)
  const skipped = lines.find(line => line.startsWith('skipped='))
  t.match(skipped, /^skipped=\d+$/)
  t.equal(lines.indexOf(skipped!), lines.length - 2, 'right before what came next')
  t.equal(lines.length - 1 + Number(skipped!.slice(8)), 501, `of ${before.length} lines none is lost without being counted`)
  t.equal(statistic(host, 'log_watcher_skipped'), Number(skipped!.slice(8)))
  t.equal(statistic(host, 'log_watcher_sent'), 501 + lines.length - 1)
})

t.test('a slow socket is skipped too', async t => {
  const host = await startServer(t, { watcherLogbufSize: 64 * 1024, workerLogbufSize: MIB })
  const watcher = await host.connect()
  await watcher.says('watch fetchers\r\n', 'OK\r\n')
  watcher.pause()
  const key = 'k'.repeat(250)
  for (let round = 0; statistic(host, 'log_watcher_skipped') === 0 && round < 2000; round++) {
    await host.client.says(`get ${key}\r\n`.repeat(500), 'END\r\n'.repeat(500))
    host.clock.advance(0.1)
  }
  t.ok(statistic(host, 'log_watcher_skipped') > 0)
  watcher.resume()
  await watcher.hangUp()
})

t.test('twenty may watch', async t => {
  const host = await startSessions(t)
  const watchers = await Promise.all(Array.from({ length: 21 }, async () => await host.connect()))
  for (const watcher of watchers) await watcher.send(Buffer.from('watch\r\n'))
  t.same(watchers.map(watcher => watcher.waiting().toString()),
    [...Array<string>(20).fill('OK\r\n'), 'WATCHER_TOO_MANY log watcher limit reached\r\n'])
  await watchers[3]!.hangUp()
  await watchers[20]!.send(Buffer.from('watch\r\n'))
  t.match(watchers[20]!.waiting().toString(), /OK\r\n$/, 'room for another')
  t.equal(statistic(host, 'log_watchers'), 20)
})

t.test('watchers that go, in whatever way, leave nothing behind', async t => {
  const host = await startServer(t)
  const { client, clock, server } = host
  const watchers = await Promise.all(Array.from({ length: 6 }, host.connect))
  for (const watcher of watchers) await watcher.says('watch fetchers connevents\r\n', 'OK\r\n')
  await client.says('stats conns\r\n', /^([^]*STAT \d+:state conn_watch\r\n){6}[^]*END\r\n$/)
  watchers[0]!.pause()
  const gone = watchers.map(async watcher => { await once(watcher.stream, 'close') })
  await client.says('get a\r\n', 'END\r\n')
  watchers[0]!.stream.destroy()
  watchers[1]!.stream.destroy()
  clock.advance(0.1)
  watchers[2]!.stream.destroy()
  await client.says('get a\r\n', 'END\r\n')
  for (const watcher of watchers.slice(3)) watcher.stream.end()
  await Promise.all(gone)
  await host.pass(100)
  t.equal(statistic(host, 'log_watchers'), 0)
  t.equal(server.store.log.kinds, 0)
  const written = statistic(host, 'log_worker_written')
  await client.says('get a\r\n', 'END\r\n')
  t.equal(statistic(host, 'log_worker_written'), written, 'nothing is written any more')
})

t.test('why connections end', async t => {
  const host = await startServer(t, { idleTimeout: 10 })
  const watcher = await host.connect()
  const resetting = await host.connect()
  await resetting.says('version\r\n', /VERSION.*\r\n/)
  await watcher.says('watch connevents\r\n', 'OK\r\n')
  const halfway = await host.connect()
  await halfway.send('set a 0 0 10\r\nabc')
  await host.pass(100)
  await halfway.hangUp()
  const endless = await host.connect()
  await endless.send('x'.repeat(5000))
  await host.pass(100)
  const idle = await host.connect()
  await host.pass(100)
  const { stream } = resetting
  if ('resetAndDestroy' in stream) (stream as { resetAndDestroy(): void }).resetAndDestroy()
  await host.pass(100)
  await host.pass(15_000)
  await idle.closed()
  const lines = (await linesOf(host, watcher)).map(line =>
    line.replace(/^.* type=(\w+).*? transport=tcp(?: reason=(\w+))? cfd=\d+$/, '$1 $2').trim())
  t.same(lines.slice(0, 6), ['conn_new', 'conn_close normal', 'conn_new', 'conn_close error', 'conn_new', 'conn_close error'])
  t.ok(lines.slice(6).includes('conn_close idle_timeout'), lines.join())
})

t.test('connections that are older than the watcher have an address when they go', async t => {
  const host = await startServer(t)
  const { port } = (host.client.stream as import('node:net').Socket).address() as { port: number }
  const watcher = await host.connect()
  await watcher.says('watch connevents\r\n', 'OK\r\n')
  await host.client.hangUp()
  t.match((await linesOf(host, watcher))[0],
    new RegExp(`type=conn_close rip=127\\.0\\.0\\.1 rport=${port} transport=tcp reason=normal`))
})

t.test('clients of a Unix socket and streams that are handed in have no address', async t => {
  const host = await startLonelyServer(t, { over: 'unix' })
  const [here, there] = duplexPair()
  host.server.handle(there)
  const watcher = new Client(here)
  await watcher.says('watch connevents\r\n', 'OK\r\n')
  const client = await host.connect()
  const [another] = duplexPair()
  host.server.handle(another)
  another.destroy()
  await client.says('quit\r\n', '')
  const lines = await linesOf(host, watcher)
  for (const [from, what] of [['unix', 'new'], ['unix', 'close'], ['stream', 'new'], ['stream', 'close']]) {
    t.ok(lines.some(line => line.includes(`type=conn_${what} rip=${from} rport=0 transport=local`)), `${from} ${what}`)
  }
})

t.test('over UDP nobody watches', async t => {
  const host = await startServer(t, { udpport: -1 })
  const client = await DatagramClient.open(host.server.udpPort)
  await client.send(Buffer.from('watch fetchers\r\n'))
  await host.settle()
  t.equal((await client.hangUp()).toString(), 'ERROR\r\n')
  t.equal(statistic(host, 'log_watchers'), 0)
})

t.test('a client that asks by UDP is seen', async t => {
  const host = await startServer(t, { udpport: -1 })
  const watcher = await host.connect()
  await watcher.says('watch fetchers\r\n', 'OK\r\n')
  const client = await DatagramClient.open(host.server.udpPort)
  await client.send(Buffer.from('get by-udp\r\n'))
  await host.settle()
  t.match(await linesOf(host, watcher), [/type=item_get key=by-udp status=not_found/])
  await client.hangUp()
})

t.test('what `stats reset` does to the counts of the log leaves watchers alone', async t => {
  const host = await startServer(t)
  const watcher = await host.connect()
  await watcher.says('watch fetchers\r\n', 'OK\r\n')
  await host.client.says('get a\r\nstats reset\r\nget b\r\n', 'END\r\nRESET\r\nEND\r\n')
  t.equal((await linesOf(host, watcher)).length, 2)
  t.equal(statistic(host, 'log_worker_written'), 1)
  t.equal(statistic(host, 'log_watchers'), 1)
})
