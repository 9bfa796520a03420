// What a full server takes besides the memory of its items (-m) and its hash table, as src/process/README.md says.
import t from 'tap'
import { memoryMiB, readStats, skipOffLinux } from './abuse/endures.js'
import { isForeign, spawnServer } from './clients/server.js'
import type { Client } from './support/client.js'

const MEMORY_MIB = 64
const CLIENTS = 20
const SETS = 500
const MIB = 1024 * 1024

/** By the threads; the figures there, and a tenth more. Newer versions of Node.js take more for each thread. */
const MOST_MIB = process.version.startsWith('v20.') ? { 1: 80, 4: 158 } : { 1: 110, 4: 225 }

/** Small items from many clients, until many have been evicted. */
async function fill(clients: readonly Client[]): Promise<void> {
  let isFull = false
  await Promise.all(clients.map(async (client, number) => {
    for (let round = 0; !isFull; round++) {
      const sets = Array.from({ length: SETS },
        (_, index) => `set key:${number}:${round * SETS + index} 0 0 10\r\n0123456789\r\n`)
      await client.says(sets.join(''), 'STORED\r\n'.repeat(SETS))
      const stats = await readStats(client)
      if (Number(stats.get('evictions')) > Number(stats.get('curr_items')) / 2) isFull = true
    }
  }))
}

for (const threads of [1, 4] as const) {
  t.test(`a full server with -t ${threads}`, { skip: skipOffLinux || isForeign && 'it takes what it takes' }, async t => {
    const server = await spawnServer(t, ['-m', String(MEMORY_MIB), '-t', String(threads)])
    const clients = await Promise.all(Array.from({ length: CLIENTS }, async () => await server.client()))
    await fill(clients)
    const hashMiB = Number((await readStats(clients[0]!)).get('hash_bytes')) / MIB
    const besides = await memoryMiB(server.pid, 'VmRSS') - MEMORY_MIB - hashMiB
    t.ok(besides <= MOST_MIB[threads], `${besides.toFixed(1)} MiB of ${MOST_MIB[threads]}`)
    for (const client of clients) client.stream.destroy()
  })
}
