// TestCluster: several nodes with one clock, which are killed, frozen and restarted one by one, and which clients discover.
import { once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { faults, TestCluster, TestServer, type Call, type MemslabError, type TestClusterOptions } from '../../dist/testing/index.js'
import { Client } from '../support/client.js'

async function create(t: Test, options: TestClusterOptions = {}): Promise<TestCluster> {
  const cluster = await TestCluster.create(options)
  t.teardown(() => cluster.stop())
  return cluster
}

function clientOf({ port, host }: TestServer): Promise<Client> { return Client.connect({ port, host }) }

/** The answer to `config get cluster` with these nodes. */
function listOf(version: number, nodes: readonly TestServer[]): string {
  const list = `${version}\n${nodes.map(({ host, port }) => `${host}|${host}|${port}`).join(' ')}\n`
  return `CONFIG cluster 0 ${list.length}\r\n${list}\r\nEND\r\n`
}

for (const threads of [1, 2]) {
  t.test(`three nodes share nothing but their clock, in ${threads} threads each`, async t => {
    const cluster = await create(t, { threads })
    const { nodes, clock } = cluster
    clock.freeze()
    t.equal(nodes.length, 3)
    t.same(cluster.addresses, nodes.map(({ port }) => `127.0.0.1:${port}`))
    t.same(cluster.urls, nodes.map(({ url }) => url))
    t.equal(new Set(cluster.addresses).size, 3)
    const clients = await Promise.all(nodes.map(clientOf))
    for (const [n, client] of clients.entries()) await client.says(`set k 0 60 1\r\n${n}\r\n`, 'STORED\r\n')
    for (const [n, node] of nodes.entries()) t.equal(node.get('k'), `${n}`)
    clock.tick('59s')
    for (const [n, client] of clients.entries()) await client.says('get k\r\n', `VALUE k 0 1\r\n${n}\r\nEND\r\n`)
    nodes[1]!.clock.tick('1s')
    for (const client of clients) await client.says('get k\r\n', 'END\r\n')
  })

  t.test(`a node is killed and restarted, in ${threads} threads`, async t => {
    const cluster = await create(t, { threads })
    const { nodes } = cluster
    const [first, second] = await Promise.all(nodes.map(clientOf))
    for (const node of nodes) node.set('k', 'v')
    const { addresses } = cluster
    await cluster.kill(1)
    await second!.expectClosed()
    await t.rejects(clientOf(nodes[1]!), { code: 'ECONNREFUSED' })
    t.same(cluster.addresses, addresses)
    await first!.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
    await first!.says('config get cluster\r\n', listOf(1, nodes))
    cluster.flush()
    await first!.says('get k\r\n', 'END\r\n')
    await cluster.restart(nodes[1]!)
    const client = await clientOf(nodes[1]!)
    await client.says('get k\r\nconfig get cluster\r\n', `END\r\n${listOf(1, nodes)}`)
  })

  t.test(`a frozen node holds its connections, answers nothing, and answers all when it goes on, in ${threads} threads`, async t => {
    const cluster = await create(t, { threads })
    const node = cluster.nodes[2]!
    const before = await clientOf(node)
    await before.says('mn\r\n', 'MN\r\n')
    cluster.freeze(2)
    t.equal(node.isFrozen, true)
    const during = await clientOf(node)
    void before.send('set k 0 0 1\r\nv\r\n')
    void during.send('version\r\n')
    await (await clientOf(cluster.nodes[0]!)).says('mn\r\n', 'MN\r\n')
    // a client that is not frozen has been answered by the same thread in the meantime
    await cluster.resetFaults()
    await settle()
    t.equal(node.get('k'), undefined)
    t.same(node.pendingFaults(), [])
    cluster.resume(node)
    t.equal(node.isFrozen, false)
    await before.expect('STORED\r\n')
    await during.expect(/VERSION .*\r\n/)
    cluster.freeze(2)
    await cluster.restart(2, { keepItems: true })
    t.equal(node.isFrozen, false)
    await before.expectClosed()
    await (await clientOf(node)).says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  })
}

t.test('clients discover nodes that come and go, by a version that grows', async t => {
  const cluster = await create(t, { nodes: 2 })
  const client = await clientOf(cluster.nodes[0]!)
  await client.says('config get cluster\r\n', listOf(1, cluster.nodes))
  t.equal(cluster.version, 1)
  const added = await cluster.add()
  t.equal(cluster.nodes.length, 3)
  for (const node of cluster.nodes) await (await clientOf(node)).says('config get cluster\r\n', listOf(2, cluster.nodes))
  const gone = cluster.nodes[1]!
  await cluster.remove(gone)
  t.same(cluster.nodes.includes(gone), false)
  t.equal(gone.isRunning, false)
  await client.says('config get cluster\r\n', listOf(3, cluster.nodes))
  added.clock.freeze()
  added.clock.tick('1d')
  t.equal(cluster.clock.now(), added.clock.now())
  await cluster.restart(0)
  t.equal(cluster.version, 3)
})

t.test('faults and calls of all nodes', async t => {
  const cluster = await create(t)
  cluster.use(faults.reply('SERVER_ERROR down'), { verb: 'get', times: 1 })
  t.equal(cluster.pendingFaults().length, 3)
  for (const [n, node] of cluster.nodes.entries()) {
    await (await clientOf(node)).says(`get k${n}\r\nget k${n}\r\n`, 'SERVER_ERROR down\r\nEND\r\n')
  }
  t.same(cluster.pendingFaults(), [])
  t.same(cluster.calls().map(({ key }) => key), ['k0', 'k0', 'k1', 'k1', 'k2', 'k2'])
  t.match(await cluster.waitForCall({ key: 'k2' }), { verb: 'get' })
  const fourth = cluster.waitForCall({ key: 'k2' }, { count: 4 })
  for (const node of cluster.nodes) await (await clientOf(node)).says('get k2\r\n', 'END\r\n')
  t.match(await fourth, { key: 'k2', number: 3 })
  cluster.clearCalls()
  t.same(cluster.calls(), [])
  await t.rejects(cluster.waitForCall({ key: 'x' }, { timeout: 1 }), { code: 'ETIMEDOUT' })
})

t.test('a listener hears of the calls of all nodes, also of those that come later', async t => {
  const cluster = await create(t, { nodes: 2 })
  const heard: (string | undefined)[] = []
  const listener = ({ key }: Call): void => { heard.push(key) }
  t.equal(cluster.on('call', listener), cluster)
  const [first, second] = await Promise.all(cluster.nodes.map(clientOf))
  await first!.says('get a\r\n', 'END\r\n')
  await second!.says('get b\r\n', 'END\r\n')
  const third = await clientOf(await cluster.add())
  await third.says('get c\r\n', 'END\r\n')
  cluster.off('call', listener)
  for (const client of [first!, second!, third]) await client.says('get d\r\n', 'END\r\n')
  t.same(heard, ['a', 'b', 'c'])
  t.throws(() => cluster.on('calls' as 'call', listener), { code: 'EUSAGE' })
})

t.test('a port of the options is that of the first node, and the others follow', async t => {
  const { port } = (await create(t, { nodes: 1 })).nodes[0]!
  const error = await TestCluster.create({ port, nodes: 2 }).catch((error: unknown) => error as MemslabError)
  t.match(error, { code: 'EADDRINUSE' })
  t.same(new TestCluster({ port: 20_000, udpport: 30_000 }).nodes.map(({ options }) => [options.port, options.udpport]),
    [[20_000, 30_000], [20_001, 30_001], [20_002, 30_002]])
})

t.test('a node that is added gets a port that no other node has had', async t => {
  const port = await freePorts(4)
  const cluster = await create(t, { port, nodes: 2 })
  await cluster.remove(0)
  await Promise.all([cluster.add(), cluster.add()])
  t.same(new Set(cluster.addresses), new Set([1, 2, 3].map(index => `127.0.0.1:${port + index}`)))
})

/** The first of so many ports in a row that are free. */
async function freePorts(count: number): Promise<number> {
  for (let first = 21_000; ; first += count) {
    const servers = Array.from({ length: count }, (_, index) => createServer().listen(first + index, '127.0.0.1'))
    const opened = await Promise.allSettled(servers.map(server => once(server, 'listening')))
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
    if (opened.every(({ status }) => status === 'fulfilled')) return first
  }
}

t.test('wrong options are one error', async t => {
  const problemsOf = (options: object): readonly string[] =>
    (t.throws(() => new TestCluster(options), { code: 'EUSAGE' }) as unknown as MemslabError).problems
  t.same(problemsOf({ nodes: 0, thread: 1, socketPath: true }), [
    'nodes: must be a whole number from 1 to 100', 'socketPath: nodes listen on TCP, as clients discover them by their ports',
    'unknown option "thread"; is it threads?',
  ])
  t.same(problemsOf({ nodes: 3, port: 65534 }), ['port: the last node would be beyond 65535'])
  const cluster = await create(t)
  t.throws(() => cluster.freeze(3), { code: 'EUSAGE', message: 'there is no node 3, only 0 to 2' })
  t.throws(() => cluster.freeze(new TestServer()), { code: 'EUSAGE' })
  await cluster.kill(0)
  t.throws(() => cluster.freeze(0), { code: 'ESTOPPED' })
})

async function settle(): Promise<void> {
  for (let turns = 0; turns < 50; turns++) await new Promise(resolve => setImmediate(resolve))
}
