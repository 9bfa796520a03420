// Whether sockets can be read and written without their streams is tried before it is done: on Nodes that are not as they
// were, clients are served through streams, and nobody ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { prove, proveQuickWay, type Pair } from '../../src/net/proof.js'
import { takeQuickly } from '../../src/net/handle.js'
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
  'writes of parts are handed in otherwise than others': (_near, handle) => {
    const { writev } = handle as unknown as Writes
    let method = writev
    const observed = (observe: Write): Write => (request, ...rest) => {
      // it passes on what it is shown, which is what a Node of the other kind hands in
      method = () => undefined
      observe.call(handle, request === null ? { oncomplete: () => {}, getAsyncId: () => 1 } : null, ...rest)
      method = writev
      return writev.call(handle, request, ...rest)
    }
    Object.defineProperty(handle, 'writev', { get: () => method, set: (observe: Write) => { method = observed(observe) } })
  },
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

t.test('what goes wrong after the proof ends its connection, and others are served as streams', async t => {
  const { way } = await proveQuickWay()
  const { near, far } = await openPair(t)
  const handle = Reflect.get(near, '_handle') as Handle
  const broken: string[] = []
  const reader = { target: () => Buffer.alloc(1), read: () => {} }
  const writer = takeQuickly(near, reader, () => {}, what => { broken.push(what) }, way ?? 'answered')
  if (way === 'handed') writer!.write(Buffer.from('through the stream, to learn what is handed in'))
  handle.writeBuffer = () => 'what nobody knows'
  t.equal(writer!.write(Buffer.from('x')), false)
  t.same(broken, ['the answer to a write is what nobody knows'])
  t.ok(near.destroyed)
  await once(far.resume(), 'close')
  t.equal(writer!.write(Buffer.from('x')), false, 'and it may be written to again')
  const other = await openPair(t)
  t.equal(takeQuickly(other.near, reader, () => {}, () => {}), undefined)
  const { client } = await startServer(t)
  await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
})

t.test('a write that fails ends its connection, and others go on as they are', async t => {
  const { near, far } = await openPair(t)
  const handle = Reflect.get(near, '_handle') as Handle
  const EPIPE = -32
  handle.writeBuffer = () => EPIPE
  const writer = takeQuickly(near, { target: () => Buffer.alloc(1), read: () => {} }, () => {}, what => t.fail(what), 'answered')
  t.equal(writer!.write(Buffer.from('x')), false)
  t.ok(near.destroyed)
  await once(far.resume(), 'close')
})

for (const threads of ['1', '2']) {
  t.test(`a Node that is otherwise serves all the same, -t ${threads}, and -v says so`, async t => {
    const { client, stderr } = await startCommand(t, threads, OTHER_NODE)
    await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
    t.match(stderr(), /^clients are served through streams, which is slower: a socket is not as it is known$/m)
  })
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
async function openPair(t: Test): Promise<Pair> {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  const listener = createServer({ pauseOnConnect: true }).listen(join(folder, 'socket'))
  await once(listener, 'listening')
  const far = connect(join(folder, 'socket')).on('error', () => {})
  const [near] = await once(listener, 'connection') as [Socket]
  listener.close()
  t.teardown(() => {
    near.destroy()
    far.destroy()
    rmSync(folder, { recursive: true, force: true })
  })
  return { near, far }
}

/** Has `odd` do all writes but the first of each kind, which Node does; it may call `write`, with something else if it likes. */
function oddWrites(handle: Handle, odd: (write: (other?: string) => unknown, request: object | null) => unknown,
  methods: readonly (keyof Writes)[] = ['writeBuffer', 'writev']): void {
  const common = Object.getPrototypeOf(handle) as Writes
  const override = (write: Write): Write => {
    let isFirst = true
    return (request, bytes, ...rest) => {
      const own = (other?: string): unknown => {
        const what = Array.isArray(bytes) ? [Buffer.from(other ?? '')] : Buffer.from(other ?? '')
        return write.call(handle, request, other === undefined ? bytes : what, ...rest)
      }
      if (!isFirst) return odd(own, request)
      isFirst = false
      return own()
    }
  }
  const layer = Object.fromEntries(methods.map(method => [method, override(common[method])]))
  Object.setPrototypeOf(handle, Object.setPrototypeOf(layer, common) as object)
}
