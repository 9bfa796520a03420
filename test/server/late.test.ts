// Threads that start when there is something for them to do, and the clients that the first thread then hands over to them.
import { execFileSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { ServerCore } from '../../dist/server/core.js'
import { startFirstThreads, type FirstThreads, type WorkerFiles } from '../../dist/server/start.js'
import { Balance } from '../../src/net/balance.js'
import { completeOptions, type Options } from '../../src/options/options.js'
import { writeCertificates } from '../support/certificates.js'
import { Client } from '../support/client.js'
import { start } from '../support/command.js'
import { frame } from '../support/datagram.js'
import { until } from '../support/patience.js'

const HOST = '127.0.0.1'
const ONLY_LINUX = process.platform === 'linux' ? {} : { skip: 'only on Linux threads start later' }

/** What no user of a server sees of it. */
interface Inside {
  readonly pool: {
    readonly workers: readonly { readonly isServing: boolean }[]
    readonly late: { readonly starting: unknown }
  }
}

/**
 * A server as the command starts it.
 * @param change changes what the first threads are
 * @param before called before the server is opened, whose first thread listens already
 */
async function startLate(t: Test, given: Partial<Options> = {}, change = (first: FirstThreads): FirstThreads => first,
  before = async (_first: FirstThreads): Promise<void> => {}) {
  const options = completeOptions({ threads: 4, port: -1, listen: [HOST], ...given })
  const first = change(startFirstThreads(options, true))
  const lines: string[] = []
  const failures: Error[] = []
  const server = new ServerCore(options, { log: line => lines.push(line), failed: error => failures.push(error) }, { first })
  const clients: Client[] = []
  t.teardown(async () => {
    for (const client of clients) client.stream.destroy()
    await server.close()
    for (const failure of failures) throw failure
    server.verify()
  })
  await before(first)
  await server.listen()
  const { pool } = server as unknown as Inside
  const to = () => options.socketPath === undefined ? { host: HOST, port: server.port } : { path: options.socketPath }
  /** The connections of each thread. */
  const counts = (): number[] => [...new Balance(first.balance, 1).counts.values()]
  return {
    server, lines, counts, pool,
    serving: () => pool.workers.filter(({ isServing }) => isServing).length,
    connect: async (): Promise<Client> => {
      const client = await Client.connect(to())
      clients.push(client)
      return client
    },
    report: (name: string) => Number(new Map(server.host.report('')).get(name)),
    isEven: () => counts().length === options.threads && Math.max(...counts()) - Math.min(...counts()) < 2,
  }
}

t.test('one client has one thread, and a second one has the others start', ONLY_LINUX, async t => {
  const { connect, serving, pool, report } = await startLate(t)
  const one = await connect()
  await one.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  one.stream.destroy()
  await until('it has gone', () => report('curr_connections') === 0)
  const next = await connect()
  await next.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  t.equal(pool.workers.length, 1, 'two clients of which one has gone are one')
  t.equal(report('threads'), 4)
  const second = await connect()
  await second.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  await until('all threads serve', () => serving() === 4)
})

t.test('clients that come while threads start are served at once, and each thread has as many of them then', ONLY_LINUX, async t => {
  const { connect, isEven, report, lines, counts } = await startLate(t)
  const clients = await Promise.all(Array.from({ length: 41 }, connect))
  await Promise.all(clients.map((client, index) => client.says(`set k${index} 0 0 2\r\nv1\r\n`, 'STORED\r\n')))
  await until('all threads have as many', isEven)
  for (let round = 0; round < 3; round++) {
    await Promise.all(clients.map((client, index) => client.says(`get k${index}\r\n`, `VALUE k${index} 0 2\r\nv1\r\nEND\r\n`)))
  }
  t.equal(report('curr_connections'), 41)
  t.equal(report('total_connections'), 41)
  for (const client of clients.slice(1)) client.stream.destroy()
  await until('they have gone', () => report('curr_connections') === 1)
  await until('no thread counts them', () => counts().reduce((sum, count) => sum + count, 0) === 1)
  t.same(lines, [])
})

t.test('so do clients that have connected before the first thread serves', ONLY_LINUX, async t => {
  const early: Client[] = []
  const { isEven, report } = await startLate(t, {}, undefined, async ({ workers, balance }) => {
    const [{ listening }] = await once(workers[0]!.worker, 'message') as [{ listening: [{ address: { port: number } }] }]
    const { port } = listening[0].address
    for (let count = 0; count < 12; count++) early.push(await Client.connect({ host: HOST, port }))
    t.teardown(() => { for (const client of early) client.stream.destroy() })
    await until('they are accepted', () => new Balance(balance, 1).count === early.length)
  })
  await until('all threads have as many', isEven)
  for (const client of early) await client.says('get k\r\n', 'END\r\n')
  t.equal(report('curr_connections'), 12)
})

t.test('a client that is in the middle of something keeps it', ONLY_LINUX, async t => {
  const { connect, isEven } = await startLate(t, { threads: 2 })
  const half = await connect()
  const value = await connect()
  // both stay where they are, so others go
  await half.send('ge')
  await value.send('set k 0 0 4\r\nab')
  const others = await Promise.all(Array.from({ length: 6 }, connect))
  await until('all threads have as many', isEven)
  await value.says('cd\r\n', 'STORED\r\n')
  await half.says('t k\r\n', 'VALUE k 0 4\r\nabcd\r\nEND\r\n')
  for (const other of others) await other.says('get k\r\n', 'VALUE k 0 4\r\nabcd\r\nEND\r\n')
})

t.test('what a client speaks goes with it', ONLY_LINUX, async t => {
  const { connect, isEven } = await startLate(t, { http: true })
  const clients = await Promise.all(Array.from({ length: 16 }, connect))
  const noop = Buffer.alloc(24)
  noop[0] = 0x80
  noop[1] = 0x0a
  const answer = Buffer.from(noop)
  answer[0] = 0x81
  // a third speaks the text protocol, a third the binary one, and the others have said nothing
  const says = async (client: Client, index: number): Promise<void> => {
    if (index % 3 === 0) await client.says('version\r\n', /^VERSION .*\r\n$/)
    else if (index % 3 === 1) await client.says(noop, answer)
  }
  await Promise.all(clients.map(says))
  await until('all threads have as many', isEven)
  await Promise.all(clients.map(says))
  await Promise.all(clients.filter((_, index) => index % 3 === 2).map(async (client, index) => {
    if (index % 2 === 0) await client.says(noop, answer)
    else await client.says('GET /nothing HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n', /^HTTP\/1\.1 404 [^]*$/)
  }))
})

t.test('who has said who it is need not say so again, and who has not must', ONLY_LINUX, async t => {
  const authFile = join(t.testdir({ users: 'anna:secret\n' }), 'users')
  const { connect, isEven } = await startLate(t, { authFile, protocol: 'ascii' })
  const clients = await Promise.all(Array.from({ length: 12 }, connect))
  await Promise.all(clients.map(async (client, index) => {
    if (index % 2 === 0) await client.says('set auth 0 0 11\r\nanna secret\r\n', 'STORED\r\n')
  }))
  await until('all threads have as many', isEven)
  await Promise.all(clients.map(async (client, index) =>
    await client.says('get k\r\n', index % 2 === 0 ? 'END\r\n' : 'CLIENT_ERROR unauthenticated\r\n')))
})

t.test('clients of a Unix socket are handed over, too', ONLY_LINUX, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { connect, isEven } = await startLate(t, { socketPath: join(folder, 'socket'), port: 0, listen: [] })
  const clients = await Promise.all(Array.from({ length: 12 }, connect))
  await until('all threads have as many', isEven)
  for (const client of clients) await client.says('get k\r\n', 'END\r\n')
})

t.test('clients that are watched stay where they are', ONLY_LINUX, async t => {
  const { connect, pool, counts } = await startLate(t, { threads: 2 })
  const watcher = await connect()
  await watcher.says('watch connevents\r\n', 'OK\r\n')
  const clients = await Promise.all(Array.from({ length: 6 }, connect))
  await until('both threads serve, and none hands clients over', () => counts().length === 2 && pool.late.starting === undefined)
  t.same(counts(), [7, 0])
  for (const client of clients) await client.says('get k\r\n', 'END\r\n')
})

t.test('a datagram has them start', ONLY_LINUX, async t => {
  const { server, serving } = await startLate(t, { udpport: -1 })
  t.equal(serving(), 1)
  const socket = createSocket('udp4')
  t.teardown(() => socket.close())
  socket.send(frame('get k\r\n'), server.udpPort, HOST)
  const [answer] = await once(socket, 'message') as [Buffer]
  t.same(answer, frame('END\r\n'))
  await until('all threads serve', () => serving() === 4)
})

t.test('threads whose files have changed do not start, and the first one serves all clients', ONLY_LINUX, async t => {
  const { connect, serving, lines, pool } = await startLate(t, {}, first => ({ ...first, files: { areSame: false } as WorkerFiles }))
  const clients = await Promise.all(Array.from({ length: 6 }, connect))
  await until('it says so', () => lines.length > 0)
  t.same(lines, ['3 of 4 threads could not start, so one serves all clients: the files of memslab have changed since it started'])
  t.equal(pool.workers.length, 1)
  t.equal(serving(), 1)
  for (const client of clients) await client.says('get k\r\n', 'END\r\n')
})

t.test('as many threads start as there is memory for, and the others when there is', ONLY_LINUX, async t => {
  let balance: Balance | undefined
  const { connect, serving, lines, counts } = await startLate(t, {}, first => {
    balance = new Balance(first.balance, 1)
    return first
  })
  t.intercept(process, 'constrainedMemory', { value: () => process.memoryUsage.rss() + 40 * 1024 * 1024 })
  const clients = await Promise.all(Array.from({ length: 12 }, connect))
  await until('it says so', () => lines.length > 0)
  t.same(lines, ['2 of 4 threads could not start, so the others serve all clients: there is not enough memory'])
  t.equal(serving(), 2)
  t.intercept(process, 'constrainedMemory', { value: () => 0 })
  // the time after which it tries again
  balance!.awaitNeed()
  clients.push(await connect())
  // the first thread has handed clients over to these two alone
  await until('all threads have clients', () => counts().length === 4 && Math.min(...counts()) > 0)
  for (const client of clients) await client.says('get k\r\n', 'END\r\n')
  t.equal(lines.length, 1)
})

t.test('a server may be closed while its threads start', ONLY_LINUX, async t => {
  for (const turns of [0, 1, 5, 25, 100]) {
    const { connect, server, pool } = await startLate(t, { threads: 3 })
    const clients = await Promise.all([connect(), connect(), connect()])
    await until('they start', () => pool.workers.length > 1)
    for (let count = 0; count < turns; count++) await turn()
    await server.close()
    for (const client of clients) await client.expectClosed()
  }
})

t.test('with TLS all threads start at once', ONLY_LINUX, async t => {
  const { options } = writeCertificates(t)
  const { files, workers } = startFirstThreads(completeOptions({ threads: 2, port: -1, ...options }), false)
  t.equal(files, undefined)
  t.equal(workers.length, 2)
  await Promise.all(workers.map(({ worker }) => worker.terminate()))
})

t.test('a thread that the system refuses is missing, and the others serve all clients', ONLY_LINUX, async t => {
  const { child, output, ended, port } = await start(t, ['-t', '3', '-l', HOST, '-c', '50'])
  const first = await Client.connect({ host: HOST, port })
  await first.says('get k\r\n', 'END\r\n')
  const used = readdirSync(`/proc/${child.pid}/fd`)
  let free = 0
  while (used.includes(String(free))) free++
  // that is enough for clients, and not for a thread
  execFileSync('prlimit', ['--pid', String(child.pid), `--nofile=${free + 3}`])
  const second = await Client.connect({ host: HOST, port })
  await second.says('get k\r\n', 'END\r\n')
  await until('it says so', () => output.stderr.includes('could not start'))
  t.match(output.stderr, /^\d of 3 threads could not start, so .* all clients: Worker initialization failure: EMFILE\n$/)
  await first.says('get k\r\n', 'END\r\n')
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})
