// What a Node server allocates: collections and pauses over a million pipelined requests, and whether the heap grows
// with the number of items. Measured in the real server's process, by probe.ts.

import { once } from 'node:events'
import { askStats } from './connection.js'
import { sendAll, sendCount } from './drive.js'
import { FreshFeed, makeFeeds, preload, sameSizes } from './feeds.js'
import type { ProbeReport } from './probe.js'
import { RunningServer, type ServerCommand } from './servers.js'
import type { SpeedWorkload } from './workloads.js'

export interface GarbageResult {
  readonly server: string
  readonly served: readonly Served[]
  readonly heap: readonly HeapSize[]
}

interface Served {
  readonly name: string
  readonly depth: number
  readonly requests: number
  readonly collections: number
  readonly pauseMs: number
}

interface HeapSize {
  readonly items: number
  readonly bytes: number
}

const KEYS = 10_000
const MEGABYTES = 512

const workloads = ([['get', 100], ['set', 100], ['get', 1]] as const).map(([command, depth]): SpeedWorkload => ({
  kind: 'speed', name: `${command} 100 B, depth ${depth}`, command, depth,
  connections: 50, keys: KEYS, valueBytes: 100, megabytes: MEGABYTES,
}))

// undefined if the server is not a Node process
export async function measureGarbage(command: ServerCommand, requests: number): Promise<GarbageResult | undefined> {
  const [node, ...rest] = command.argv
  if (node !== process.execPath && node !== 'node') return undefined
  const probe = new URL('./probe.js', import.meta.url).href
  const argv = [node, '--expose-gc', '--import', probe, ...rest]
  const server = await RunningServer.start({ name: command.name, argv }, { megabytes: MEGABYTES, ipc: true })
  try {
    const served: Served[] = []
    for (const workload of workloads) served.push(await serve(server, workload, requests))
    const heap: HeapSize[] = []
    for (const items of [KEYS, KEYS + requests]) heap.push(await heapWith(server, items))
    return { server: command.name, served, heap }
  } finally {
    await server.stop()
  }
}

async function serve(server: RunningServer, workload: SpeedWorkload, requests: number): Promise<Served> {
  await sendAll(server.port, preload(workload))
  const feedOf = makeFeeds(workload, 0)
  const feeds = Array.from({ length: workload.connections }, (_, index) => feedOf(index))
  await sendCount(server.port, feeds, requests / 5)    // until it is compiled
  await askProbe(server)
  await sendCount(server.port, feeds, requests)
  const { collections, pauseMs } = await askProbe(server)
  return { name: workload.name, depth: workload.depth, requests, collections, pauseMs }
}

async function heapWith(server: RunningServer, items: number): Promise<HeapSize> {
  const missing = items - (await askStats(server.port)).get('curr_items')!
  if (missing > 0) await sendCount(server.port, [new FreshFeed(items % 97, 0, sameSizes(100, 10))], missing)
  const { heapBytes } = await askProbe(server)
  return { items: (await askStats(server.port)).get('curr_items')!, bytes: heapBytes }
}

async function askProbe(server: RunningServer): Promise<ProbeReport> {
  server.child.send('report')
  const [report] = await once(server.child, 'message', { signal: AbortSignal.timeout(10_000) }) as [ProbeReport]
  return report
}
