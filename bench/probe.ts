// Loaded into a Node server with `--import`: counts the collections of its garbage collector with `performance` entries
// and tells them to the benchmark when asked over the process's channel. `gc()` is there by `--expose-gc`.

import { PerformanceObserver } from 'node:perf_hooks'

export interface ProbeReport {
  readonly collections: number
  readonly pauseMs: number
  readonly heapBytes: number    // what lives on the heap, after a full collection, which is not counted above
}

let collections = 0
let pauseMs = 0
const observer = new PerformanceObserver(list => count(list.getEntries()))
observer.observe({ entryTypes: ['gc'] })

process.on('message', () => {
  // Entries are delivered on a later turn, those of the collection below after the report.
  setImmediate(() => {
    count(observer.takeRecords())
    const before = { collections, pauseMs }
    globalThis.gc?.()
    process.send?.({ ...before, heapBytes: process.memoryUsage().heapUsed } satisfies ProbeReport)
    setImmediate(() => {
      observer.takeRecords()
      collections = 0
      pauseMs = 0
    })
  })
})
process.channel?.unref()

function count(entries: readonly { readonly duration: number }[]): void {
  collections += entries.length
  pauseMs += entries.reduce((sum, entry) => sum + entry.duration, 0)
}
