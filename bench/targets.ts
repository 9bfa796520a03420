// The limits that the project has set itself, met or not. A ratio is the first server's figure ÷ the second's, see compare.ts.
// Most targets need a server to compare with.

import { ratioOf, type Figure } from './compare.js'
import type { GarbageResults, HeldResult, HitsResult, LocksResult, Result, SpeedResult, WaitsResult } from './measure.js'
import type { Limits } from './workloads.js'

export interface Target {
  readonly name: string
  readonly limit: string
  readonly measured: string
  readonly isMet: boolean
}

const HITS_LOST_MAX = 0.005
const COLLECTIONS_MAX = 10     // of a million requests
const HEAP_GROWTH_MAX = 1      // MiB
const LOCKS_COST_MAX = 1.05
const WAIT_MS_MAX = 5

// What a limit is about.
const figures: Readonly<Record<keyof Limits, { figure: Figure, label: string, isLeast?: true }>> = {
  cpu: { figure: 'cpu', label: 'CPU/request at most' },
  rate: { figure: 'requestsPerSecond', label: 'requests/s at least', isLeast: true },
  p50: { figure: 'p50', label: 'p50 at most' },
  p99: { figure: 'p99', label: 'p99 at most' },
  p999: { figure: 'p999', label: 'p99.9 at most' },
}

// The targets that the result says something about.
export function targetsOf(result: Result): Target[] {
  switch (result.kind) {
    case 'speed': return speedTargets(result)
    case 'held': return heldTargets(result)
    case 'hits': return hitsTargets(result)
    case 'waits': return waitTargets(result)
    case 'garbage': return garbageTargets(result)
    case 'locks': return lockTargets(result)
    case 'skipped': case 'footprint': case 'idle': case 'start': case 'trace': case 'layers': case 'stripes': return []
  }
}

function speedTargets(result: SpeedResult): Target[] {
  const { workload: { name, limits = {} }, sides } = result
  if (sides.length < 2) return []
  return (Object.keys(limits) as (keyof Limits)[]).map(key => {
    const { figure, label, isLeast } = figures[key]
    const ratio = ratioOf(result, figure)
    const limit = limits[key]!
    return {
      name, limit: `${label} x ${limit.toFixed(2)}`, measured: ratio.toFixed(2),
      isMet: isLeast === true ? ratio >= limit : ratio <= limit,
    }
  })
}

function heldTargets({ workload: { name, ratioMin }, sides: [subject, other] }: HeldResult): Target[] {
  if (subject === undefined || other === undefined || ratioMin === undefined) return []
  const ratio = subject.items / other.items
  return [{ name, limit: `items at least x ${ratioMin.toFixed(2)}`, measured: ratio.toFixed(3), isMet: ratio >= ratioMin }]
}

function hitsTargets({ workload: { name, onceShare = 0 }, sides: [subject, other] }: HitsResult): Target[] {
  if (subject === undefined || other === undefined) return []
  const gained = subject.hitRatio - other.hitRatio
  // a scan is what the lists are there for
  const [limit, lostMax] = onceShare > 0 ? ['no less', 0] as const : ['at most half a point less', HITS_LOST_MAX] as const
  return [{ name, limit, measured: `${(gained * 100).toFixed(2)} pt`, isMet: gained >= -lostMax }]
}

// Where a client waits longer without any command that is the machine's doing, and no target can be missed by it.
function waitTargets({ workload: { name }, sides: [subject] }: WaitsResult): Target[] {
  return (subject?.waits ?? []).map(({ command, longestMs, quietMs }) => ({
    name: `${name}, ${command}`, limit: `${WAIT_MS_MAX} ms at most, ${quietMs.toFixed(1)} without`,
    measured: `${longestMs.toFixed(1)} ms`, isMet: longestMs <= Math.max(WAIT_MS_MAX, quietMs),
  }))
}

// Of the first server only: one request at a time costs Node some garbage for each write, which is not ours.
function garbageTargets({ sides: [subject] }: GarbageResults): Target[] {
  if (subject === undefined) return []
  const last = subject.heap.at(-1)!
  const grown = (last.bytes - subject.heap[0]!.bytes) / 2 ** 20
  return [
    ...subject.served.filter(({ depth }) => depth > 1).map(({ name, requests, collections }) => ({
      name: `garbage, ${name}`, limit: `at most ${COLLECTIONS_MAX} collections/M`,
      measured: (collections / requests * 1e6).toFixed(1), isMet: collections / requests * 1e6 <= COLLECTIONS_MAX,
    })),
    {
      name: `heap with ${last.items.toLocaleString('en-US')} items`, limit: `at most ${HEAP_GROWTH_MAX} MiB more`,
      measured: `${grown.toFixed(2)} MiB`, isMet: grown <= HEAP_GROWTH_MAX,
    },
  ]
}

function lockTargets({ layers }: LocksResult): Target[] {
  return layers.map(({ name, ratio }) => (
    { name: `locks, ${name}`, limit: `time at most x ${LOCKS_COST_MAX.toFixed(2)}`, measured: ratio.toFixed(3),
      isMet: ratio <= LOCKS_COST_MAX }))
}
