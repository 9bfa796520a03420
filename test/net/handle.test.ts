// Conversations on streams that are no sockets of ours: what an embedder hands to server.handle. And writing to those that
// are, without a stream.
import { once } from 'node:events'
import { connect, createServer as createListener, type AddressInfo, type Socket } from 'node:net'
import { Duplex, PassThrough } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { Client } from '../support/client.js'
import { ServerCore } from '../../src/server/core.js'
import { completeOptions } from '../../src/options/options.js'
import { linkInPlaceOf } from '../../src/net/direct.js'
import { descriptorOf } from '../../src/net/handle.js'
import { learn } from '../../src/net/lesson.js'
import { Listeners } from '../../src/net/listeners.js'
import { proveQuickWay } from '../../src/net/proof.js'
import { Udp } from '../../src/net/udp.js'
import { type Link, type LinkUser } from '../../src/net/link.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

t.test('a pair of streams in one process holds a conversation', async t => {
  const { client } = conversation(t)
  await client.says('set k 0 0 5\r\nhello\r\nget k\r\n', 'STORED\r\nVALUE k 0 5\r\nhello\r\nEND\r\n')
  await client.says('get k k\r\n', 'VALUE k 0 5\r\nhello\r\nVALUE k 0 5\r\nhello\r\nEND\r\n')
})

t.test('replies stay what they were when the other end reads them late', async t => {
  const { client } = conversation(t)
  client.pause()
  const big = 'x'.repeat(200_000)
  await client.send(`set a 0 0 1\r\n1\r\nset b 0 0 ${big.length}\r\n${big}\r\nget a\r\nget b\r\nget a\r\n`)
  await client.send('set a 0 0 1\r\n2\r\n')
  client.resume()
  await client.expect(`STORED\r\nSTORED\r\nVALUE a 0 1\r\n1\r\nEND\r\nVALUE b 0 ${big.length}\r\n${big}\r\nEND\r\n` +
    'VALUE a 0 1\r\n1\r\nEND\r\nSTORED\r\n')
})

t.test('two conversations of one process may answer each other in the middle of a batch', async t => {
  const server = new ServerCore()
  t.teardown(() => server.close())
  // whatever the first one answers makes the second one ask, at once
  const answers: string[] = []
  const second = new Loopback(bytes => { answers.push(bytes.toString()) })
  const first = new Loopback(bytes => {
    answers.push(bytes.toString())
    if (answers.length === 1) second.push('get k\r\n')
  })
  server.handle(first)
  server.handle(second)
  first.push('set k 0 0 1\r\nv\r\nget k\r\n')
  while (answers.length < 2) await new Promise(setImmediate)
  t.same(answers.sort(), ['STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n'].sort())
  server.verify()
})

t.test('also where both have been served before', async t => {
  const server = new ServerCore()
  t.teardown(() => server.close())
  const answers: string[] = []
  const second = new Loopback(bytes => { answers.push(`second ${bytes.toString()}`) })
  const first = new Loopback(bytes => {
    answers.push(`first ${bytes.toString()}`)
    if (answers.length === 3) second.push('get k\r\n')
  })
  const expected = ['first END\r\n', 'second END\r\n', 'first STORED\r\n', 'second VALUE k 0 1\r\nv\r\nEND\r\n']
  for (const stream of [first, second]) server.handle(stream)
  const requests = [[first, 'get k\r\n'], [second, 'get k\r\n'], [first, 'set k 0 0 1\r\nv\r\n']] as const
  for (const [index, [stream, request]] of requests.entries()) {
    stream.push(request)
    await until(() => answers.length > index)
  }
  await until(() => answers.length === expected.length)
  t.same(answers, expected)
  server.verify()
})

t.test('a client that is read in the middle of another one\'s batch gets its own bytes alone', async t => {
  const server = new ServerCore({ itemSizeMax: 4 * 1024 * 1024 })
  t.teardown(() => server.close())
  const [first, second] = [pairWith(server), pairWith(server)]
  const big = 'x'.repeat(3 * 1024 * 1024)
  const got = { first: '', second: '' }
  let readsSecond = false
  first.on('data', (chunk: Buffer) => {
    got.first += chunk.toString()
    for (let more; readsSecond && (more = second.read() as Buffer | null) !== null;) got.second += more.toString()
  })
  first.write(`set big 0 0 ${big.length}\r\n${big}\r\nset secret 0 0 6\r\nsecret\r\n`)
  await until(() => got.first === 'STORED\r\nSTORED\r\n')
  second.write('get big\r\n')   // and does not read what it is sent
  await until(() => second.readableLength > 0)
  readsSecond = true
  got.first = ''
  first.write('get secret\r\n')
  await until(() => got.first.endsWith('END\r\n'))
  second.on('data', (chunk: Buffer) => { got.second += chunk.toString() })
  await until(() => got.second.endsWith('END\r\n'))
  t.equal(got.first, 'VALUE secret 0 6\r\nsecret\r\nEND\r\n')
  t.ok(got.second === `VALUE big 0 ${big.length}\r\n${big}\r\nEND\r\n`, 'the large value, and nothing else')
  server.verify()
})

t.test('a chunk of far more requests than have their turn at once is served whole, in order', async t => {
  const server = new ServerCore({ reqsPerEvent: 100 })
  t.teardown(() => server.close())
  let answer = ''
  const stream = new Loopback(bytes => { answer += bytes.toString() })
  server.handle(stream)
  const keys = Array.from({ length: 10_000 }, (_, number) => `key${number}`)
  stream.push(keys.map(key => `mn\r\nset ${key} 0 0 1\r\nv\r\nmg ${key} k\r\n`).join(''))
  const expected = keys.map(key => `MN\r\nSTORED\r\nHD k${key}\r\n`).join('')
  await until(() => answer.length >= expected.length || stream.destroyed)
  t.ok(answer === expected)
  server.verify()
})

t.test('a client that has no more to say hears all that it asked for', async t => {
  const server = new ServerCore({ itemSizeMax: 4 * 1024 * 1024 })
  t.teardown(() => server.close())
  const near = pairWith(server)
  const big = 'x'.repeat(1024 * 1024)
  let got = ''
  near.end(`set big 0 0 ${big.length}\r\n${big}\r\n${'get big\r\n'.repeat(5)}`)
  near.on('data', (chunk: Buffer) => { got += chunk.toString() })
  await new Promise(resolve => near.once('end', resolve))
  t.ok(got === 'STORED\r\n' + `VALUE big 0 ${big.length}\r\n${big}\r\nEND\r\n`.repeat(5), 'all of it')
})

t.test('a stream that is over already is left alone', async t => {
  const server = new ServerCore()
  const stream = new PassThrough()
  stream.destroy()
  server.handle(stream)
  await server.close()
  t.pass('and close does not wait for it')
})

t.test('bytes on their way to a socket stay there, though nobody else keeps them, and no longer', async t => {
  const { way, problem } = await proveQuickWay()
  if (way === undefined) return void t.pass(`skipped: ${problem}`)
  const listener = createListener({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const client = connect((listener.address() as AddressInfo).port, '127.0.0.1')
  const [socket] = await once(listener, 'connection') as [Socket]
  const link = linkInPlaceOf(socket)!
  t.teardown(() => {
    for (const open of [client, link, listener]) 'destroy' in open ? open.destroy() : open.close()
  })
  let written = 0
  link.begin(userWith({ drained: () => { written++ } }))
  link.write(Buffer.from('first'))
  const count = 8 * 1024 * 1024
  const memory = writeAndForget(link, count)
  await new Promise(setImmediate)
  collectGarbage()
  t.ok(memory.deref() !== undefined, 'they are kept')
  let got = ''
  client.on('data', (chunk: Buffer) => { got += chunk.toString('latin1') })
  await until(() => written === 1)
  await until(() => got.length >= count + 5)
  t.ok(got === 'first' + 'x'.repeat(count), 'and arrive as they were')
  await new Promise(setImmediate)
  collectGarbage()
  t.equal(memory.deref(), undefined)
})

t.test('a broken invariant of its user is not taken for a socket that has no quick way', async t => {
  const listener = createListener({ pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const clients: Socket[] = []
  t.teardown(() => {
    for (const client of clients) client.destroy()
    listener.close()
  })
  const begin = async (error: Error): Promise<void> => {
    clients.push(connect((listener.address() as AddressInfo).port, '127.0.0.1'))
    const [socket] = await once(listener, 'connection') as [Socket]
    const link = linkInPlaceOf(socket, learn())!
    t.teardown(() => link.destroy())
    link.begin(Object.defineProperty(userWith({}), 'firstTarget', { get: () => { throw error } }))
  }
  await t.rejects(begin(new InvariantError('broken for a test')), { name: 'InvariantError' })
})

t.test('a thread does not listen by a number that nobody can tell it', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const options = completeOptions({ threads: 2, socketPath: join(folder, 'socket') })
  const fail = (): never => { throw new Error('nobody comes') }
  const hidden = { id: descriptorOf({ _handle: {} }), host: '', protocol: 'auto' } as const
  const listeners = new Listeners(options, undefined)
  const listening = { ...hidden, address: { family: 'Unix', path: options.socketPath! }, name: 'unix:socket', file: '',
    verify: undefined } as const
  await listeners.follow([listening])
  t.same(listeners.listening, [listening])
  await listeners.close()
  const server = new ServerCore()
  const udp = new Udp(server.host, options, fail, fail, fail)
  await udp.follow([{ ...hidden, host: '127.0.0.1',
    address: { transport: 'UDP', family: 'IPv4', address: '127.0.0.1', port: 1 } }])
  t.equal(udp.port, 1)
  await Promise.all([udp.close(), server.close()])
})

t.test('a handle that does not tell its number, or throws when it is asked, has none', async t => {
  const throwing = { get fd(): number { throw new TypeError('Illegal invocation') } }
  for (const _handle of [undefined, null, {}, { fd: -1 }, { fd: '7' }, throwing]) t.equal(descriptorOf({ _handle }), 0)
})

/** Writes more than the kernel takes at once, in memory that nobody but the writer knows. */
function writeAndForget(writer: Link, count: number): WeakRef<ArrayBufferLike> {
  const bytes = Buffer.allocUnsafeSlow(count).fill('x')
  writer.write(bytes)
  return new WeakRef(bytes.buffer)
}

function userWith(methods: Partial<LinkUser>): LinkUser {
  const nothing = (): void => {}
  return { firstTarget: Buffer.alloc(1), read: () => undefined, readChunk: () => 0, ended: nothing, drained: nothing, failed: nothing,
    broke: nothing, closed: nothing, ...methods }
}

/** A stream that gives what is written to it to a function, synchronously. */
class Loopback extends Duplex {
  constructor(private readonly heed: (bytes: Buffer) => void) { super() }
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.heed(chunk)
    done()
  }
}

function conversation(t: { teardown(task: () => unknown): void }): { client: Client } {
  const server = new ServerCore()
  const [here, there] = pair()
  server.handle(there)
  const client = new Client(here)
  t.teardown(async () => {
    server.verify()
    here.destroy()
    await server.close()
  })
  return { client }
}

/** Two ends of one connection. */
function pair(): [Duplex, Duplex] {
  const there = new PassThrough()
  const back = new PassThrough()
  return [Duplex.from({ readable: back, writable: there }), Duplex.from({ readable: there, writable: back })]
}

/** One end of a conversation whose other end the server has. What is written here counts as written when it is read there. */
class Paired extends Duplex {
  other: Paired | undefined
  private written: (() => void) | undefined

  override _read(): void {
    const { written } = this
    this.written = undefined
    written?.()
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.other!.written = done
    this.other!.push(chunk)
  }

  override _final(done: () => void): void {
    this.other!.push(null)
    done()
  }
}

function pairWith(server: ServerCore): Duplex {
  const [near, far] = [new Paired(), new Paired()]
  near.other = far
  far.other = near
  server.handle(far)
  return near
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(setImmediate)
}
