// Replays requests for keys as an application uses a cache: get, and on a miss set, before the next get. A second of the
// server's time has so many requests, and the steps of the background in it.
import { readFileSync } from 'node:fs'
import { brotliDecompressSync } from 'node:zlib'
import { Insight } from '../../src/insight/insight.js'
import { defaultOptions } from '../../src/options/options.js'
import { Mode, Request, Want } from '../../src/store/request.js'
import { Store } from '../../src/store/store.js'
import { ManualClock } from '../support/clock.js'
import { inProject } from '../support/places.js'

const MIB = 1024 * 1024
const KEY_BYTES = 16
const STEPS_PER_SECOND = 10
/** The processor time that a server takes for a request of its own packet. */
const CPU_MS = 0.015
/** A page that moves has a step every 5 ms. */
const MOVE_STEPS = 20

export interface Replay {
  readonly megabytes: number
  /** The bytes of the value of a key. */
  readonly valueBytes: (key: number) => number
  /** Default 20,000. */
  readonly requestsPerSecond?: number
}

export interface Replayed {
  readonly hitRatio: number
  /** The rows of `stats sizing`. */
  readonly sizing: Readonly<Record<string, number>>
}

export function replay(keys: Iterable<number>, { megabytes, valueBytes, requestsPerSecond = 20_000 }: Replay): Replayed {
  const clock = new ManualClock()
  const options = { ...defaultOptions(), maxbytes: megabytes * MIB }
  const store = new Store({ ...options, ioBytes: 0, shared: false, threads: 1 }, clock)
  const { sizing } = new Insight(new ArrayBuffer(Insight.bytesFor(options, 1)), options, store)
  const bytes = Buffer.alloc(64 * 1024)
  const request = new Request(bytes)
  request.keyEnd = KEY_BYTES
  request.mode = Mode.Set
  request.wants = Want.None
  const reader = { read: () => true }
  let [gets, hits] = [0, 0]
  for (const key of keys) {
    if (gets++ % (requestsPerSecond / STEPS_PER_SECOND) === 0) {
      clock.advance(1 / STEPS_PER_SECOND)
      store.balanceStep()
      for (let step = 0; step < MOVE_STEPS && store.moveStep(); step++);
      sizing.take(requestsPerSecond / STEPS_PER_SECOND * CPU_MS)
    }
    bytes.write(String(key).padStart(KEY_BYTES, '0'), 0, 'latin1')
    request.hash = store.context.hash.of(bytes, 0, KEY_BYTES)
    request.valueBytes = valueBytes(key)
    if (store.get(request, reader)) hits++
    else store.set(request, KEY_BYTES)
  }
  sizing.verify()
  return { hitRatio: hits / gets, sizing: Object.fromEntries(sizing.rows()) }
}

/** The requests of a trace, see traces/README.md. */
export function traceOf(name: string): Uint32Array {
  const bytes = brotliDecompressSync(readFileSync(inProject(`test/insight/traces/${name}.ids.br`)))
  return Uint32Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4))
}

/** What `stats sizing` says of a store is off by so many points from the hit ratios of stores of those sizes. */
export function errorsOf(keys: Iterable<number>, replayed: Replay, factors: readonly number[]): Map<number, number> {
  const { sizing } = replay(keys, replayed)
  return new Map(factors.map(factor => {
    const { hitRatio } = replay(keys, { ...replayed, megabytes: replayed.megabytes * factor })
    return [factor, (sizing[`${factor}:hit_ratio`]! - hitRatio) * 100]
  }))
}
