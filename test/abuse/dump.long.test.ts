// Dumps of many items: whole, while other clients go on working, from one thread and from many; by clients that stop
// reading, and by clients that are gone before the end. What waits for one of them is one part of its list.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import t, { type Test } from 'tap'
import { spawnServer, type SpawnedServer } from '../clients/server.js'
import { until } from '../support/patience.js'
import { ENGINE_MIB, endures, readStat, skipOffLinux } from './endures.js'
import { openSocket, reset } from './sockets.js'

const ITEMS = 200_000
/** A part of the list, and the stream around it. */
const WAITING_MIB = 0.25

const DUMPS = [
  { command: 'lru_crawler metadump all', line: /^key=(\S+) exp=-1 la=\d{10} cas=\d+ fetch=no cls=\d+ size=\d+ flags=0 $/,
    end: 'END\r\n' },
  { command: 'lru_crawler mgdump hash', line: /^mg (\S+)\r$/, end: 'EN\r\n' },
] as const

async function fill(server: SpawnedServer): Promise<void> {
  const client = await server.client()
  const lines = Array.from({ length: ITEMS }, (_, index) => `set item-${index} 0 0 1 noreply\r\nv\r\n`)
  await client.says(lines.join('') + 'mn\r\n', 'MN\r\n')
  await client.hangUp()
}

/** The keys that a dump lists, each as often as it does. */
async function dumpedKeys(server: SpawnedServer, { command, line, end }: typeof DUMPS[number]): Promise<string[]> {
  const socket = await openSocket(server)
  socket.write(`${command}\r\n`)
  let text = ''
  socket.on('data', (chunk: Buffer) => { text += chunk.toString('latin1') })
  await until('the dump ends', () => text.endsWith(`\n${end}`))
  socket.destroy()
  const lines = text.slice('OK\r\n'.length, -end.length - 1).split('\n')
  return lines.map(text => line.exec(text)?.[1] ?? `not a line: ${text}`)
}

/** Asks for a dump and reads no more than its first bytes. */
async function begin(server: SpawnedServer): Promise<Socket> {
  const socket = await openSocket(server)
  socket.write('lru_crawler metadump all\r\n')
  await once(socket, 'data')
  socket.pause()
  return socket
}

async function start(t: Test, threads: number): Promise<SpawnedServer> {
  const server = await spawnServer(t, ['-t', String(threads)])
  await fill(server)
  return server
}

for (const threads of [1, 4]) {
  t.test(`every item is listed once while another client works, -t ${threads}`, { skip: skipOffLinux }, async t => {
    const server = await start(t, threads)
    for (const dump of DUMPS) {
      let keys: string[] = []
      await endures(t, server, { growthMiB: ENGINE_MIB }, async () => { keys = await dumpedKeys(server, dump) })
      const items = keys.filter(key => key.startsWith('item-'))
      t.equal(items.length, ITEMS, dump.command)
      t.equal(new Set(items).size, ITEMS, 'each once')
      t.ok(keys.length - items.length <= 1, 'and nothing else, but perhaps what the other client stores')
    }
  })

  t.test(`a client that stops reading its dump keeps others from one, and nothing else, -t ${threads}`, { skip: skipOffLinux },
    async t => {
    const server = await start(t, threads)
    await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
      const socket = await begin(server)
      const other = await server.client()
      await other.says('lru_crawler metadump all\r\n', 'BUSY currently processing crawler request\r\n')
      await other.says('lru_crawler crawl all\r\n', 'BUSY currently processing crawler request\r\n')
      t.equal(await readStat(other, 'lru_crawler_running'), 1)
      reset(socket)
      await until('the crawler is free', async () => await readStat(other, 'lru_crawler_running') === 0)
      await other.hangUp()
    })
    t.equal((await dumpedKeys(server, DUMPS[0])).filter(key => key.startsWith('item-')).length, ITEMS, 'the next gets all of it')
  })

  t.test(`clients that are gone before the end of their list leave nothing behind, -t ${threads}`, { skip: skipOffLinux },
    async t => {
    const server = await start(t, threads)
    await endures(t, server, { growthMiB: ENGINE_MIB + WAITING_MIB }, async () => {
      for (let count = 0; count < 20; count++) {
        const socket = await openSocket(server)
        socket.write(count % 2 === 0 ? 'lru_crawler metadump all\r\n' : 'stats cachedump 1 0\r\n')
        await once(socket, 'data')
        if (count % 4 < 2) reset(socket)
        else socket.destroy()
      }
      const client = await server.client()
      await until('the crawler is free', async () => await readStat(client, 'lru_crawler_running') === 0)
      await client.hangUp()
    })
    t.equal((await dumpedKeys(server, DUMPS[1])).filter(key => key.startsWith('item-')).length, ITEMS)
  })
}
