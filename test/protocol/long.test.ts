// Gets that are longer than any other line may be, which memcached takes too: python-memcached, pymemcache and others send all
// the keys of one call in one line.
import t, { type Test } from 'tap'
import { OUTPUT_BYTES } from '../../src/protocol/output.js'
import { type Peer } from '../../src/protocol/peer.js'
import { Session } from '../../src/protocol/session.js'
import { Protocols } from '../../src/protocol/protocols.js'
import { Counter } from '../../src/stats/counters.js'
import { Prng } from '../support/prng.js'
import { startServer } from '../support/server.js'
import { startSessions, type BareSession, type SessionHost } from '../support/session.js'

const SEED = 7
const BAD = 'CLIENT_ERROR bad command line format\r\n'
/** What is kept of an unfinished line in one piece, and what is served of a long one in one turn. */
const PIECE = 64 * 1024
const MIB = 1024 * 1024

/** Sends a text in pieces, as a socket might, and answers what is said to it. */
async function said(session: BareSession, text: string, pieceBytes = 50_000): Promise<string> {
  for (let at = 0; at < text.length; at += pieceBytes) await session.send(Buffer.from(text.slice(at, at + pieceBytes), 'latin1'))
  const answer = (await session.answer()).toString('latin1')
  return await session.closed() ? `${answer}closed` : answer
}

/** Fails without printing megabytes. */
function same(t: Test, actual: string, expected: string, what: string): void {
  t.ok(actual === expected, what,
    { actual: `${actual.length} bytes: ${actual.slice(0, 60)}`, expected: `${expected.length} bytes: ${expected.slice(0, 60)}` })
}

function heldBytes({ server }: SessionHost): number {
  return server.store.counters.sum(Counter.RequestBytesKept) + server.store.counters.sum(Counter.RequestsKept)
}

t.test('200,000 keys in one get', async t => {
  const host = await startSessions(t)
  const session = await host.connect()
  await said(session, 'set first 1 0 3\r\none\r\nset last 2 0 3\r\ntwo\r\nset middle 3 0 0\r\n\r\n')
  const keys = Array.from({ length: 200_000 }, (_, number) => `key-that-is-missing:${number}`)
  keys[0] = 'first'
  keys[100_000] = 'middle'
  keys[199_999] = 'last'
  const values = 'VALUE first 1 3\r\none\r\nVALUE middle 3 0\r\n\r\nVALUE last 2 3\r\ntwo\r\n'
  same(t, await said(session, `get ${keys.join(' ')}\r\nversion\r\n`), `${values}END\r\nVERSION 1.6.45\r\n`, 'get')
  same(t, await said(session, `gets ${keys.join(' ')}\nversion\r\n`),
    values.replace('1 3\r', '1 3 1\r').replace('3 0\r', '3 0 3\r').replace('2 3\r', '2 3 2\r') +
    'END\r\nVERSION 1.6.45\r\n', 'gets')
  t.equal(host.server.store.counters.sum(Counter.GetMisses), 2 * 199_997, 'every key was looked up once')
  t.equal(heldBytes(host), 0, 'nothing is held')
})

t.test('wherever a piece ends', async t => {
  const host = await startSessions(t)
  const prng = new Prng(SEED)
  const session = await host.connect()
  const keys = ['a', 'b\r', 'c'.repeat(250), 'missing', `${'d'.repeat(249)}\r`, 'e']
  for (const [flags, key] of keys.entries()) if (key !== 'missing') await said(session, `set ${key} ${flags} 0 1\r\nv\r\n`)
  for (let round = 0; round < 40; round++) {
    let line = 'get'
    let answer = ''
    const bytes = PIECE * 2 + prng.below(PIECE)
    while (line.length < bytes) {
      const flags = prng.below(keys.length)
      const key = keys[flags]!
      line += ' '.repeat(prng.oneIn(20) ? prng.between(2, 300) : 1) + key
      if (key !== 'missing') answer += `VALUE ${key} ${flags} 1\r\nv\r\n`
    }
    same(t, await said(session, `${line} ${' '.repeat(prng.below(3))}${prng.pick(['\n', '\r\n'])}`, prng.between(1000, 70_000)),
      `${answer}END\r\n`, `round ${round}`)
  }
  const spaces = `get${' '.repeat(3 * PIECE)}a${' '.repeat(3 * PIECE)}\r\n`
  same(t, await said(session, spaces), 'VALUE a 0 1\r\nv\r\nEND\r\n', 'spaces')
  t.equal(heldBytes(host), 0)
})

t.test('a key that is too long, even the last, is the whole answer', async t => {
  const host = await startSessions(t)
  const session = await host.connect()
  await said(session, 'set a 0 0 1\r\nv\r\n')
  const many = 'a '.repeat(100_000)
  same(t, await said(session, `get ${many}${'k'.repeat(251)}\r\nget a\r\n`), `${BAD}VALUE a 0 1\r\nv\r\nEND\r\n`, 'the last')
  same(t, await said(session, `get ${many}${'k'.repeat(251)}\nget a\r\n`), `${BAD}VALUE a 0 1\r\nv\r\nEND\r\n`, 'without a \\r')
  same(t, await said(session, `gets ${many}${'k'.repeat(251)} ${many}\r\n`), BAD, 'one in the middle')
  same(t, await said(session, `get ${'k'.repeat(3 * PIECE)} a\r\n`), BAD, 'the first')
  same(t, await said(session, `get ${many}${'k'.repeat(250)}\r\n`), `${'VALUE a 0 1\r\nv\r\n'.repeat(100_000)}END\r\n`,
    'one just short enough')
  same(t, await said(session, ` get ${many}${'k'.repeat(251)}\r\n`), 'ERROR\r\n', 'behind a space it is no get')
  same(t, await said(session, ` get ${many}\r\nget a\r\n`), 'ERROR\r\nVALUE a 0 1\r\nv\r\nEND\r\n', 'nor without such a key')
  t.equal(heldBytes(host), 0)
})

t.test('large values, and a client that reads slowly', async t => {
  const host = await startSessions(t)
  const session = await host.connect()
  await said(session, `set big 0 0 300000\r\n${'v'.repeat(300_000)}\r\nset small 0 0 10\r\n0123456789\r\n`)
  const [big, small] = [`VALUE big 0 300000\r\n${'v'.repeat(300_000)}\r\n`, 'VALUE small 0 10\r\n0123456789\r\n']
  const line = `get ${'small missing '.repeat(5000)}big ${'missing '.repeat(10_000)}big big small big\r\n`
  const expected = `${small.repeat(5000)}${big}${big}${big}${small}${big}END\r\n`
  same(t, await said(session, line), expected, 'read at once')
  session.pause()
  const begun = await said(session, line)
  t.ok(begun.length < expected.length, 'it stops while nobody reads')
  session.resume()
  same(t, begun + (await session.answer()).toString('latin1'), expected, 'read slowly')
  t.equal(heldBytes(host), 0)
  t.equal(host.server.store.refCount, 0)
})

t.test('a get of short values stops as well while nobody reads', async t => {
  const host = await startSessions(t)
  const session = await host.connect()
  const value = 'v'.repeat(30_000)
  await said(session, `set k 0 0 30000\r\n${value}\r\n`)
  session.pause()
  const begun = await said(session, `get${' k'.repeat(500)}\r\n`)
  t.ok(begun.length <= 2 * OUTPUT_BYTES, `${begun.length} bytes of 15 million wait`)
  session.resume()
  same(t, begun + (await session.answer()).toString('latin1'), `${`VALUE k 0 30000\r\n${value}\r\n`.repeat(500)}END\r\n`,
    'all of it in the end')
})

t.test('a client that goes away leaves nothing behind', async t => {
  const host = await startSessions(t)
  const [gathering, sending] = [await host.connect(), await host.connect()]
  await said(sending, `set big 0 0 300000\r\n${'v'.repeat(300_000)}\r\n`)
  await said(gathering, `get ${'k '.repeat(PIECE)}`)
  t.ok(heldBytes(host) > PIECE, 'a line is held')
  await gathering.hangUp()
  sending.pause()
  await said(sending, `get ${'big '.repeat(PIECE)}\r\n`)
  t.ok(heldBytes(host) > PIECE)
  await sending.hangUp()
  t.equal(heldBytes(host), 0)
  t.equal(host.server.store.refCount, 0)
})

t.test('a line may take all the memory that there is for what is unfinished', async t => {
  const host = await startSessions(t, { requestMemLimit: 4 * MIB })
  const session = await host.connect()
  const keys = `${'k'.repeat(63)} `.repeat(1024)
  const most = 4 * MIB - 2 * keys.length
  same(t, await said(session, `get ${keys.repeat(most / keys.length)}\r\n`), 'END\r\n', 'nearly as much')
  await session.send(Buffer.from('get '))
  for (let bytes = 0; bytes < most; bytes += keys.length) await session.send(Buffer.from(keys))
  t.notOk(await session.closed())
  for (let bytes = 0; bytes < MIB && !await session.closed(); bytes += keys.length) await session.send(Buffer.from(keys))
  t.equal((await session.answer()).toString(), 'SERVER_ERROR out of memory reading request\r\n')
  t.ok(await session.closed())
  t.equal(host.server.store.counters.sum(Counter.ReadBufOom), 1)
  t.equal(heldBytes(host), 0)
})

t.test('a key that is too long takes none of it, however long it is', async t => {
  const host = await startSessions(t, { requestMemLimit: MIB })
  const session = await host.connect()
  const long = 'k'.repeat(3 * MIB)
  same(t, await said(session, `get a ${long}`), '', 'it comes')
  t.ok(heldBytes(host) < PIECE)
  same(t, await said(session, `${long} b\r\nget b\r\n`), `${BAD}END\r\n`, 'and is refused')
})

t.test('no other line may be long', async t => {
  const { connect } = await startSessions(t)
  for (const line of ['gat 0', 'gats 0', 'delete', 'mg', 'touch', 'set', 'GET', 'getx', `${' '.repeat(101)}get`]) {
    t.equal(await said(await connect(), `${line} ${'k '.repeat(1100)}`), 'closed', line.trim())
  }
})

t.test('the others have their turn between the pieces', async t => {
  const { server } = await startSessions(t)
  let turns = 0
  const answered: Buffer[] = []
  const peer: Peer = {
    id: 0, address: 'test', clientNumber: 0, isLasting: true, lentBytesMax: PIECE, hold: () => {}, pause: () => {}, end: () => {}, drop: () => {},
    write: bytes => answered.push(Buffer.from(bytes)) > 0,
    writeMany: parts => parts.every(part => answered.push(Buffer.from(part)) > 0),
    yield: () => { turns++ },
  }
  const session = new Session(server.host, new Protocols(server.host).for('ascii'), peer)
  const { input } = server.host
  const line = Buffer.from(`get ${'missing '.repeat(80_000)}\r\n`)
  for (let at = 0; at < line.length; at += 60_000) {
    const part = line.subarray(at, at + 60_000)
    input.bytes.set(part, input.batchStart)
    session.receive(part.length)
  }
  for (let served = 0; turns > served; served++) session.resume()
  t.equal(turns, Math.ceil(line.length / PIECE) - 1)
  t.equal(Buffer.concat(answered).toString(), 'END\r\n')
  session.close()
})

t.test('over TCP', async t => {
  const { client, connect } = await startServer(t)
  await client.says('set a 0 0 1\r\nv\r\n', 'STORED\r\n')
  const other = await connect()
  const keys = `${'missing '.repeat(400_000)}a`
  await client.send(`get ${keys.slice(0, 2_000_000)}`)
  await other.says('get a\r\n', 'VALUE a 0 1\r\nv\r\nEND\r\n')
  await client.says(`${keys.slice(2_000_000)}\r\nget a\r\n`, 'VALUE a 0 1\r\nv\r\nEND\r\nVALUE a 0 1\r\nv\r\nEND\r\n')
  await client.hangUp()
  await other.hangUp()
})
