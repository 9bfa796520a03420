// Clients that go away in the middle of something. Whatever was half-made for them has to be undone: a reserved item
// that is neither stored nor freed would be lost for good.

import type { Socket } from 'node:net'
import t from 'tap'
import type { Client } from '../support/client.js'
import { spawnServer, type SpawnedServer } from '../clients/server.js'
import { until } from '../support/patience.js'
import { ENGINE_MIB, endures, readStat, readStats, skipOffLinux } from './endures.js'
import { openSockets, reset, write } from './sockets.js'

const VALUE_BYTES = [10, 100, 1000, 10_000, 100_000, 500_000, 1_000_000]
const DEATHS = 1000

t.test('a thousand clients send half a value and die', { skip: skipOffLinux }, async t => {
  const server = await spawnServer(t, ['-m', '64', '-M'])
  // With every death of 1 MB leaked, -m 64 would be full after 64 of them; the pages that the classes take while
  // twenty deaths are under way at a time are the cache's own memory, all of which may come to be used.
  await endures(t, server, { growthMiB: ENGINE_MIB + 64 }, () => dieHalfway(server))
  const client = await server.client()
  t.equal(await usedChunks(client), 0, 'no chunk of any class is in use')
  t.equal(await readStat(client, 'curr_items'), 0, 'no item is there')
  for (const bytes of VALUE_BYTES) {
    await client.says(setCommand(`key-${bytes}`, bytes) + 'v'.repeat(bytes) + '\r\n', 'STORED\r\n')
    t.pass(`a value of ${bytes} bytes can be stored`)
  }
  t.equal(await readStat(client, 'curr_items'), VALUE_BYTES.length, 'and they are counted')
  await client.hangUp()
})

t.test('as much fits into the memory after a thousand deaths as before', { skip: skipOffLinux }, async t => {
  const fresh = await spawnServer(t, ['-m', '16', '-M'])
  const abused = await spawnServer(t, ['-m', '16', '-M'])
  await dieHalfway(abused, [400_000])
  t.equal(await fillUp(abused, 400_000), await fillUp(fresh, 400_000), 'values of 400,000 bytes')
})

t.test('clients that reset the connection in the middle of an answer', { skip: skipOffLinux }, async t => {
  const server = await spawnServer(t)
  const client = await server.client()
  await client.says(setCommand('big', 1_000_000) + 'v'.repeat(1_000_000) + '\r\n', 'STORED\r\n')
  // Ten at a time, each with a buffer of replies.
  await endures(t, server, { growthMiB: ENGINE_MIB + 2 }, async () => {
    for (let round = 0; round < 20; round++) {
      const sockets = await openSockets(server, 10)
      await Promise.all(sockets.map(async socket => {
        socket.write('get big\r\n'.repeat(20))
        await someBytes(socket)
        reset(socket)
      }))
    }
  })
  await client.says('get big\r\n', /^VALUE big 0 1000000\r\nv{1000000}\r\nEND\r\n$/)
  t.pass('the value is still there')
  await client.hangUp()
})

function setCommand(key: string, bytes: number): string {
  return `set ${key} 0 0 ${bytes}\r\n`
}

/** Twenty clients at a time send the first half of a value; every other one resets, the rest end in good order. */
async function dieHalfway(server: SpawnedServer, sizes: readonly number[] = VALUE_BYTES): Promise<void> {
  const observer = await server.client()
  for (let deaths = 0; deaths < DEATHS; deaths += 20) {
    const halves = Array.from({ length: 20 }, (_, index) => half(`half-${index}`, sizes[(deaths + index) % sizes.length] ?? 1))
    const bytesRead = await readStat(observer, 'bytes_read')
    const sockets = await openSockets(server, halves.length)
    await Promise.all(sockets.map((socket, index) => write(socket, halves[index] ?? '')))
    await until('the halves are read', async () => await readStat(observer, 'bytes_read') >= bytesRead + halves.join('').length)
    for (const [index, socket] of sockets.entries()) {
      if (index % 2 === 0) reset(socket)
      else socket.destroy()
    }
  }
  await observer.hangUp()
}

function half(key: string, bytes: number): string {
  return setCommand(key, bytes) + 'h'.repeat(bytes >> 1)
}

/** How many values of a size can be stored before the memory is full. */
async function fillUp(server: SpawnedServer, bytes: number): Promise<number> {
  const client = await server.client()
  const value = 'v'.repeat(bytes) + '\r\n'
  let stored = 0
  while (await isStored(client, setCommand(`key-${stored}`, bytes) + value)) stored++
  await client.hangUp()
  return stored
}

async function isStored(client: Client, command: string): Promise<boolean> {
  const answer = await client.says(command, /^(STORED|SERVER_ERROR out of memory storing object)\r\n$/)
  return answer.toString('latin1') === 'STORED\r\n'
}

async function usedChunks(client: Client): Promise<number> {
  const stats = await readStats(client, 'slabs')
  return [...stats].filter(([name]) => name.endsWith(':used_chunks')).reduce((sum, [, value]) => sum + Number(value), 0)
}

function someBytes(socket: Socket): Promise<void> {
  return new Promise(resolve => socket.once('readable', resolve))
}
