// What a row costs the first server and the second, and the ratio. Everything is a cost, so a ratio under 1 means that the first
// needs less. This is what `--json` has of each row, and what pictures and tables of saved results are made from.

import { cpuRatio, cpuRatioRange, figureOf, QUARTILE } from './compare.js'
import type { FootprintResult, HeldResult, HitsResult, IdleResult, Result, SpeedResult, StartResult } from './measure.js'
import type { TraceResult } from './traces/measure.js'

export interface Ratio {
  readonly row: string
  readonly cost: string                       // what was measured, and its unit
  readonly servers: readonly [string, string]
  readonly costs: readonly [number, number]
  readonly ratio: number
  readonly spread?: Spread                    // of speed rows
}

// Ratios of the CPU time that this share of the slices does not exceed, and the least and the greatest in one round.
export interface Spread {
  readonly tenth: number
  readonly quartile: number
  readonly median: number
  readonly rounds: readonly [number, number]
}

interface Side { readonly server: string, readonly cost: number }

const MEBI = 2 ** 20

// None where there is one server only, or nothing that can be compared.
export function ratiosOf(result: Result): Ratio[] {
  switch (result.kind) {
    case 'speed': return speedRatios(result)
    case 'start': return startRatios(result)
    case 'idle': return idleRatios(result)
    case 'footprint': return footprintRatios(result)
    case 'held': return heldRatios(result)
    case 'hits': case 'trace': return missRatios(result)
    case 'skipped': case 'waits': case 'garbage': case 'layers': case 'locks': case 'stripes': return []
  }
}

function speedRatios(result: SpeedResult): Ratio[] {
  const { workload, sides } = result
  const ratios = ratioOf(workload.name, 'CPU time a request, µs',
    sides.map(({ server, samples }) => ({ server, cost: figureOf(samples, 'cpu') })))
  return ratios.map(ratio => ({ ...ratio, spread: spreadOf(result) }))
}

function spreadOf(result: SpeedResult): Spread {
  const [tenth, quartile, median] = [0.1, QUARTILE, 0.5].map(share => cpuRatio(result, share)) as [number, number, number]
  return { tenth, quartile, median, rounds: cpuRatioRange(result) }
}

function startRatios({ workload, sides }: StartResult): Ratio[] {
  return ratioOf(workload.name, 'start to first answer, ms', sides.map(({ server, ms }) => ({ server, cost: ms })))
}

// A server in C takes less than bare Node, and has no ratio.
function idleRatios({ workload, sides: [, ...sides] }: IdleResult): Ratio[] {
  return workload.threads.flatMap(count => {
    const own = sides.filter(({ threads }) => threads === count)
    return ratioOf(`${workload.name}, -t ${count}`, 'idle memory above that of bare Node, MiB',
      own.map(({ server, aboveNodeBytes }) => ({ server, cost: aboveNodeBytes / MEBI })))
  })
}

function footprintRatios({ workload, sides }: FootprintResult): Ratio[] {
  return workload.threads.flatMap(count => {
    const own = sides.filter(({ threads }) => threads === count)
    return ratioOf(`${workload.name}, -t ${count}`, 'memory of the full process, MiB',
      own.map(({ server, fullBytes }) => ({ server, cost: fullBytes / MEBI })))
  })
}

function heldRatios({ workload, sides }: HeldResult): Ratio[] {
  return ratioOf(workload.name, 'memory of -m an item, bytes',
    sides.map(({ server, items }) => ({ server, cost: workload.megabytes * MEBI / items })))
}

function missRatios({ workload, sides }: HitsResult | TraceResult): Ratio[] {
  return ratioOf(workload.name, 'misses a get', sides.map(({ server, hitRatio }) => ({ server, cost: 1 - hitRatio })))
}

function ratioOf(row: string, cost: string, [subject, other]: readonly Side[]): Ratio[] {
  if (subject === undefined || other === undefined) return []
  const ratio = subject.cost / other.cost
  if (!(ratio > 0 && ratio < Infinity) || other.cost < 0) return []
  return [{ row, cost, servers: [subject.server, other.server], costs: [subject.cost, other.cost], ratio }]
}
