// Whether sockets can be read and written without their streams is tried before it is done: on Nodes that are not as they
// were, clients are served through streams, and nobody ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { prove, proveQuickWay, type Pair } from '../../src/net/proof.js'
import { linkInPlaceOf } from '../../src/net/direct.js'
import { learn } from '../../src/net/lesson.js'
import { type LinkUser } from '../../src/net/link.js'
import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { CLI } from '../support/places.js'
import { startServer } from '../support/server.js'

type Handle = Record<string, unknown>
type Writes = Record<'writeBuffer' | 'writev', Write>
type Write = (this: Handle, request: object | null, bytes: unknown, ...rest: unknown[]) => unknown

t.test('this Node has the quick way', { skip: process.env['MEMSLAB_STREAMS'] === '1' && 'it is switched off' }, async t => {
  const [major] = process.versions.node.split('.')
  t.same(await proveQuickWay(), { way: Number(major) < 26 ? 'handed' : 'answered', problem: '' })
})

t.test('a pair that does as it must proves it, and is closed', async t => {
  const pair = await openPair(t)
  t.equal((await prove(async () => pair)).problem, '')
  t.ok(pair.near.closed && pair.far.closed)
})

t.test('so does one of whose small writes the last byte comes late', async t => {
  const pair = await openPair(t)
  const push = pair.far.push.bind(pair.far)
  pair.far.push = (chunk: Buffer | null) => {
    if (chunk === null || chunk.length > 100) return push(chunk)
    setImmediate(() => push(chunk.subarray(-1)))
    return push(chunk.subarray(0, -1))
  }
  t.equal((await prove(async () => pair)).problem, '')
})

t.test('there is no quick way where no sockets can be had', async t => {
  t.same(await prove(async () => { throw new Error('not permitted') }), { way: undefined, problem: 'not permitted' })
})

/** What a Node may have otherwise. */
const oddities: Readonly<Record<string, (near: Socket, handle: Handle) => void>> = {
  'a socket has no handle': near => { Reflect.set(near, '_handle', null) },
  'a handle has no such method': (_near, handle) => { handle.useUserBuffer = undefined },
  'a place to read to throws': (_near, handle) => { handle.useUserBuffer = () => { throw new TypeError('Illegal invocation') } },
  'a place to read to is not used': (_near, handle) => {
    const { useUserBuffer } = handle as { useUserBuffer: (place: Buffer) => void }
    handle.useUserBuffer = () => useUserBuffer.call(handle, Buffer.alloc(100))
  },
  'writes throw': (_near, handle) => oddWrites(handle, () => { throw new TypeError('no request') }),
  'writes answer nothing': (_near, handle) => oddWrites(handle, () => undefined),
  'writes answer what nobody knows': (_near, handle) => oddWrites(handle, () => ({ async: false })),
  'writes fail': (_near, handle) => oddWrites(handle, () => -32),
  'writes are lost': (_near, handle) => oddWrites(handle, () => 0),
  'writes are of something else': (_near, handle) => oddWrites(handle, write => write('other')),
  'writes that are under way say that they are not': (_near, handle) => oddWrites(handle, (write, request) => {
    const answer = write()
    if (request !== null) Reflect.set(request, 'getAsyncId', () => -1)
    return typeof answer === 'number' ? answer : 0
  }),
  'writes are never done': (_near, handle) => oddWrites(handle, (write, request) => {
    const answer = write()
    Object.defineProperty(request ?? Object(answer), 'oncomplete', { get: () => () => {}, set: () => {} })
    return answer
  }),
  'writes are done twice': (_near, handle) => oddWrites(handle, (write, request) => {
    const answer = write()
    let complete: (status: number) => void = () => {}
    const twice = (status: number): void => { complete(status); complete(status) }
    Object.defineProperty(request ?? Object(answer), 'oncomplete', { get: () => twice, set: heed => { complete = heed } })
    return answer
  }),
  'writes of parts throw': (_near, handle) => oddWrites(handle, () => { throw new Error('no parts') }, ['writev']),
  'writes of parts answer nothing': (_near, handle) => oddWrites(handle, () => undefined, ['writev']),
}

for (const [what, makeOdd] of Object.entries(oddities)) {
  t.test(`there is no quick way where ${what}`, async t => {
    const pair = await openPair(t)
    makeOdd(pair.near, Reflect.get(pair.near, '_handle') as Handle)
    const { way, problem } = await prove(async () => pair)
    t.equal(way, undefined, problem)
    t.not(problem, '')
    t.ok(pair.near.closed && pair.far.closed, 'nothing is left open')
  })
}

/** What Node may do otherwise with all handles. */
const otherSockets: Readonly<Record<string, Partial<Record<string, (this: Inside, bytes: unknown, ...rest: unknown[]) => void>>>> = {
  'Node writes with other arguments': { _write(bytes) { this._handle.writeBuffer(null, bytes, 'latin1') } },
  'Node writes with what is no request': { _write(bytes) { this._handle.writeBuffer({ async: false }, bytes) } },
  'Node does not write': { _write() {} },
  'Node writes parts with other arguments': { _writev(parts) { this._handle.writev(null, parts, false) } },
  'Node writes parts with another kind of request': {
    _writev(parts) {
      const isHanded = Number(process.versions.node.split('.')[0]) < 26
      this._handle.writev(isHanded ? null : { oncomplete: null, getAsyncId: () => -1 }, parts, true)
    },
  },
  'Node ends without a request': { _final() { this._handle.shutdown(null) } },
}

interface Inside { _handle: Record<'writeBuffer' | 'writev' | 'shutdown', (...args: unknown[]) => unknown> }

for (const [what, methods] of Object.entries(otherSockets)) {
  t.test(`there is nothing to learn where ${what}`, async t => {
    const usual = Object.fromEntries(Object.keys(methods).map(name => [name, Reflect.get(Socket.prototype, name) as unknown]))
    // nothing may be printed meanwhile, as a pipe is a socket too
    Object.assign(Socket.prototype, methods)
    let problem: unknown
    try {
      learn()
    } catch (error) {
      problem = error
    } finally {
      Object.assign(Socket.prototype, usual)
    }
    t.match(problem, { message: /^Node (writes|ends) in a way that is not known$/ })
    learn()
  })
}

t.test('what goes wrong after the proof ends its connection, and others are served as streams', async t => {
  await proveQuickWay()
  const { near, far } = await openPair(t)
  const handle = Reflect.get(near, '_handle') as Handle
  const user = new User()
  const link = linkInPlaceOf(near, learn())!
  link.begin(user)
  handle.writeBuffer = () => 'what nobody knows'
  t.equal(link.write(Buffer.from('x')), false)
  t.same(user.seen, ['the answer to a write is what nobody knows'])
  t.ok(link.isBroken)
  await once(far.resume(), 'close')
  t.equal(link.write(Buffer.from('x')), false, 'and it may be written to again')
  t.same(user.seen.slice(1), ['closed'])
  const other = await openPair(t)
  t.equal(linkInPlaceOf(other.near), undefined)
  t.notOk(other.near.destroyed)
  const { client } = await startServer(t)
  await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
})

t.test('a write that fails ends its connection, and others go on as they are', async t => {
  const { near, far } = await openPair(t)
  const handle = Reflect.get(near, '_handle') as Handle
  const EPIPE = -32
  const lesson = learn()
  handle.writeBuffer = () => EPIPE
  const user = new User()
  const link = linkInPlaceOf(near, lesson)!
  link.begin(user)
  t.equal(link.write(Buffer.from('x')), false)
  t.ok(link.isBroken)
  await once(far.resume(), 'close')
  t.same(user.seen, ['closed'])
})

t.test('a client that resets its connection is a failure, and one that ends has ended', async t => {
  const { near, far } = await openPair(t, 'TCP')
  const user = new User()
  const link = linkInPlaceOf(near, learn())!
  link.begin(user)
  t.equal(link.remote?.port, far.localPort)
  far.resetAndDestroy()
  await until('the link is closed', () => user.seen.includes('closed'))
  t.same(user.seen, ['failed', 'closed'])
  const other = await openPair(t)
  const otherUser = new User()
  const otherLink = linkInPlaceOf(other.near, learn())!
  otherLink.begin(otherUser)
  other.far.end('bytes')
  await until('the client has ended', () => otherUser.seen.includes('ended'))
  otherLink.write(Buffer.from('answer'))
  otherLink.end()
  const chunks: Buffer[] = []
  other.far.on('data', (chunk: Buffer) => { chunks.push(chunk) })
  await once(other.far, 'end')
  await until('the link is closed', () => otherUser.seen.length > 2)
  t.equal(Buffer.concat(chunks).toString(), 'answer')
  t.same(otherUser.seen, ['read 5', 'ended', 'closed'])
})

for (const threads of ['1', '2']) {
  t.test(`a Node that is otherwise serves all the same, -t ${threads}, and -v says so`, async t => {
    const { client, stderr } = await startCommand(t, threads, OTHER_NODE)
    await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
    t.match(stderr(), /^clients are served through streams, which is slower: Error: it is otherwise$/m)
  })
}

/** Records what its link calls. */
class User implements LinkUser {
  readonly seen: string[] = []
  readonly firstTarget = Buffer.alloc(16)
  read(count: number): undefined { this.seen.push(`read ${count}`) }
  readChunk(): number { throw new Error('it is no stream') }
  ended(): void { this.seen.push('ended') }
  drained(): void { this.seen.push('drained') }
  failed(): void { this.seen.push('failed') }
  broke(problem: string): void { this.seen.push(problem) }
  closed(): void { this.seen.push('closed') }
}

/** A module that makes the Node that loads it one on which sockets cannot read to a place of one's own. */
const OTHER_NODE = `
  import { once } from 'node:events'
  import { connect, createServer } from 'node:net'
  const listener = createServer().listen(0, '127.0.0.1')
  await once(listener, 'listening')
  connect(listener.address().port, '127.0.0.1').on('error', () => {})
  const [socket] = await once(listener, 'connection')
  let common = socket._handle
  while (!Object.hasOwn(common, 'useUserBuffer')) common = Object.getPrototypeOf(common)
  common.useUserBuffer = () => { throw new Error('it is otherwise') }
  socket.destroy()
  listener.close()`

/** The command, in a Node that begins with a module. */
async function startCommand(t: Test, threads: string, module: string): Promise<{ client: Client, stderr: () => string }> {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  const portFile = join(folder, 'ports')
  writeFileSync(join(folder, 'begin.mjs'), module)
  const { MEMSLAB_STREAMS: _, ...env } = process.env
  const child = spawn(process.execPath, ['--import', join(folder, 'begin.mjs'), CLI, '-p', '-1', '-v', '-t', threads],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...env, MEMCACHED_PORT_FILENAME: portFile } })
  t.teardown(() => {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })
  let stderr = ''
  child.stderr.on('data', text => { stderr += text })
  await until('the server listens', () => existsSync(portFile) || child.exitCode !== null)
  const client =
    await Client.connect({ host: '127.0.0.1', port: Number(/^TCP INET: (\d+)$/m.exec(readFileSync(portFile, 'utf8'))?.[1]) })
  return { client, stderr: () => stderr }
}

/** Two ends of one connection; what comes to the near one is not read yet. */
async function openPair(t: Test, transport: 'Unix' | 'TCP' = 'Unix'): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  const path = join(folder, 'socket')
  const listener = createServer({ pauseOnConnect: true }).listen(transport === 'Unix' ? { path } : { port: 0, host: '127.0.0.1' })
  await once(listener, 'listening')
  const address = listener.address()
  const far = connect(typeof address === 'object' ? { port: address!.port, host: '127.0.0.1' } : { path }).on('error', () => {})
  const [near] = await once(listener, 'connection') as [Socket]
  listener.close()
  t.teardown(() => {
    near.destroy()
    far.destroy()
    rmSync(folder, { recursive: true, force: true })
  })
  return { near, far }
}

/** Has `odd` do all writes; it may call `write`, with something else if it likes. */
function oddWrites(handle: Handle, odd: (write: (other?: string) => unknown, request: object | null) => unknown,
  methods: readonly (keyof Writes)[] = ['writeBuffer', 'writev']): void {
  const common = Object.getPrototypeOf(handle) as Writes
  const override = (write: Write): Write => {
    return (request, bytes, ...rest) => {
      const own = (other?: string): unknown => {
        const what = Array.isArray(bytes) ? [Buffer.from(other ?? '')] : Buffer.from(other ?? '')
        return write.call(handle, request, other === undefined ? bytes : what, ...rest)
      }
      return odd(own, request)
    }
  }
  const layer = Object.fromEntries(methods.map(method => [method, override(common[method])]))
  Object.setPrototypeOf(handle, Object.setPrototypeOf(layer, common) as object)
}
