// Many TestServers: side by side, and one after the other, which leave nothing behind.
import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { TestServer } from '../../dist/testing/index.js'
import { Client } from '../support/client.js'

const MIB = 1024 * 1024

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

t.test('50 servers side by side, each with its own items', async t => {
  const caches = await Promise.all(Array.from({ length: 50 }, () => TestServer.create({ memory: '16m' })))
  t.teardown(() => Promise.all(caches.map(cache => cache.stop())))
  t.equal(new Set(caches.map(({ port }) => port)).size, 50)
  for (const [n, cache] of caches.entries()) cache.set('k', `${n}`)
  for (const [n, cache] of caches.entries()) {
    const client = await Client.connect({ port: cache.port, host: cache.host })
    const text = `${n}`
    await client.says('get k\r\n', `VALUE k 0 ${text.length}\r\n${text}\r\nEND\r\n`)
    await client.hangUp()
  }
})

t.test('servers that were stopped leave nothing behind', async t => {
  const cycle = async (count: number): Promise<void> => {
    for (let times = 0; times < count; times++) {
      const cache = await TestServer.create({ idleTimeout: 60 })
      const client = await Client.connect({ port: cache.port, host: cache.host })
      await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
      await cache.stop()
      await client.expectClosed()
    }
  }
  const left = async (): Promise<{ heap: number, files: number, resources: string[] }> => {
    for (let turns = 0; turns < 5; turns++) {
      await new Promise(resolve => setImmediate(resolve))
      collectGarbage()
    }
    const files = process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0
    const resources = process.getActiveResourcesInfo().filter(name => !/Timeout|Immediate/.test(name)).sort()
    return { heap: process.memoryUsage().heapUsed, files, resources }
  }
  await cycle(20)
  const before = await left()
  await cycle(100)
  const { heap, files, resources } = await left()
  t.equal(files, before.files)
  t.same(resources, before.resources)
  t.ok(heap - before.heap < MIB, `the heap has grown by ${(heap - before.heap) / MIB} MiB`)
})
