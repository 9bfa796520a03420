import t from 'tap'
import { Insight } from '../../src/insight/insight.js'
import { Refusals } from '../../src/insight/refusals.js'
import { defaultOptions } from '../../src/options/options.js'
import { cacheOver } from '../../src/embed/over.js'
import { Counter } from '../../src/stats/counters.js'
import { Mode, Want } from '../../src/store/request.js'
import { Outcome, Refusal } from '../../src/store/outcome.js'
import { type Host } from '../../src/protocol/host.js'
import { startUdpServer } from '../support/datagram.js'
import { startServer } from '../support/server.js'
import { StoreUnderTest, bytesOf } from '../support/store.js'
import { runThreads } from '../support/threads.js'
import { startThreads } from '../support/workers.js'
import { type RefuserData } from './refuser.js'

const MIB = 1024 * 1024

function insightOf({ store }: StoreUnderTest): Insight {
  return new Insight(new ArrayBuffer(Insight.bytesFor(defaultOptions(), store.options.threads)), defaultOptions(), store)
}

/** The last write that was refused, as a report shows it. */
function lastRefused(host: Host): Readonly<Record<string, string | number>> {
  const rows = Object.fromEntries([...host.reportOwn('refused')].flatMap(part => [...part]))
  return { key: rows['1:key']!, reason: rows['1:reason']!, bytes: rows['1:bytes']!, client: rows['1:client']!, time: rows['1:time']! }
}

t.test('each change that finds no memory is recorded, whether its value comes at once or in parts', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * MIB, evictions: false, itemSizeMax: MIB })
  const { refusals } = insightOf(subject)
  const large = bytesOf(1, 300_000)
  for (const [key, value] of [['n', '9'], ['nine', '9'.repeat(20)], ['text', 'abc'], ['old', 'v']] as const) {
    subject.put(Mode.Set, key, Buffer.from(value))
  }
  // each class has a page of its own whatever the limit
  for (const bytes of [300_000, 600, 0]) {
    for (let i = 0; subject.put(Mode.Add, `filler ${bytes} ${i}`, bytesOf(1, bytes)) === Outcome.Stored; i++);
  }
  const last = (): unknown => {
    const { key, reason, valueBytes, client } = refusals.newest[0]!
    return [Buffer.from(key).toString(), reason, valueBytes, client]
  }
  const { counters } = subject.store
  const before = refusals.newest.length
  t.equal(subject.put(Mode.Set, 'old', large), Outcome.NoMemory)
  t.same(last(), ['old', Refusal.NoMemory, 300_000, 'program'])
  t.equal(subject.putWhole(Mode.Replace, 'text', bytesOf(1, 600)), Outcome.NoMemory)
  t.same(last(), ['text', Refusal.NoMemory, 600, 'program'])
  t.equal(subject.put(Mode.Append, 'text', large), Outcome.NoMemory)
  t.same(last(), ['text', Refusal.NoMemory, 300_000, 'program'])
  t.equal(refusals.newest.length, before + 3)
  // a set that is refused takes the old value along
  t.equal(subject.put(Mode.Add, 'filler', Buffer.alloc(0)), Outcome.Stored)
  subject.clock.advance(5)
  t.equal(subject.add('missing', 1n, 12345n), Outcome.NoMemory)
  t.same(last(), ['missing', Refusal.NoMemory, 5, 'program'])
  t.equal(refusals.newest[0]!.second, subject.store.context.now)
  t.equal(subject.delete('text', Want.RemoveValue), Outcome.NoMemory)
  t.same(last(), ['text', Refusal.NoMemory, 0, 'program'])
  t.equal(subject.get('text')?.value.toString(), 'abc')
  const request = subject.for('vivid')
  request.wants = Want.Vivify
  t.notOk(subject.store.get(request, { read: () => true }))
  t.same(last(), ['vivid', Refusal.NoMemory, 0, 'program'])
  t.equal(refusals.newest.length, before + 6)
  t.ok(counters.sum(Counter.RefusedNoMemory) >= before + 6)
  subject.verify()
})

t.test('a joined value that would be too large is recorded with its whole length', async t => {
  const subject = new StoreUnderTest()
  const { refusals } = insightOf(subject)
  subject.put(Mode.Set, 'k', bytesOf(1, 700_000))
  t.equal(subject.put(Mode.Append, 'k', bytesOf(1, 600_000)), Outcome.NotStored)
  t.match(refusals.newest, [{ reason: Refusal.TooLarge, valueBytes: 1_300_000 }])
  t.equal(subject.put(Mode.Add, 'k', bytesOf(1, 10)), Outcome.NotStored)
  t.equal(refusals.newest.length, 1, 'an add that finds the key is answered, and no loss')
})

t.test('what was refused is listed with the client, and nobody need be told', async t => {
  const { client, server, clock } = await startServer(t, { itemSizeMax: 4096 })
  const { localAddress, localPort } = client.stream as unknown as { localAddress: string, localPort: number }
  await client.says(`set k 0 0 5000 noreply\r\n${'v'.repeat(5000)}\r\nmn\r\n`, 'MN\r\n')
  const expected = { key: 'k', reason: 'too_large', bytes: 5000, client: `tcp:${localAddress}:${localPort}`,
    time: Math.floor(clock.milliseconds() / 1000) }
  t.same(lastRefused(server.host), expected)
  // in parts, and binary: SETQ
  await client.send('set k 0 0 3 noreply\r\nab')
  await client.says('cde\r\nmn\r\n', 'CLIENT_ERROR bad command line format\r\nMN\r\n')
  t.same(lastRefused(server.host), { ...expected, reason: 'bad_data', bytes: 3 })
  const binary = await startServer(t, { itemSizeMax: 4096, protocol: 'binary', over: 'unix' })
  const header = Buffer.alloc(24)
  header[0] = 0x80
  header[1] = 0x11
  header.writeUInt16BE(1, 2)
  header[4] = 8
  header.writeUInt32BE(8 + 1 + 5000, 8)
  await binary.client.send(Buffer.concat([header, Buffer.alloc(8), Buffer.from('b'), Buffer.alloc(5000)]))
  await binary.client.expect(/[^]{24}Too large\.$/)
  t.match(lastRefused(binary.server.host), { key: 'b', reason: 'too_large', bytes: 5000, client: /^unix:/ })
})

t.test('a datagram too', async t => {
  const { client, server } = await startUdpServer(t, { itemSizeMax: 1024 })
  await client.says(`set k 0 0 1100\r\n${'v'.repeat(1100)}\r\n`, 'SERVER_ERROR object too large for cache\r\n')
  t.match(lastRefused(server.host), { key: 'k', bytes: 1100, client: /^udp:127\.0\.0\.1:\d+$/ })
})

t.test('a server of several threads lists what any of them refused, also what the program did', async t => {
  const { server, connect } = await startThreads(t)
  const clients = await Promise.all([1, 2, 3, 4, 5, 6].map(() => connect()))
  const value = 'v'.repeat(1100 * 1024)
  for (const [index, client] of clients.entries()) {
    await client.says(`set k${index} 0 0 ${value.length}\r\n${value}\r\n`, 'SERVER_ERROR object too large for cache\r\n')
  }
  const keys = [...server.host.reportOwn('refused')].flatMap(part => [...part]).filter(([name]) => name.endsWith(':key'))
  t.same(keys.map(([, key]) => key), ['k5', 'k4', 'k3', 'k2', 'k1', 'k0'])
})

t.test('what the program itself could not store is listed too', async t => {
  const { client, server } = await startServer(t)
  t.throws(() => cacheOver(server.cache).set('p', Buffer.alloc(2 * MIB)), { code: 'ETOOLARGE' })
  t.match(lastRefused(server.host), { key: 'p', client: 'program' })
  await client.says('set k 0 0 -1\r\n', 'CLIENT_ERROR bad command line format\r\n')
  t.match(lastRefused(server.host), { key: 'k', client: /^tcp:/ })
})

t.test('a thread remembers a bounded number, and counts may come round', async t => {
  const subject = new StoreUnderTest()
  const words = new Int32Array(Refusals.bytesFor(1) / 4)
  const refusals = new Refusals(words.buffer, 0, subject.store.context, 1, 0)
  words[16] = 0x7fffffff & ~255
  for (let i = 0; i < 1000; i++) refusals.refused(Refusal.BadData, Buffer.from(`key-${i}`), 0, 7, i, 0)
  t.ok(words[16]! < 0)
  t.same(refusals.newest.map(({ valueBytes }) => valueBytes), Array.from({ length: 255 }, (_, index) => 999 - index))
})

t.test('threads that refuse beside each other lose none, and a reader gets none that is half written', async t => {
  const THREADS = 3
  const WRITES = 30_000
  const subject = new StoreUnderTest({ shared: true, threads: THREADS + 1 })
  const { context } = subject.store
  const memory = new SharedArrayBuffer(Refusals.bytesFor(THREADS + 1))
  const refusals = new Refusals(memory, 0, context, THREADS + 1, 0)
  const common = { memory, shared: subject.store.share(), gate: new Int32Array(new SharedArrayBuffer(4)), threads: THREADS,
    writes: WRITES }
  const wrong: unknown[] = []
  let read = 0
  await runThreads(new URL('refuser.js', import.meta.url),
    Array.from({ length: THREADS }, (_, index): RefuserData => ({ ...common, thread: index + 1 })), () => {
      for (const { key, valueBytes, client } of refusals.newest) {
        read++
        const text = Buffer.from(key).toString()
        if (text !== `${client}-${valueBytes}-${'x'.repeat(valueBytes % 200)}`) wrong.push([text, client, valueBytes])
      }
    })
  t.same(wrong, [])
  t.ok(read > 1000, `${read}`)
  const newest = refusals.newest
  t.equal(newest.length, 63 * THREADS)
  for (let thread = 1; thread <= THREADS; thread++) {
    const own = newest.filter(({ client }) => client === `thread ${thread}`).map(({ valueBytes }) => valueBytes)
    t.same(own, Array.from({ length: 63 }, (_, index) => WRITES - 1 - index))
  }
})
