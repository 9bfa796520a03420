// Calls: what a test sees of the requests that a server was asked.
import t from 'tap'
import * as faults from '../../src/faults/faults.js'
import { type Call } from '../../src/faults/calls.js'
import { Opcode, counts, packet, uint32s } from '../support/packet.js'
import { exchange, startTapped } from './server.js'

const NONE = { flags: undefined, exptime: undefined, bytes: undefined, isQuiet: false, opcode: undefined, status: undefined, faults: [] }

t.test('text: what was asked, and answered', async t => {
  const { client, control } = await startTapped(t)
  const began = Date.now()
  await client.says('set k 5 60 3\r\nabc\r\nget k x\r\nincr k 1\r\ntouch k -1 noreply\r\ngat 9 k\r\nquux\r\n\r\n',
    'STORED\r\nVALUE k 5 3\r\nabc\r\nEND\r\nCLIENT_ERROR cannot increment or decrement non-numeric value\r\nEND\r\nERROR\r\nCLIENT_ERROR bad command line format\r\n')
  const text = { ...NONE, protocol: 'text' }
  t.match(control.calls(), [
    { ...text, number: 1, verb: 'set', key: 'k', keys: ['k'], flags: 5, exptime: 60, bytes: 3, line: 'set k 5 60 3', answer: 'STORED', answerBytes: 8 },
    { ...text, number: 2, verb: 'get', key: 'k', keys: ['k', 'x'], line: 'get k x', answer: 'VALUE k 5 3\r\nabc\r\nEND' },
    { ...text, number: 3, verb: 'incr', key: 'k', line: 'incr k 1', answer: 'CLIENT_ERROR cannot increment or decrement non-numeric value' },
    { ...text, number: 4, verb: 'touch', exptime: -1, isQuiet: true, answer: '', answerBytes: 0 },
    { ...text, number: 5, verb: 'gat', keys: ['k'], exptime: 9, answer: 'END' },
    { ...text, number: 6, verb: 'quux', keys: [], key: undefined, answer: 'ERROR' },
    { ...text, number: 7, verb: '', keys: [], line: '', answer: 'CLIENT_ERROR bad command line format' },
  ])
  for (const { at, connection } of control.calls()) {
    t.ok(at >= began - 1 && at <= Date.now() + 1)
    t.match(connection, { id: 1, address: /^127\.0\.0\.1:\d+$/ })
  }
})

t.test('meta: what was asked, and answered', async t => {
  const { client, control } = await startTapped(t)
  await client.says('ms k 3 F5 T60\r\nabc\r\nmg k v q\r\nmg x v q\r\nmd aw== b q\r\nmn\r\nme k\r\n', 'HD\r\nVA 3\r\nabc\r\nMN\r\nEN\r\n')
  const meta = { ...NONE, protocol: 'meta' }
  t.match(control.calls(), [
    { ...meta, verb: 'ms', key: 'k', flags: 5, exptime: 60, bytes: 3, line: 'ms k 3 F5 T60', answer: 'HD' },
    { ...meta, verb: 'mg', key: 'k', isQuiet: true, answer: 'VA 3\r\nabc' },
    { ...meta, verb: 'mg', key: 'x', isQuiet: true, answer: '' },
    { ...meta, verb: 'md', key: 'k', isQuiet: true, answer: '', line: 'md aw== b q' },
    { ...meta, verb: 'mn', key: undefined, answer: 'MN' },
    { ...meta, verb: 'me', key: 'k', answer: 'EN' },
  ])
})

t.test('binary: what was asked, and answered', async t => {
  const { client, control } = await startTapped(t)
  await exchange(client, [
    packet(Opcode.Set, { key: 'k', extras: uint32s(5, 60), value: 'abc' }), packet(Opcode.SetQ, { key: 'k', extras: uint32s(6, 0), value: '12' }),
    packet(Opcode.GetK, { key: 'k' }), packet(Opcode.GetKQ, { key: 'x' }), packet(Opcode.Get, { key: 'x' }),
    packet(Opcode.Increment, { key: 'k', extras: counts(1n, 0n, 7) }), packet(Opcode.Noop), packet(0x70),
  ], 6)
  const binary = { ...NONE, protocol: 'binary', line: undefined }
  t.match(control.calls(), [
    { ...binary, verb: 'set', opcode: 1, key: 'k', flags: 5, exptime: 60, bytes: 3, answer: '', status: 0, answerBytes: 24 },
    { ...binary, verb: 'set', opcode: 0x11, flags: 6, exptime: 0, bytes: 2, isQuiet: true, status: undefined },
    { ...binary, verb: 'get', opcode: 0x0c, key: 'k', answer: '12', status: 0 },
    { ...binary, verb: 'get', opcode: 0x0d, key: 'x', isQuiet: true, status: undefined },
    { ...binary, verb: 'get', opcode: 0, key: 'x', answer: 'Not found', status: 1 },
    { ...binary, verb: 'incr', opcode: 5, exptime: 7, status: 0 },
    { ...binary, verb: 'noop', opcode: 0x0a, key: undefined, status: 0 },
    { ...binary, verb: '0x70', opcode: 0x70, answer: 'Unknown command', status: 0x81 },
  ])
})

t.test('a match chooses calls', async t => {
  const { client, control, connect } = await startTapped(t)
  await client.says('get user:1\r\nget user:2 x\r\ngets user:1\r\nmg user:1\r\n', 'END\r\nEND\r\nEND\r\nEN\r\n')
  await (await connect()).says('get user:1\r\n', 'END\r\n')
  const lines = (match: Parameters<typeof control.calls>[0]): (string | undefined)[] => control.calls(match).map(({ line }) => line)
  t.same(lines({ verb: 'get' }), ['get user:1', 'get user:2 x', 'get user:1'])
  t.same(lines({ verb: ['gets', 'MG'] }), ['gets user:1', 'mg user:1'])
  t.same(lines({ key: 'x' }), ['get user:2 x'])
  t.same(lines({ key: { prefix: 'user:2' } }), ['get user:2 x'])
  t.same(lines({ key: /:2$/g }), ['get user:2 x'])
  t.same(lines({ key: /:2$/g }), ['get user:2 x'], 'a pattern with g or y remembers nothing')
  t.same(lines({ connection: 2 }), ['get user:1'])
  t.same(lines({ protocol: 'meta' }), ['mg user:1'])
  t.same(lines({ verb: 'delete' }), [])
  control.clearCalls()
  t.same(control.calls(), [])
})

t.test('keys in UTF-8 are text, and other bytes a character each', async t => {
  const { client, control } = await startTapped(t)
  await client.says(Buffer.from('get ключ\r\n'), 'END\r\n')
  await client.says(Buffer.from('get \xff\xfe\r\n', 'latin1'), 'END\r\n')
  t.same(control.calls().map(({ key }) => key), ['ключ', '\xff\xfe'])
  t.equal(control.calls({ key: 'ключ' }).length, 1)
})

t.test('values that come in parts, that are refused, and that are large', async t => {
  const { client, control } = await startTapped(t)
  const big = 'v'.repeat(500_000)
  void client.send(`set a 0 0 500000\r\n${big.slice(0, 100_000)}`)
  await client.says(`${big.slice(100_000)}\r\n`, 'STORED\r\n')
  await client.says(`set b 0 0 2000000\r\n${'v'.repeat(2_000_000)}\r\n`, 'SERVER_ERROR object too large for cache\r\n')
  await client.says('set c 0 0 1\r\nabcversion\r\n', 'CLIENT_ERROR bad data chunk\r\nVERSION 1.6.45\r\n')
  await client.says('get a\r\n', `VALUE a 0 500000\r\n${big}\r\nEND\r\n`)
  t.match(control.calls().slice(0, 3).map(({ key, bytes, answer }) => [key, bytes, answer]), [
    ['a', 500_000, 'STORED'], ['b', 2_000_000, 'SERVER_ERROR object too large for cache'], ['c', 1, 'CLIENT_ERROR bad data chunk'],
  ])
  const get = control.calls({ verb: 'get' })[0]!
  t.equal(get.answer.length, 4096)
  t.equal(get.answerBytes, `VALUE a 0 500000\r\n${big}\r\nEND\r\n`.length)
})

t.test('answers that go out in parts are whole', async t => {
  const { client, control } = await startTapped(t)
  const keys = Array.from({ length: 500 }, (_, index) => `key:${index}`)
  void client.send(keys.map(key => `set ${key} 0 0 1 noreply\r\nv\r\n`).join(''))
  await client.says(`get ${keys.join(' ')}\r\n`, `${keys.map(key => `VALUE ${key} 0 1\r\nv\r\n`).join('')}END\r\n`)
  await client.says('lru_crawler metadump all\r\n', /OK\r\n(key=\S+ exp=[^\n]*\n){500}END\r\n/)
  await client.says('watch mutations\r\n', 'OK\r\n')
  t.equal(control.calls({ verb: 'set' }).length, 500)
  t.equal(control.calls({ verb: 'get' })[0]!.keys.length, 500)
  t.match(control.calls({ verb: 'lru_crawler' })[0]!.answer, /^OK\r\nkey=/)
  t.equal(control.calls({ verb: 'watch' })[0]!.answer, 'OK')
})

t.test('a get longer than 64 KiB is a call with its first keys', async t => {
  const { client, control } = await startTapped(t)
  await client.says(`get ${'k'.repeat(100)} ${'x '.repeat(50_000)}\r\nversion\r\n`, 'END\r\nVERSION 1.6.45\r\n')
  t.match(control.calls().map(({ verb, answer }) => [verb, answer]), [['get', 'END'], ['version', 'VERSION 1.6.45']])
  t.equal(control.calls()[0]!.key, 'k'.repeat(100))
})

t.test('a request that is not answered, as its client has gone', async t => {
  const { client, control, settle } = await startTapped(t)
  await client.says('get a\r\n', 'END\r\n')
  // an answer that waits for the rest of a value is lost with it
  void client.send('get b\r\nset k 0 0 10\r\n012')
  await settle()
  client.stream.destroy()
  await settle()
  t.match(control.calls().map(({ verb, answer }) => [verb, answer]), [['get', 'END'], ['get', ''], ['set', '']])
})

t.test('logins are calls', async t => {
  const { client, control } = await startTapped(t, { authFile: t.testdir({ users: 'name:password\n' }) + '/users' })
  await client.says('get k\r\n', 'CLIENT_ERROR unauthenticated\r\n')
  void client.send('set x 0 0 13\r\nname ')
  await client.says('password\r\nget k\r\n', 'STORED\r\nEND\r\n')
  t.match(control.calls().map(({ verb, answer }) => [verb, answer]),
    [['get', 'CLIENT_ERROR unauthenticated'], ['set', 'STORED'], ['get', 'END']])
})

t.test('waitForCall resolves with a call that comes, or was there', async t => {
  const { client, control } = await startTapped(t)
  const waiting = control.waitForCall({ verb: 'get', key: { prefix: 'a' } })
  await client.says('get b\r\nget a1\r\nget a2\r\n', 'END\r\nEND\r\nEND\r\n')
  t.equal((await waiting).key, 'a1')
  t.equal((await control.waitForCall({ verb: 'get' })).key, 'b')
  t.equal((await control.waitForCall({ key: { prefix: 'a' } }, { count: 2 })).key, 'a2')
  const third = control.waitForCall({ key: { prefix: 'a' } }, { count: 3 })
  await client.says('get a3\r\n', 'END\r\n')
  t.equal((await third).key, 'a3')
  await t.rejects(control.waitForCall({ verb: 'delete', key: /^x/ }, { timeout: 1 }),
    { code: 'ETIMEDOUT', message: 'no call came within 1 ms that fits { verb: "delete", key: /^x/ }' })
})

t.test('listeners hear of calls until they are taken off', async t => {
  const { client, control } = await startTapped(t)
  const heard: Call[] = []
  const listener = (call: Call): void => { heard.push(call) }
  control.on(listener)
  await client.says('get a\r\n', 'END\r\n')
  control.off(listener)
  await client.says('get b\r\n', 'END\r\n')
  t.same(heard.map(({ key }) => key), ['a'])
})

t.test('only the last calls are kept, and the others counted', async t => {
  const { client, control } = await startTapped(t, {}, { callsMax: 3 })
  await client.says('get a\r\nget b\r\nget c\r\nget d\r\nget e\r\n', 'END\r\n'.repeat(5))
  t.same(control.calls().map(({ key }) => key), ['c', 'd', 'e'])
  t.equal(control.droppedCalls, 2)
  await client.says('get f\r\nget g\r\n', 'END\r\n'.repeat(2))
  t.same(control.calls().map(({ key }) => key), ['e', 'f', 'g'])
  control.clearCalls()
  t.equal(control.droppedCalls, 0)
  await client.says('get h\r\nget i\r\nget j\r\nget k\r\n', 'END\r\n'.repeat(4))
  t.same(control.calls().map(({ key }) => key), ['i', 'j', 'k'])
  t.equal(control.droppedCalls, 1)
})

t.test('none is kept with callsMax 0, but counted and heard', async t => {
  const { client, control } = await startTapped(t, {}, { callsMax: 0 })
  const waiting = control.waitForCall({ key: 'b' })
  await client.says('get a\r\nget b\r\n', 'END\r\n'.repeat(2))
  t.match(await waiting, { key: 'b' })
  t.same(control.calls(), [])
  t.equal(control.droppedCalls, 2)
})

t.test('the answer of a fault is that of its call', async t => {
  const { client, control } = await startTapped(t)
  control.use(faults.reply('SERVER_ERROR busy'), { verb: 'get' })
  control.use(faults.evict(), { verb: 'get' })
  await client.says('get k\r\n', 'SERVER_ERROR busy\r\n')
  t.match(control.calls(), [{ answer: 'SERVER_ERROR busy', faults: ['evict', 'reply'] }])
})
