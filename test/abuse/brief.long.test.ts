// Clients that connect, ask once and leave, by the ten thousand: a thread keeps next to nothing of them.

import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { spawnServer, type SpawnedServer } from '../clients/server.js'
import { endures, skipOffLinux } from './endures.js'

/** The clients that make V8 compile what serves them, for which its compiler takes memory that it keeps. */
const FIRST_CLIENTS = 10_000
const CLIENTS = 57_000
const AT_ONCE = 50
const THREADS = 2
const THREAD_MIB = 5

const skip = skipOffLinux || process.env['MEMSLAB_STREAMS'] === '1' && 'Node keeps more of a stream'

t.test(`${CLIENTS} clients, one after the other and then ${AT_ONCE} at a time`, { skip }, async t => {
  const server = await spawnServer(t, ['-t', String(THREADS)])
  await askMany(server, FIRST_CLIENTS)
  await endures(t, server, { growthMiB: THREADS * THREAD_MIB }, async () => {
    for (let client = 0; client < CLIENTS / 3; client++) await ask(server)
    await askMany(server, CLIENTS * 2 / 3)
  })
})

async function askMany(server: SpawnedServer, count: number): Promise<void> {
  for (let client = 0; client < count; client += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, () => ask(server)))
}

async function ask({ port }: SpawnedServer): Promise<void> {
  const socket = connect(port, '127.0.0.1')
  socket.write('get k\r\n')
  const [answer] = await once(socket, 'data') as [Buffer]
  if (answer.toString() !== 'END\r\n') throw new Error(`wrong answer: ${answer.toString()}`)
  socket.destroy()
}
