// Watchers of a server with several threads: each sees what happens in all of them.
import { once } from 'node:events'
import { duplexPair } from 'node:stream'
import t from 'tap'
import { Client } from '../support/client.js'
import { until as untilEver } from '../support/patience.js'
import { startThreads, type ThreadedServer } from '../support/workers.js'

function statistic({ server }: ThreadedServer, name: string): number {
  return Number(new Map(server.host.report('')).get(name))
}

/** While it waits, time goes by for whom the first thread serves; the others have the machine's. */
async function until({ clock }: ThreadedServer, what: string, holds: () => boolean): Promise<void> {
  await untilEver(what, () => {
    clock.advance(0.05)
    return holds()
  })
}

const THREADS = 4
const CLIENTS = 12
const ROUNDS = 40

t.test('each watcher sees everything, once and in order, whichever thread serves it', async t => {
  const threaded = await startThreads(t, { threads: THREADS })
  const [here, there] = duplexPair()
  threaded.server.handle(there)
  const watchers = [new Client(here), ...await Promise.all(Array.from({ length: 8 }, threaded.connect))]
  for (const watcher of watchers) await watcher.says('watch mutations deletions\r\n', 'OK\r\n')
  const clients = await Promise.all(Array.from({ length: CLIENTS }, threaded.connect))
  await Promise.all(clients.map(async (client, index) => {
    for (let round = 0; round < ROUNDS; round++) {
      await client.says(`set c${index}-${round} 0 0 1\r\nx\r\ndelete c${index}-${round}\r\n`, 'STORED\r\nDELETED\r\n')
    }
  }))
  const count = CLIENTS * ROUNDS * 2
  const lines = (watcher: Client): string[] => watcher.waiting().toString().split('\n').slice(0, -1)
  await until(threaded, 'every watcher has every line', () => watchers.every(watcher => lines(watcher).length >= count))
  const expected = lines(watchers[0]!)
  t.equal(statistic(threaded, 'log_worker_dropped'), 0)
  t.equal(expected.length, count)
  t.same(expected.map(line => Number(/ gid=(\d+) /.exec(line)?.[1])), Array.from({ length: count }, (_, index) => index + 1))
  t.equal(new Set(expected.map(line => /key=(\S+)/.exec(line)?.[1])).size, CLIENTS * ROUNDS)
  for (const watcher of watchers) t.same(lines(watcher), expected)
  for (const watcher of watchers) watcher.stream.end()
  await until(threaded, 'they are gone', () => statistic(threaded, 'log_watchers') === 0)
  t.equal(threaded.server.store.log.kinds, 0)
})

t.test('a watcher sees connections of other threads come and go', async t => {
  const threaded = await startThreads(t, { threads: THREADS })
  const [here, there] = duplexPair()
  threaded.server.handle(there)
  const watcher = new Client(here)
  await watcher.says('watch connevents\r\n', 'OK\r\n')
  const clients = await Promise.all(Array.from({ length: CLIENTS }, threaded.connect))
  for (const client of clients) await client.says('version\r\n', /VERSION.*\r\n/)
  const gone = clients.map(async client => { await once(client.stream, 'close') })
  for (const client of clients) client.stream.end()
  await Promise.all(gone)
  const lines = (what: string): number => watcher.waiting().toString().split(what).length - 1
  await until(threaded, 'all are seen', () => lines('conn_close') >= CLIENTS)
  t.equal(lines('type=conn_new rip=127.0.0.1'), CLIENTS)
  t.equal(lines('type=conn_close rip=127.0.0.1'), CLIENTS)
  watcher.stream.end()
})
