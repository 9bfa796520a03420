// UDP with several threads: whichever hears a datagram answers it.
import t from 'tap'
import { DatagramClient } from '../support/datagram.js'
import { startThreads } from '../support/workers.js'

t.test('every client gets its answers', async t => {
  const { server } = await startThreads(t, { udpport: -1, threads: 3 })
  const clients = await Promise.all(Array.from({ length: 20 }, () => DatagramClient.open(server.udpPort)))
  for (let round = 0; round < 5; round++) {
    await Promise.all(clients.map(client => client.says('get nothing\r\n', 'END\r\n')))
  }
  const rows = new Map(server.host.report(''))
  t.equal(rows.get('curr_connections'), 1)
  t.equal(rows.get('total_connections'), 1)
  await clients[0]!.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
  for (const client of clients) await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
  for (const client of clients) await client.hangUp()
})

t.test('a UDP port in use is told as with one thread', async t => {
  const { server } = await startThreads(t, { udpport: -1 })
  await t.rejects(startThreads(t, { udpport: server.udpPort }),
    { code: 'EADDRINUSE', message: /UDP port \d+ of 127\.0\.0\.1: Address already in use/ })
})
