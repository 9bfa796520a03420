// The parts under the server one by one, in this process: bytes, hash, store, session. The difference between two
// layers says where a loss lies. They are those of dist/, the build that is measured over sockets too.
//
// Each row does its work `times` times and returns a checksum, so that nothing is optimised away.

import { PerformanceObserver } from 'node:perf_hooks'
import { Memory } from '../dist/memory/bytes.js'
import { Departure } from '../dist/store/departures.js'
import { Request } from '../dist/store/request.js'
import { Outcome } from '../dist/store/outcome.js'
import type { Store } from '../dist/store/store.js'
import type { ItemView } from '../dist/store/view.js'
import { BareHost, sessionLayers, type Layer } from './bare.js'
import { median } from './numbers.js'

export interface LayerResult {
  readonly name: string
  readonly ns: number                    // median of the repeats
  readonly collectionsPerMillion: number
  readonly checksum: number
}

const KEYS = 10_000
const KEY_BYTES = 16
const VALUE_BYTES = 100
const REPEATS = 5

export async function measureLayers(quick: boolean): Promise<LayerResult[]> {
  const results: LayerResult[] = []
  const host = new BareHost(false)
  for (const layer of [...byteLayers(), ...storeLayers(host.store), ...sessionLayers(host)]) {
    results.push(await measureLayer(layer, quick ? 10_000 : 1_000_000))
  }
  host.store.verify()
  return results
}

async function measureLayer({ name, work }: Layer, times: number): Promise<LayerResult> {
  let checksum = work(times)             // until it is compiled
  let collections = 0
  const observer = new PerformanceObserver(list => { collections += list.getEntries().length })
  observer.observe({ entryTypes: ['gc'] })
  const ns: number[] = []
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = performance.now()
    checksum += work(times)
    ns.push((performance.now() - before) * 1e6 / times)
  }
  await new Promise(resolve => setImmediate(resolve))
  collections += observer.takeRecords().length
  observer.disconnect()
  return { name, ns: median(ns), collectionsPerMillion: collections / (times * REPEATS) * 1e6, checksum }
}

function byteLayers(): Layer[] {
  const memory = new Memory(Uint8Array.from({ length: 2 ** 16 }, (_, at) => at))
  return [
    ...[16, 100, 1024, 16384].map(count => ({ name: `copy ${count} B`, work: (times: number) => copyMany(memory, count, times) })),
    { name: `equal ${KEY_BYTES} B`, work: times => compareMany(memory, times) },
  ]
}

function copyMany(memory: Memory, count: number, times: number): number {
  const { bytes } = memory
  const to = bytes.length / 2
  let sum = 0
  for (let turn = 0; turn < times; turn++) {
    memory.move(turn & 1023, to + (turn & 2047), count)
    sum += bytes[to + (turn & 2047)]!
  }
  return sum
}

function compareMany(memory: Memory, times: number): number {
  let sum = 0
  for (let turn = 0; turn < times; turn++) {
    // the bytes repeat after 256
    if (memory.equals(turn & 1023, memory.bytes, (turn & 1023) + 256, KEY_BYTES)) sum++
  }
  return sum
}

// Keys of KEY_BYTES lie one behind the other in the store's own memory, as they do in a batch.
function storeLayers(store: Store): Layer[] {
  const { bytes } = store.shards[0]!.arena.memory
  for (let index = 0; index < KEYS; index++) {
    bytes.set(Buffer.from(String(index).padStart(KEY_BYTES, 'k')), store.ioStart + index * KEY_BYTES)
  }
  const request = new Request(bytes)
  request.valueBytes = VALUE_BYTES
  store.refreshTime()
  return [
    { name: `hash ${KEY_BYTES} B`, work: times => repeat(times, turn => { point(store, request, turn) }) },
    { name: `store set ${VALUE_BYTES} B`, work: times => repeat(times, turn => setOne(store, request, turn)) },
    { name: `store get ${VALUE_BYTES} B`, work: times => repeat(times, turn => getOne(store, request, turn)) },
    { name: 'record what left', work: times => repeat(times, turn => recordOne(store, turn)) },
  ]
}

function repeat(times: number, task: (turn: number) => void): number {
  for (let turn = 0; turn < times; turn++) task(turn)
  return times
}

// Fills the request as a parser does.
function point(store: Store, request: Request, turn: number): void {
  request.keyStart = store.ioStart + turn % KEYS * KEY_BYTES
  request.keyEnd = request.keyStart + KEY_BYTES
  request.hash = store.context.hash.of(request.bytes, request.keyStart, request.keyEnd)
}

function setOne(store: Store, request: Request, turn: number): void {
  point(store, request, turn)
  if (store.set(request, store.ioStart) !== Outcome.Stored) throw new Error('no memory')
}

// What stats explain adds to a removal.
function recordOne({ context }: Store, turn: number): void {
  const { departures, now, generation, program } = context
  departures.record(Math.imul(turn, 0x9e3779b1), Departure.Deleted, 1, now, now, generation, program)
}

// Looks at an item as a protocol does, but answers nothing.
const reader = { read: (view: ItemView): boolean => view.valueBytes === VALUE_BYTES }

function getOne(store: Store, request: Request, turn: number): void {
  point(store, request, turn)
  if (!store.get(request, reader)) throw new Error('a key is missing')
}
