// What clients have begun and not finished has one bound for all of them: who loses, what they hear, and what stays.
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Kept, Unfinished, type Owner } from '../../src/protocol/unfinished.js'
import { Counter, Counters } from '../../src/stats/counters.js'
import { header } from '../support/packet.js'
import { Prng } from '../support/prng.js'
import { startSessions, type BareSession, type SessionHost } from '../support/session.js'
import { startThreads } from '../support/workers.js'

const MIB = 1024 * 1024
const KEYS = Buffer.from('some-key '.repeat(7000))
const NO_MEMORY = 'SERVER_ERROR out of memory reading request\r\n'

function heldBytes({ server }: SessionHost): number { return server.store.counters.current(Counter.RequestBytesKept) }

async function heard(session: BareSession): Promise<string> {
  const answer = (await session.answer()).toString('latin1')
  return await session.closed() ? `${answer}closed` : answer
}

/** Begins a get of about so many bytes, or goes on with it. */
async function sendKeys(session: BareSession, bytes: number): Promise<void> {
  for (let sent = 0; sent < bytes; sent += KEYS.length) await session.send(KEYS)
}

async function begin(session: BareSession, bytes: number): Promise<void> {
  await session.send(Buffer.from('get '))
  await sendKeys(session, bytes)
}

t.test('the oldest lose their connections, until there is room', async t => {
  const host = await startSessions(t, { requestMemLimit: 2 * MIB })
  const [first, second, third] = [await host.connect(), await host.connect(), await host.connect()]
  await begin(first, 0.5 * MIB)
  await begin(second, 0.5 * MIB)
  await begin(third, 0.5 * MIB)
  t.equal(await heard(first), '')
  await sendKeys(third, 0.7 * MIB)
  t.equal(await heard(first), `${NO_MEMORY}closed`)
  t.equal(await heard(second), '')
  await sendKeys(third, 0.5 * MIB)
  t.equal(await heard(second), `${NO_MEMORY}closed`)
  await third.send(Buffer.from('\r\nversion\r\n'))
  t.equal(await heard(third), 'END\r\nVERSION 1.6.45\r\n')
  t.equal(host.server.store.counters.sum(Counter.ReadBufOom), 2)
  t.equal(heldBytes(host), 0)
})

t.test('who finishes requests is not old, however long it has been there', async t => {
  const host = await startSessions(t, { requestMemLimit: MIB })
  const [busy, silent, greedy] = [await host.connect(), await host.connect(), await host.connect()]
  await busy.send(Buffer.from('get a'))
  await silent.send(Buffer.from('get a'))
  await busy.send(Buffer.from('\r\nget b'))
  await begin(greedy, 0.9 * MIB)
  const other = await host.connect()
  await begin(other, 0.15 * MIB)
  t.equal(await heard(silent), `${NO_MEMORY}closed`)
  t.equal(await heard(busy), `END\r\n${NO_MEMORY}closed`, 'it is next, as what is older was not enough')
  t.equal(await heard(greedy), `${NO_MEMORY}closed`)
  t.equal(await heard(other), '')
})

t.test('answers that wait for the rest of a value count, and are heard', async t => {
  const host = await startSessions(t, { requestMemLimit: MIB })
  const [client, greedy] = [await host.connect(), await host.connect()]
  await client.send(Buffer.from(`set k 0 0 30000\r\n${'v'.repeat(30_000)}\r\n`))
  t.equal(await heard(client), 'STORED\r\n')
  await client.send(Buffer.from('get k\r\nget k\r\nset k 0 0 10\r\n01234'))
  t.ok(heldBytes(host) > 60_000)
  await begin(greedy, 0.96 * MIB)
  t.equal(await heard(client), `${`VALUE k 0 30000\r\n${'v'.repeat(30_000)}\r\nEND\r\n`.repeat(2)}${NO_MEMORY}closed`)
  t.equal(host.server.store.refCount, 0, 'the item that it filled was given back')
  t.equal(await heard(greedy), '')
})

t.test('a client that does not read what its long get is answered loses without a word', async t => {
  const host = await startSessions(t, { requestMemLimit: 2 * MIB })
  const [slow, greedy] = [await host.connect(), await host.connect()]
  await slow.send(Buffer.from(`set big 0 0 300000\r\n${'v'.repeat(300_000)}\r\n`))
  await heard(slow)
  slow.pause()
  await slow.send(Buffer.from(`get ${'big '.repeat(100_000)}\r\n`.slice(0, 80_000)))
  await slow.send(Buffer.from(`get ${'big '.repeat(100_000)}\r\n`.slice(80_000, 160_000)))
  await slow.send(Buffer.from('\r\n'))
  t.ok(heldBytes(host) > 100_000)
  await begin(greedy, 2 * MIB)
  t.ok(await slow.closed())
  t.notMatch((await slow.answer()).toString('latin1'), /SERVER_ERROR/, 'nothing in the middle of an answer')
  await slow.hangUp()
  t.equal(host.server.store.refCount, 0)
})

t.test('nor is there a word for clients of the binary protocol', async t => {
  const authFile = join(t.testdir({ users: 'anna:secret\n' }), 'users')
  const host = await startSessions(t, { requestMemLimit: MIB, protocol: 'binary', sasl: true, authFile })
  const clients = await Promise.all(Array.from({ length: 100 }, async () => await host.connect()))
  const unfinished = Buffer.concat([header({ opcode: 0x21, keyBytes: 5, bodyBytes: 16_000 }), Buffer.alloc(15_000, 'PLAIN')])
  for (const client of clients) await client.send(unfinished)
  const closed = await Promise.all(clients.map(heard))
  t.same(closed, closed.map((_, index) => index < closed.indexOf('') ? 'closed' : ''))
  t.ok(closed[0] === 'closed' && closed.at(-1) === '')
  t.ok(heldBytes(host) <= MIB)
})

t.test('over all threads, whoever holds it', async t => {
  const { server, connect, settle } = await startThreads(t, { requestMemLimit: 2 * MIB })
  const clients = await Promise.all(Array.from({ length: 10 }, async () => await connect()))
  for (const client of clients) {
    await client.send(`get ${KEYS.toString().repeat(16)}`)
    await settle()
    // a thread that is asked is asked in the turn after
    await settle()
    t.ok(server.store.counters.current(Counter.RequestBytesKept) <= 2 * MIB)
  }
  const last = clients.at(-1)!
  await last.says('\r\n', 'END\r\n')
  t.ok(server.store.counters.sum(Counter.ReadBufOom) >= 7)
  await Promise.all(clients.map(async client => await client.hangUp()))
  await settle()
  t.equal(server.store.counters.current(Counter.RequestBytesKept), 0)
})

t.test('a thread with less than its share asks the others, and loses nobody', async t => {
  const memory = new SharedArrayBuffer(Counters.bytesFor(2))
  const asked: string[] = []
  const [busy, idle] = [0, 1].map(thread => {
    return new Unfinished(new Counters(memory, 0, 2, thread), MIB, MIB / 2, () => asked.push(`by ${thread}`))
  }) as [Unfinished, Unfinished]
  const lost: string[] = []
  const hold = (thread: Unfinished, name: string, bytes: number): void => {
    const owner: Owner = { giveUp: () => { lost.push(name); kept.clear() } }
    const kept = new Kept(thread, owner)
    kept.append(new Uint8Array(bytes), 0, bytes)
    thread.check()
  }
  hold(idle, 'idle 1', 0.4 * MIB)
  hold(idle, 'idle 2', 0.4 * MIB)
  hold(busy, 'busy 1', 0.1 * MIB)
  t.same([lost, asked], [[], []])
  hold(busy, 'busy 2', 0.2 * MIB)
  hold(busy, 'busy 3', 0.1 * MIB)
  t.same([lost, asked], [[], ['by 0']], 'once in a turn')
  idle.makeRoom()
  t.same([lost, asked], [['idle 1'], ['by 0']])
  await turn()
  hold(busy, 'busy 4', 0.3 * MIB)
  t.same([lost, asked], [['idle 1', 'busy 1', 'busy 2'], ['by 0']], 'with more than its share its own go first')
})

t.test('what is kept is what was given, however it grows and ends', async t => {
  const prng = new Prng(3)
  const unfinished = new Unfinished(new Counters(new ArrayBuffer(Counters.bytesFor(1)), 0, 1, 0), Infinity, Infinity, () => {})
  const owner: Owner = { giveUp: () => {} }
  const all = Array.from({ length: 20 }, () => ({ kept: new Kept(unfinished, owner), bytes: Buffer.alloc(0) }))
  const source = Buffer.from(Array.from({ length: 100_000 }, () => prng.below(256)))
  for (let step = 0; step < 5000; step++) {
    const one = prng.pick(all)
    const { kept, bytes } = one
    const start = prng.below(source.length)
    const end = Math.min(start + prng.below(prng.oneIn(10) ? 50_000 : 700), source.length)
    switch (prng.below(8)) {
      case 0:
        kept.clear()
        one.bytes = Buffer.alloc(0)
        break
      case 1:
        kept.restart()
        one.bytes = Buffer.alloc(0)
        break
      case 2: {
        const length = prng.below(bytes.length + 1)
        kept.truncate(length)
        one.bytes = bytes.subarray(0, length)
        break
      }
      default:
        kept.append(source, start, end)
        one.bytes = Buffer.concat([bytes, source.subarray(start, end)])
    }
    if (kept.length !== one.bytes.length) t.equal(kept.length, one.bytes.length)
    const from = prng.below(kept.length + 1)
    const count = prng.below(kept.length - from + 1)
    const copy = Buffer.alloc(count + 2)
    kept.copyTo(copy, 1, from, count)
    const expected = Buffer.concat([Buffer.alloc(1), one.bytes.subarray(from, from + count), Buffer.alloc(1)])
    if (!copy.equals(expected)) t.fail(`step ${step}: ${count} bytes from ${from} are others`)
  }
  t.pass('every step')
})
