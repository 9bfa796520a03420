// Servers with several threads: how they begin, how they end, and what happens when one of the threads dies.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { duplexPair } from 'node:stream'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { ServerCore } from '../../dist/server/core.js'
import { startWorker } from '../../dist/server/start.js'
import { Balance } from '../../src/net/balance.js'
import { completeOptions, type Options } from '../../src/options/options.js'
import { type Locks } from '../../src/memory/lock.js'
import { Counter } from '../../src/stats/counters.js'
import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { startThreads, type ThreadedServer } from '../support/workers.js'

const DIST = new URL('../../dist/', import.meta.url)
const LOOPBACK = { port: -1, listen: ['127.0.0.1'] }

/** Not in the test's own folder: a socket's path may have some hundred bytes at most. */
function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

function connectMany({ server }: ThreadedServer, count: number): Promise<Client[]> {
  return Promise.all(Array.from({ length: count }, () => Client.connect({ host: '127.0.0.1', port: server.port })))
}

t.test('a server with many connections closes them all, whoever asks how often', async t => {
  const threaded = await startThreads(t, { threads: 3 })
  const clients = await connectMany(threaded, 60)
  for (const client of clients) await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  void clients[0]!.send('set half 0 0 100\r\nabc')
  const { server } = threaded
  await Promise.all([server.close(), server.close()])
  t.same(await Promise.all(clients.map(client => client.closed())), clients.map(() => true))
  t.equal(server.store.refCount, 0, 'the half-filled item was given back')
  t.same(server.addresses, [])
  await t.rejects(Client.connect({ host: '127.0.0.1', port: server.port || 1 }), { code: 'ECONNREFUSED' })
  await server.close()
})

t.test('a server that is closed while it opens does not open', async t => {
  const server = new ServerCore({ ...LOOPBACK, threads: 2 })
  const listening = server.listen()
  const closing = server.close()
  await t.rejects(listening, { code: 'ECANCELED' })
  await closing
  t.same(server.addresses, [])
})

t.test('a server that is closed while threads still start does not open them', async t => {
  const socketPath = join(folder(t), 'socket')
  const server = startsLate({ socketPath, threads: 3 })
  const listening = server.listen()
  listening.catch(() => {})
  // so many that the one thread leaves some to the others
  const clients = [await firstTo(socketPath)]
  for (let count = 0; count < 10; count++) clients.push(await Client.connect({ path: socketPath }))
  await server.close()
  await t.rejects(listening, { code: 'ECANCELED' })
  for (const client of clients) t.equal(await client.closed(), true)
  t.notOk(existsSync(socketPath))
})

t.test('a port in use is told as with one thread, and can be tried again', async t => {
  const { server: other } = await startThreads(t)
  const options = { listen: ['127.0.0.1'], port: other.port }
  const second = new ServerCore({ ...options, threads: 2 })
  t.teardown(() => second.close())
  await t.rejects(second.listen(),
    { code: 'EADDRINUSE', message: `failed to listen on TCP port ${other.port} of 127.0.0.1: Address already in use` })
  await other.close()
  await second.listen()
  t.equal(second.port, other.port || options.port)
  const client = await Client.connect({ host: '127.0.0.1', port: second.port })
  await client.says('get nothing\r\n', 'END\r\n')
})

t.test('a Unix socket has its mask, and is gone with the server', async t => {
  const socketPath = join(folder(t), 'socket')
  const before = process.umask()
  const { server, connect } = await startThreads(t, { socketPath, umask: 0o750 })
  t.equal(statSync(socketPath).mode & 0o777, 0o750)
  t.equal(process.umask(), before)
  const clients = await Promise.all(Array.from({ length: 10 }, connect))
  for (const client of clients) await client.says('get nothing\r\n', 'END\r\n')
  await server.close()
  t.notOk(existsSync(socketPath))
  for (const client of clients) await client.expectClosed()
})

/** A server of which one thread listens before the others start. */
function startsLate(options: Partial<Options>): ServerCore {
  const all = completeOptions(options)
  const balance = new SharedArrayBuffer(Balance.bytesFor(all.threads))
  return new ServerCore(options, {}, { first: { workers: [startWorker(1, { options: all, balance })], balance } })
}

/** The words that locks lie in. */
function wordsOf(locks: Locks): Int32Array { return Reflect.get(locks, 'words') as Int32Array }

/** How many connections each thread has accepted. */
function accepted(server: ServerCore, threads: number): number[] {
  const rows = Reflect.get(server.store.counters, 'rows') as Float64Array
  const rowLength = rows.length / (threads + 1)
  return Array.from({ length: threads }, (_, index) => rows[(index + 1) * rowLength + Counter.TotalConnections]!)
}

/** Connects as soon as somebody listens. */
async function firstTo(socketPath: string): Promise<Client> {
  let client: Client | undefined
  await until('somebody listens', async () => {
    client = await Client.connect({ path: socketPath }).catch(() => undefined)
    return client !== undefined
  })
  return client!
}

t.test('those who all come while threads still start are served, and who comes later makes the shares even', async t => {
  const socketPath = join(folder(t), 'socket')
  const server = startsLate({ socketPath, threads: 3 })
  t.teardown(() => server.close())
  const listening = server.listen()
  const first = await firstTo(socketPath)
  const others = await Promise.all(Array.from({ length: 29 }, () => Client.connect({ path: socketPath })))
  const clients = [first, ...others]
  await Promise.all(clients.map(client => client.says('version\r\n', /^VERSION .*\r\n$/)))
  await listening
  const later = await Promise.all(Array.from({ length: 60 }, () => Client.connect({ path: socketPath })))
  await Promise.all(later.map(client => client.says('version\r\n', /^VERSION .*\r\n$/)))
  const counts = accepted(server, 3)
  t.equal(counts.reduce((sum, count) => sum + count), 90)
  t.ok(Math.max(...counts) <= 60, `at most twice the mean: ${counts.join(', ')}`)
})

t.test('the shutdown command ends it from any thread', async t => {
  const { server, connect } = await startThreads(t, { shutdownCommand: true })
  const isGraceful = new Promise(resolve => { server.onShutdown = resolve })
  const client = await connect()
  void client.send('shutdown graceful\r\n')
  t.equal(await isGraceful, true)
})

/** Has one of the workers meet what it does not know. */
function kill({ server }: ThreadedServer, index: number): void {
  const pool: unknown = Reflect.get(server, 'pool')
  const workers = Reflect.get(pool as object, 'workers') as { post(message: unknown): void }[]
  workers[index]!.post({ signal: 'what nobody knows' })
}

t.test('the death of a thread ends the server and nothing else', async t => {
  const threaded = await startThreads(t, { threads: 3 })
  const { server, lines, failures } = threaded
  const clients = await connectMany(threaded, 20)
  const [here, there] = duplexPair()
  server.handle(there)
  const local = new Client(here)
  await local.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  kill(threaded, 1)
  for (const client of clients) t.equal(await client.closed(), true)
  t.ok(there.destroyed)
  t.match(failures, [{ message: /^broken invariant: no such signal: what nobody knows/ }])
  t.equal(failures.length, 1)
  t.match(lines[0], /^thread 2 has died: broken invariant: /)
  t.match(lines[1], /^ +at raise .*signals/)
  await server.close()
  await t.rejects(server.listen(), { code: 'EALREADY' })
  const late = duplexPair()[0]
  server.handle(late)
  t.ok(late.destroyed)
})

t.test('a bug in what the main thread does for a worker ends the server and nothing else', async t => {
  const { server, failures, connect } = await startThreads(t)
  const client = await connect()
  await client.says('mn\r\n', 'MN\r\n')
  const [first] = Reflect.get(Reflect.get(server, 'pool') as object, 'workers') as { readonly worker: Worker }[]
  // as if that had posted it
  first!.worker.emit('message', { signal: 'what nobody knows' })
  await client.expectClosed()
  t.match(failures, [{ message: /^broken invariant: no such signal: what nobody knows/ }])
  await server.close()
})

t.test('the first cause is told, though another thread is heard before', async t => {
  const { server, lines, failures, connect } = await startThreads(t, { threads: 3 })
  const { locks, lock } = server.store as unknown as { locks: Locks, lock: number }
  const client = await connect()
  locks.take(lock)
  void client.send('flush_all\r\n')
  await until('its thread waits for what a thread that died would hold', () => (Atomics.load(wordsOf(locks), lock) & 1) === 1)
  const epitaph: unknown = Reflect.get(server, 'epitaph')
  const write = Reflect.get(epitaph as object, 'write') as (thread: number, error: Error) => void
  write.call(epitaph, 3, new Error('the first cause'))
  server.store.fail()
  await until('the server has heard of it', () => failures.length > 0)
  t.equal(lines[0], 'thread 3 has died: the first cause')
  t.match(failures, [{ message: 'the first cause' }])
})

t.test('a thread that dies as it starts is an error of listen', async t => {
  const failures: Error[] = []
  const server = new ServerCore({ ...LOOPBACK, threads: 2 }, { failed: error => failures.push(error) })
  const listening = server.listen()
  kill({ server } as ThreadedServer, 0)
  await t.rejects(listening, { code: 'EDIED' })
  t.equal(failures.length, 1)
  await server.close()
})

t.test('a thread that dies while another begins to listen where it does ends nothing but its server', async t => {
  for (let round = 0; round < 10; round++) {
    const server = new ServerCore({ ...LOOPBACK, threads: 2 }, { failed: () => {} }, { logsToStderr: true })
    const listening = server.listen()
    kill({ server } as ThreadedServer, 0)
    await t.rejects(listening, { code: 'EDIED' })
    await server.close()
  }
})

/**
 * The command with so many threads, and the server that it makes in `server`.
 * @param onSignal what it does, in JavaScript, at a SIGWINCH
 */
async function startBreakable(t: Test, threads: number, onSignal: string) {
  const portFile = join(folder(t), 'ports')
  const script = `
    const { ServerCore } = await import('${new URL('server/core.js', DIST).href}')
    const { listen } = ServerCore.prototype
    ServerCore.prototype.listen = async function () {
      const server = this
      process.once('SIGWINCH', () => { ${onSignal} })
      return await listen.call(server)
    }
    process.argv.splice(1, Infinity, 'memslab', '-p', '-1', '-t', '${threads}')
    await import('${new URL('command.js', DIST).href}')`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { stderr: '' }
  child.stderr.on('data', part => { output.stderr += part })
  const ended = new Promise(resolve => child.once('close', resolve))
  await until('it listens', () => existsSync(portFile))
  return { child, output, ended, portFile }
}

t.test('the command ends with exit code 70 when a thread dies', async t => {
  const { child, output, ended, portFile } = await startBreakable(t, 2, `
    const timer = setInterval(() => {
      if (server.pool.workers[1]?.isServing !== true) return
      clearInterval(timer)
      server.pool.workers[1].post({ signal: 'what nobody knows' })
    }, 1)`)
  const [, port] = /: (\d+)/.exec(readFileSync(portFile, 'utf8'))!
  // the second thread starts at the second client
  for (let count = 0; count < 2; count++) connect(Number(port), '127.0.0.1').on('error', () => {})
  child.kill('SIGWINCH')
  t.equal(await ended, 70)
  t.match(output.stderr, /^thread 2 has died: broken invariant: [^]*\nmemslab ends, as it can no longer trust its memory\n$/)
})

t.test('the command ends with exit code 70 when nothing catches an error', async t => {
  const { child, output, ended } = await startBreakable(t, 2, `throw new Error('broken for a test')`)
  child.kill('SIGWINCH')
  t.equal(await ended, 70)
  t.match(output.stderr, /^memslab has died: Error: broken for a test\n +at /)
})

t.test('handles of one descriptor never close what somebody else has opened meanwhile', async t => {
  // many servers open and close while this process opens and closes connections: each of these must stay whole
  const steady = await startThreads(t)
  let isOver = false
  const churn = (async () => {
    let count = 0
    while (!isOver) {
      const client = await Client.connect({ host: '127.0.0.1', port: steady.server.port })
      await client.says('version\r\n', /^VERSION .*\r\n$/)
      client.stream.destroy()
      count++
    }
    return count
  })()
  for (let round = 0; round < 5; round++) {
    const server = new ServerCore({ ...LOOPBACK, threads: 2 })
    await server.listen()
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    await server.close()
    socket.destroy()
  }
  isOver = true
  t.ok(await churn > 0)
})

t.test('a server that does not listen serves what it is handed', async t => {
  const server = new ServerCore({ threads: 2 })
  t.teardown(() => server.close())
  const [here, there] = duplexPair()
  server.handle(there)
  const client = new Client(here)
  await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
})
