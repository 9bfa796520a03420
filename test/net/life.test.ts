// The life of a server: opening, closing, and what is left behind.
import { PassThrough } from 'node:stream'
import t from 'tap'
import { createServer, MemslabError } from '../../src/index.js'
import { Client } from '../support/client.js'
import { startServer } from '../support/server.js'

t.test('close resolves when connections and their items are gone', async t => {
  const server = createServer({ port: -1 })
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
  const server = createServer()
  await server.close()
  const stream = new PassThrough()
  server.handle(stream)
  t.ok(stream.destroyed)
})

t.test('a second listen is refused and harms nothing', async t => {
  const server = createServer({ port: -1 })
  t.teardown(() => server.close())
  await server.listen()
  await t.rejects(server.listen(), { code: 'EALREADY' })
  const client = await Client.connect({ port: server.port, host: '127.0.0.1' })
  await client.says('version\r\n', 'VERSION 1.6.45\r\n')
  await client.hangUp()
})

t.test('a server closed while it opens leaves no listener', async t => {
  const server = createServer({ port: -1 })
  const listening = server.listen().catch((error: unknown) => error)
  await server.close()
  t.match(await listening, { code: 'ECANCELED' })
  t.same(server.addresses, [])
})

t.test('a port in use is an error with its code, and the next try may succeed', async t => {
  const first = createServer({ port: -1 })
  await first.listen()
  const second = createServer({ port: first.port })
  await t.rejects(second.listen(), { name: 'MemslabError', code: 'EADDRINUSE' })
  await first.close()
  await second.listen()
  t.ok(second.port > 0)
  await second.close()
})

t.test('wrong options are all named at once', async t => {
  try {
    createServer({ maxbytes: -1, factor: 0.5, port: 99_999 })
    t.fail('no error')
  } catch (error) {
    t.ok(error instanceof MemslabError && error.code === 'EUSAGE' && error.problems.length === 3, String(error))
  }
})

/** All problems of what a program hands in that no compiler has read. */
function problemsOf(...handedIn: unknown[]): readonly string[] {
  try {
    Reflect.apply(createServer, undefined, handedIn)
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
  t.same(problemsOf({}, null), ['the parts must be an object, not null'])
  t.same(problemsOf({}, { clock: 5, log: 'file', failed: [] }), [
    'clock: must have milliseconds() and every()', 'log: must be a function, not a string', 'failed: must be a function, not an array',
  ])
})

t.test('a program cannot have what concerns the whole process', async t => {
  const problems = problemsOf({ daemonize: true, user: 'nobody', pidFile: '/run/pid' })
  for (const [index, field] of ['daemonize', 'user', 'pidFile'].entries()) t.match(problems[index], `${field}: is for the command line alone`)
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
