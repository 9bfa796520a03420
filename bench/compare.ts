// The figures of a speed row, out of its samples, and the first server's divided by the second's.
//
// Other programs never make a slice cheaper: they empty the caches and slow the core down, in some slices and not in others.
// So a server's CPU time is the lower quartile of its slices, which is steady where their median is not. How much it still is a
// matter of chance, the ratios of the single rounds say, each of which has processes of its own. The other figures are medians
// over the rounds, and their ratios medians of each round's.

import type { Sample } from './load.js'
import type { SpeedResult } from './measure.js'
import { median, quantile } from './numbers.js'

export type Figure = Exclude<keyof Sample, 'slices'> | 'cpu'

export const QUARTILE = 0.25

export function figureOf(samples: readonly Sample[], figure: Figure): number {
  return figure === 'cpu' ? cpuUs(samples, QUARTILE) : median(samples.map(sample => sample[figure]))
}

// NaN where there is one server only.
export function ratioOf(result: SpeedResult, figure: Figure): number {
  if (figure === 'cpu') return cpuRatio(result, QUARTILE)
  const [subject, other] = result.sides
  if (subject === undefined || other === undefined) return NaN
  return median(subject.samples.map((sample, round) => sample[figure] / other.samples[round]![figure]))
}

// The CPU time a request that `share` of the slices do not exceed, of the first server divided by that of the second.
export function cpuRatio({ sides: [subject, other] }: SpeedResult, share: number): number {
  return subject === undefined || other === undefined ? NaN : cpuUs(subject.samples, share) / cpuUs(other.samples, share)
}

// The least and the largest such ratio in one round, of lower quartiles.
export function cpuRatioRange({ sides: [subject, other] }: SpeedResult): [number, number] {
  if (subject === undefined || other === undefined) return [NaN, NaN]
  const ratios = subject.samples.map((sample, round) => cpuUs([sample], QUARTILE) / cpuUs([other.samples[round]!], QUARTILE))
  return [Math.min(...ratios), Math.max(...ratios)]
}

function cpuUs(samples: readonly Sample[], share: number): number {
  return quantile(samples.flatMap(({ slices }) => slices), share)
}
