// What the connections of all threads have in common: their limit, who waits for a place, and `stats conns`.
import { duplexPair } from 'node:stream'
import t from 'tap'
import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { startThreads, type ThreadedServer } from '../support/workers.js'

const TOO_MANY = 'ERROR Too many open connections\r\n'
const VERSION = /^VERSION .*\r\n$/

async function statistics(client: Client, what = ''): Promise<Map<string, string>> {
  const rows = (await client.says(`stats${what}\r\n`, /^(STAT .*\r\n)*END\r\n$/)).toString('latin1')
  return new Map([...rows.matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name = '', value = '']) => [name, value]))
}

/** Connects until there are so many, each of which is known to be served. */
async function connectMany({ connect }: ThreadedServer, count: number): Promise<Client[]> {
  const clients = await Promise.all(Array.from({ length: count }, connect))
  for (const client of clients) await client.says('version\r\n', VERSION)
  return clients
}

t.test('-c counts the connections of all threads, and streams that are handed in', async t => {
  const threaded = await startThreads(t, { threads: 3, maxconns: 5 })
  const clients = await connectMany(threaded, 5)
  const sixth = await threaded.connect()
  await sixth.expect(TOO_MANY)
  await sixth.expectClosed()
  const [here, there] = duplexPair()
  threaded.server.handle(there)
  const seventh = new Client(here)
  await seventh.expect(TOO_MANY)
  await until('it is closed', () => Promise.resolve(there.destroyed))
  await clients.pop()!.hangUp()
  const [first] = clients
  await until('the place is free', async () => (await statistics(first!)).get('curr_connections') === '4')
  t.equal((await statistics(first!)).get('rejected_connections'), '2')
  const [local, inside] = duplexPair()
  threaded.server.handle(inside)
  const last = new Client(local)
  await last.says('version\r\n', VERSION)
  t.match(await statistics(last), new Map([['curr_connections', '5'], ['max_connections', '5'], ['threads', '3']]))
  await (await threaded.connect()).expect(TOO_MANY)
})

t.test('who waits gets the place that another thread gives back', async t => {
  const threaded = await startThreads(t, { maxconns: 4, maxconnsFast: false })
  const clients = await connectMany(threaded, 4)
  const waiting = await Promise.all(Array.from({ length: 6 }, threaded.connect))
  for (const client of waiting) void client.send('version\r\n')
  const [first] = clients
  await until('somebody waits', async () => (await statistics(first!)).get('accepting_conns') === '0')
  // whoever is let in goes at once, so that all have their turn, in whichever threads they are
  for (const client of clients.slice(1)) await client.hangUp()
  await Promise.all(waiting.map(async client => {
    await client.expect(VERSION)
    await client.hangUp()
  }))
  // their threads hear of it in their own time
  await until('they are gone', async () => (await statistics(first!)).get('curr_connections') === '1')
  const after = await statistics(first!)
  t.equal(after.get('accepting_conns'), '1')
  t.equal(after.get('total_connections'), '10')
  t.ok(Number(after.get('listen_disabled_num')) > 0)
})

t.test('no more wait for a place than -b says, whatever the threads', async t => {
  for (const threads of [1, 2]) {
    const threaded = await startThreads(t, { threads, maxconns: 2, maxconnsFast: false, backlog: 3 })
    const clients = await connectMany(threaded, 2)
    const waiting: Client[] = []
    // one by one, as the kernel's queue is no longer
    for (let count = 0; count < 7; count++) waiting.push(await threaded.connect())
    const staying = (): Client[] => waiting.filter(({ stream }) => !stream.closed)
    await until('the others have been closed', () => staying().length === 3)
    for (const client of clients) await client.hangUp()
    // there are two places for three, of whom any two may be the first
    await Promise.all(staying().map(async client => {
      await client.says('version\r\n', VERSION)
      await client.hangUp()
    }))
  }
})

t.test('a server closes with somebody waiting', async t => {
  const threaded = await startThreads(t, { maxconns: 2, maxconnsFast: false })
  const [first] = await connectMany(threaded, 2)
  const waiting = await threaded.connect()
  await until('it waits', async () => (await statistics(first!)).get('accepting_conns') === '0')
  await threaded.server.close()
  await waiting.expectClosed()
  t.equal(new Map(threaded.server.host.report('')).get('accepting_conns'), 1, 'nobody waits any more')
})

t.test('stats conns shows those of all threads, from any', async t => {
  const threaded = await startThreads(t, { udpport: -1 })
  const clients = await connectMany(threaded, 12)
  void clients[3]!.send('set half 0 0 10\r\nabc')
  await threaded.settle()
  const addresses = clients.map(({ stream }) => 'localPort' in stream ? `tcp:127.0.0.1:${String(stream.localPort)}` : '').sort()
  for (const [index, client] of clients.entries()) {
    if (index === 3) continue
    const conns = await statistics(client, ' conns')
    const shown = [...conns].filter(([name, value]) => name.endsWith(':addr') && !value.endsWith(`:${threaded.server.port}`))
      .map(([, value]) => value).filter(value => value.startsWith('tcp:')).sort()
    t.same(shown, addresses)
    const states = [...conns].filter(([name]) => name.endsWith(':state')).map(([, state]) => state).sort()
    const expected = ['conn_listening', 'conn_nread', 'conn_parse_cmd', ...new Array<string>(11).fill('conn_read')].sort()
    t.same(states, expected)
    t.equal((await statistics(client)).get('curr_connections'), '13')
  }
  await clients[3]!.says('defghij\r\n', 'STORED\r\n')
  const rows = [...threaded.server.host.reportConnections()].flatMap(rows => [...rows])
    .filter(([name]) => name.endsWith(':state'))
  t.equal(rows.length, 13, 'the listener and the clients')
})

t.test('verbosity set on one connection holds for all threads', async t => {
  const threaded = await startThreads(t)
  const [first, ...others] = await connectMany(threaded, 8)
  await first!.says('verbosity 2\r\n', 'OK\r\n')
  for (const client of others) await client.says('get nothing\r\n', 'END\r\n')
  const told = (): number => threaded.lines.filter(line => /^<\d+ get nothing$/.test(line)).length
  await until('all have told', async () => {
    await threaded.settle()
    return told() === 7
  })
  t.equal((await statistics(others[0]!, ' settings')).get('verbosity'), '2')
})
