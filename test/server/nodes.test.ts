// The list of a cluster's nodes: its version, who shows it, and that all threads of a server have the same.
import { join } from 'node:path'
import t from 'tap'
import { ServerCore } from '../../dist/server/core.js'
import { nodeOf, Nodes } from '../../dist/server/nodes.js'
import { Counter } from '../../src/stats/counters.js'
import { Client } from '../support/client.js'
import type { Ends } from '../support/real.js'
import { startSessions } from '../support/session.js'
import { startThreads } from '../support/workers.js'

async function startNode(t: Ends, listen = '127.0.0.1', threads = 1): Promise<ServerCore> {
  const server = new ServerCore({ port: -1, listen: [listen], threads, maxbytes: 2 ** 20, discovery: true })
  t.teardown(() => server.close())
  await server.listen()
  return server
}

async function discover({ port }: ServerCore): Promise<string> {
  const client = await Client.connect({ port, host: '127.0.0.1' })
  const answer = String(await client.says('config get cluster\r\n', /[^]*END\r\n/))
  client.stream.destroy()
  return answer
}

function configOf(text: string): string { return `CONFIG cluster 0 ${text.length}\r\n${text}\r\nEND\r\n` }

t.test('the version grows when a node comes or goes, and all nodes of the list show it', async t => {
  const [a, b, c] = [await startNode(t), await startNode(t), await startNode(t)] as const
  const [nameA, nameB, nameC] = [a, b, c].map(({ port }) => `127.0.0.1|127.0.0.1|${port}`)
  const nodes = new Nodes()
  t.equal(await discover(a), 'END\r\n', 'no list yet')
  nodes.change([a, b])
  for (const node of [a, b]) t.equal(await discover(node), configOf(`1\n${nameA} ${nameB}\n`))
  t.equal(await discover(c), 'END\r\n')
  nodes.change([a, b])
  t.equal(await discover(a), configOf(`1\n${nameA} ${nameB}\n`), 'the same list has the same version')
  nodes.change([a, b, c])
  for (const node of [a, b, c]) t.equal(await discover(node), configOf(`2\n${nameA} ${nameB} ${nameC}\n`))
  t.match(nodes.list[2], { host: '127.0.0.1', ip: '127.0.0.1', port: c.port })
  nodes.change([c, a])
  for (const node of [c, a]) t.equal(await discover(node), configOf(`3\n${nameC} ${nameA}\n`))
  await c.close()
  nodes.change([c, a])
  t.equal(await discover(a), configOf(`3\n${nameC} ${nameA}\n`), 'one that was closed keeps its place')
  nodes.change([a])
  t.equal(await discover(a), configOf(`4\n${nameA}\n`))
  t.equal(nodes.version, 4)
})

t.test('a node that listens on every address is listed with one that clients can connect to', async t => {
  const node = await startNode(t, '0.0.0.0')
  const { host, ip, port } = nodeOf(node)
  t.equal(port, node.port)
  t.equal(host, ip)
  t.match(ip, /^\d+\.\d+\.\d+\.\d+$/)
  t.not(ip, '0.0.0.0')
  const client = await Client.connect({ host, port })
  await client.says('get nothing\r\n', 'END\r\n')
  client.stream.destroy()
})

t.test('all threads have a list in the same instant, whichever was told of it', async t => {
  const { connect, server } = await startThreads(t, { threads: 4, discovery: true })
  const clients = await Promise.all(Array.from({ length: 16 }, () => connect()))
  for (const [n, client] of clients.entries()) {
    const list = `${n}\n${'h||1 '.repeat(n * 100)}\n`
    await client.says(`config set cluster ${n} ${list.length}\r\n${list}\r\n`, 'STORED\r\n')
    for (const other of clients) {
      await other.says('config get cluster\r\n', `CONFIG cluster ${n} ${list.length}\r\n${list}\r\nEND\r\n`)
    }
  }
  const nodes = new Nodes()
  nodes.change([server])
  for (const client of clients) await client.says('config get cluster\r\n', configOf(`1\n127.0.0.1|127.0.0.1|${server.port}\n`))
  await clients[3]!.says('config delete cluster\r\n', 'DELETED\r\n')
  for (const client of clients) await client.says('get AmazonElastiCache:cluster\r\n', 'END\r\n')
})

t.test('a client that has to authenticate discovers nothing before', async t => {
  const authFile = join(t.testdir({ users: 'anna:secret\n' }), 'users')
  const { connect } = await startSessions(t, { discovery: true, authFile })
  const session = await connect()
  const says = async (text: string): Promise<string> => {
    await session.send(Buffer.from(text))
    return String(await session.answer())
  }
  t.equal(await says('config get cluster\r\n'), 'CLIENT_ERROR unauthenticated\r\n')
  t.equal(await says('set auth 0 0 11\r\nanna secret\r\n'), 'STORED\r\n')
  t.equal(await says('config get cluster\r\n'), 'END\r\n')
  await session.hangUp()
})

t.test('lists that do not come to their end take no more memory than unfinished requests may', async t => {
  const { connect, server } = await startSessions(t, { discovery: true, requestMemLimit: 2 ** 20 })
  const clients = await Promise.all(Array.from({ length: 80 }, () => connect()))
  for (const client of clients) await client.send(Buffer.from(`config set cluster 0 32768\r\n${'n'.repeat(30_000)}`))
  const closed = await Promise.all(clients.map(client => client.closed()))
  t.ok(closed.indexOf(false) > 40, 'the oldest are given up')
  t.equal(String(await clients[0]!.answer()), 'SERVER_ERROR out of memory reading request\r\n')
  const last = clients.at(-1)!
  await last.send(Buffer.from(`${'n'.repeat(2768)}\r\n`))
  t.equal(String(await last.answer()), 'STORED\r\n')
  for (const client of clients) await client.hangUp()
  const { counters } = server.store
  t.same([counters.current(Counter.RequestsKept), counters.current(Counter.RequestBytesKept)], [0, 0], 'nothing stays')
})
