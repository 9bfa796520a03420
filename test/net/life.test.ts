// The life of a server: opening, closing, and what is left behind.
import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import t from 'tap'
import { MemslabError } from '../../src/index.js'
import { ServerCore } from '../../src/server/core.js'
import { Connections } from '../../src/net/connections.js'
import { Slots } from '../../src/net/slots.js'
import { completeOptions } from '../../src/options/options.js'
import { Client } from '../support/client.js'
import { ManualClock } from '../support/clock.js'
import { header, packet } from '../support/packet.js'
import { startServer } from '../support/server.js'

t.test('close resolves when connections and their items are gone', async t => {
  const server = new ServerCore({ port: -1 })
  await server.listen()
  const client = await Client.connect({ port: server.port, host: '127.0.0.1' })
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  await client.send('set half 0 0 100000\r\nabc')
  while (server.store.refCount === 0) await new Promise(setImmediate)
  await server.close()
  t.equal(server.store.refCount, 0, 'the half-filled item was given back')
  server.verify()
  await server.close()
  t.equal(server.port, 0)
})

t.test('a closed server serves no stream that is handed to it', async t => {
  const server = new ServerCore()
  await server.close()
  const stream = new PassThrough()
  server.handle(stream)
  t.ok(stream.destroyed)
})

t.test('nor one that a listener still brings', async t => {
  const server = new ServerCore()
  const fail = (): never => { throw new Error('it is served') }
  const slots = new Slots(new ArrayBuffer(Slots.bytesFor(1)), 1)
  const options = completeOptions({})
  const connections = new Connections(server.host, options, new ManualClock(), slots, undefined, undefined, fail, fail)
  await connections.close()
  const socket = new Socket()
  const address = { family: 'Unix', path: '/socket' } as const
  const listening = { id: 1, address, host: '', name: 'unix:/socket', protocol: 'auto', verify: undefined, file: '' } as const
  t.equal(connections.accept(socket, listening), false)
  t.ok(socket.destroyed)
  t.equal(slots.taken, 0)
  await server.close()
})

t.test('a second listen is refused and harms nothing', async t => {
  const server = new ServerCore({ port: -1 })
  t.teardown(() => server.close())
  await server.listen()
  await t.rejects(server.listen(), { code: 'EALREADY' })
  const client = await Client.connect({ port: server.port, host: '127.0.0.1' })
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  await client.hangUp()
})

t.test('a server closed while it opens leaves no listener', async t => {
  const server = new ServerCore({ port: -1 })
  const listening = server.listen().catch((error: unknown) => error)
  await server.close()
  t.match(await listening, { code: 'ECANCELED' })
  t.same(server.addresses, [])
})

t.test('a port in use is an error with its code, and the next try may succeed', async t => {
  const first = new ServerCore({ port: -1 })
  await first.listen()
  const second = new ServerCore({ port: first.port })
  await t.rejects(second.listen(), { name: 'MemslabError', code: 'EADDRINUSE' })
  const third = new ServerCore({ port: first.port, listen: ['127.0.0.1'] })
  await t.rejects(third.listen(), { message: `failed to listen on TCP port ${first.port} of 127.0.0.1: Address already in use` })
  await first.close()
  await second.listen()
  t.ok(second.port > 0)
  await second.close()
})

t.test('wrong options are all named at once', async t => {
  try {
    new ServerCore({ maxbytes: -1, factor: 0.5, port: 99_999 })
    t.fail('no error')
  } catch (error) {
    t.ok(error instanceof MemslabError && error.code === 'EUSAGE' && error.problems.length === 3, String(error))
  }
})

/** All problems of what a program hands in that no compiler has read. */
function problemsOf(...handedIn: unknown[]): readonly string[] {
  try {
    Reflect.construct(ServerCore, handedIn)
  } catch (error) {
    if (error instanceof MemslabError && error.code === 'EUSAGE') return error.problems
    throw error
  }
  return []
}

t.test('what is no object is not taken for options', async t => {
  t.same(problemsOf(null), ['the options must be an object, not null'])
  t.same(problemsOf(5), ['the options must be an object, not a number'])
  t.same(problemsOf(['-m', '64']), ['the options must be an object, not an array'])
  t.same(problemsOf({ thread: 2, nothingLike: 1 }), ['unknown option "thread"; is it threads?', 'unknown option "nothingLike"'])
  const inherited: unknown = JSON.parse('{ "toString": 1, "constructor": 2, "__proto__": { "port": 3 } }')
  t.same(problemsOf(inherited), ['toString', 'constructor', '__proto__'].map(name => `unknown option "${name}"`))
  const nothing: unknown = Object.create(null)
  const wrong = problemsOf({ maxbytes: 64n, itemSizeMax: Symbol('1m'), slabChunkMax: nothing, port: null, listen: [nothing] })
  t.same([...wrong].sort(), [
    'itemSizeMax: must be a number, not a symbol', 'listen: an object is not an address',
      'maxbytes: must be a number, not a bigint',
    'port: must be a number, not null', 'slabChunkMax: must be a number, not an object',
  ])
  t.same(problemsOf({}, null), ['the parts must be an object, not null'])
  t.same(problemsOf({}, { clok: {}, nothingLike: 1 }), ['unknown part "clok"; is it clock?', 'unknown part "nothingLike"'])
  t.same(problemsOf({}, { clock: 5, log: 'file', failed: [] }), [
    'clock: must have milliseconds() and every(), and may have timeOfDay()', 'log: must be a function, not a string',
      'failed: must be a function, not an array',
  ])
})

t.test('a program cannot have what concerns the whole process', async t => {
  const problems = problemsOf({ daemonize: true, user: 'nobody', pidFile: '/run/pid' })
  for (const [index, field] of ['daemonize', 'user', 'pidFile'].entries()) {
    t.match(problems[index], `${field}: is only for the command line`)
  }
  t.equal(problems.length, 3)
  t.same(problemsOf({ daemonize: false, user: undefined }), [])
})

t.test('an upload that goes on is not idle', async t => {
  const { client, clock } = await startServer(t, { idleTimeout: 2 })
  await client.send('set k 0 0 100000\r\n')
  for (let part = 0; part < 10; part++) {
    await client.send('x'.repeat(10_000))
    await new Promise(setImmediate)
    clock.advance(1)
  }
  await client.says('\r\n', 'STORED\r\n')
  clock.advance(4)
  await client.expectClosed()
})

t.test('idle is counted from the last whole command line', async t => {
  const { client, clock, settle } = await startServer(t, { idleTimeout: 3 })
  await client.says('get k\r\n', 'END\r\n')
  for (const byte of 'get k') {
    await client.send(byte)
    await settle()
    clock.advance(0.6)
  }
  // three seconds have passed, and not more
  await client.says('\r\n', 'END\r\n')
  for (const byte of 'get k k') {
    await client.send(byte)
    await settle()
    clock.advance(0.6)
  }
  await client.expectClosed()
})

t.test('a packet counts when its header and key are there', async t => {
  const { client, clock, settle } = await startServer(t, { idleTimeout: 3 })
  const noop = packet(0x0a)
  for (const byte of noop.subarray(0, 20)) {
    await client.send(Buffer.of(byte))
    await settle()
  }
  clock.advance(3)
  await client.says(noop.subarray(20), header({ magic: 0x81, opcode: 0x0a }))
  await client.send(noop.subarray(0, 20))
  await settle()
  clock.advance(4)
  await client.expectClosed()
})

t.test('nobody is idle who sends a value, has answers unread or watches', async t => {
  const { client, clock, connect, settle } = await startServer(t, { idleTimeout: 2 })
  const [sender, reader, watcher] = [await connect(), await connect(), await connect()]
  await client.says(`set big 0 0 1000000\r\n${'v'.repeat(1_000_000)}\r\n`, 'STORED\r\n')
  await watcher.says('watch\r\n', 'OK\r\n')
  await sender.send('set k 0 0 3\r\na')
  reader.pause()
  await reader.send('get big big big big big big big big big big big big big big big big big big big big\r\n')
  await settle()
  for (let second = 0; second < 10; second++) clock.advance(1)
  await client.expectClosed()
  await sender.says('bc\r\n', 'STORED\r\n')
  reader.resume()
  await reader.expect(`${`VALUE big 0 1000000\r\n${'v'.repeat(1_000_000)}\r\n`.repeat(20)}END\r\n`)
  await Promise.all([sender, reader, watcher].map(async other => { await other.hangUp() }))
})

t.test('nor who has not read an answer that is written already', async t => {
  const { client: reader, clock, server, settle } = await startServer(t, { idleTimeout: 2 })
  // small enough to be copied, so that no part of a request is left to be served while it waits for the kernel
  const value = 'v'.repeat(30_000)
  await reader.says(`set k 0 0 ${value.length}\r\n${value}\r\n`, 'STORED\r\n')
  reader.pause()
  await reader.send('get k\r\n'.repeat(1000))
  await settle()
  for (let second = 0; second < 10; second++) clock.advance(1)
  await settle()
  t.equal(Number(new Map(server.host.report('')).get('idle_kicks')), 0)
  reader.resume()
  await reader.expect(`VALUE k 0 ${value.length}\r\n${value}\r\nEND\r\n`.repeat(1000))
  await reader.hangUp()
})

t.test('somebody is idle when more than the time has passed, to the second', async t => {
  const { client: early, clock, connect, settle } = await startServer(t, { idleTimeout: 5 })
  const late = await connect()
  for (const other of [early, late]) await other.says('get k\r\n', 'END\r\n')
  clock.advance(5)
  await late.says('get k\r\n', 'END\r\n')
  await settle()
  t.notOk(early.stream.closed)
  clock.advance(1)
  await early.expectClosed()
  clock.advance(4)
  await late.says('get k\r\n', 'END\r\n')
  await late.hangUp()
})
