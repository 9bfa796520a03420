// A thread of locks.ts: sessions over a store that is shared or not, as `workerData` says. Its time is CPU time, so that
// other programs disturb less: that of the process, whose other threads wait meanwhile.

import { parentPort, workerData } from 'node:worker_threads'
import { BareHost, sessionLayers } from './bare.js'
import type { LockOrder, LockReport } from './locks.js'

const host = new BareHost(workerData as boolean)
const layers = sessionLayers(host)

parentPort!.on('message', ({ layer, times }: LockOrder) => {
  const before = process.cpuUsage()
  layers[layer]!.work(times)
  const { user, system } = process.cpuUsage(before)
  const ns = (user + system) * 1000 / times
  if (times === 0) host.store.verify()
  parentPort!.postMessage({ names: layers.map(({ name }) => name), ns } satisfies LockReport)
})
