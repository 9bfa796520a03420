// Traces as lines of a table: hit ratios, then how often each missed for each miss of the last server. Without a second server
// that says how the policies do beside the first.

import { geometricMean } from '../numbers.js'
import { markdown } from '../table.js'
import type { TraceResult, TraceSide } from './measure.js'

export interface MissRatio {
  readonly server: string   // or a policy
  readonly ratio: number
}

const NAME_WIDTH = 20
const WIDTH = 10

export function traceHeadings({ sides, simulated }: TraceResult): string[] {
  const names = [...sides, ...simulated].map(({ server }) => server)
  const [base, others] = [sides.at(-1)!.server, othersOf({ sides, simulated }).map(({ server }) => server)]
  return [
    ''.padEnd(NAME_WIDTH + WIDTH) + 'hit ratio'.padStart(WIDTH) + ''.padEnd(WIDTH * (names.length - 1)) +
      `   misses ÷ ${base}'s`,
    cells('', ['items', ...names], others),
  ]
}

export function traceLine(result: TraceResult): string {
  const { workload: { name }, sides, simulated } = result
  const items = sides.at(-1)!.items.toLocaleString('en-US')
  const ratios = [...sides, ...simulated].map(({ hitRatio }) => hitRatio.toFixed(4))
  const refused = sides.filter(({ refused }) => refused > 0).map(side => `  sets that ${side.server} refused: ${side.refused}`)
  return cells(name, [items, ...ratios], missRatios(result).map(({ ratio }) => ratio.toFixed(3))) + refused.join('')
}

export function traceMeanLine(results: readonly TraceResult[]): string {
  const means = missRatioMeans(results).map(({ ratio }) => ratio.toFixed(3))
  const blanks = Array.from({ length: 1 + results[0]!.sides.length + results[0]!.simulated.length }, () => '')
  return cells('geometric mean', blanks, means)
}

// The same in Markdown: a hit ratio and, in brackets, the misses for each of the last server.
export function traceTableOf(results: readonly TraceResult[]): string {
  const [first] = results
  const names = first === undefined ? [] : [...first.sides, ...first.simulated].map(({ server }) => server)
  const ratioIn = (ratios: readonly MissRatio[], name: string): string | undefined =>
    ratios.find(({ server }) => server === name)?.ratio.toFixed(3)
  const rows = results.map(result => [result.workload.name, ...[...result.sides, ...result.simulated].map(side => {
    const ratio = ratioIn(missRatios(result), side.server)
    return side.hitRatio.toFixed(3) + (ratio === undefined ? '' : ` (${ratio})`)
  })])
  const means = missRatioMeans(results)
  return markdown([['', ...names], ...rows, ['geometric mean', ...names.map(name => ratioIn(means, name) ?? '')]]).join('\n')
}

// Misses ÷ those of the last server, of each other server and policy.
export function missRatios(result: TraceResult): MissRatio[] {
  const base = 1 - result.sides.at(-1)!.hitRatio
  return othersOf(result).map(({ server, hitRatio }) => ({ server, ratio: (1 - hitRatio) / base }))
}

export function missRatioMeans(results: readonly TraceResult[]): MissRatio[] {
  const all = results.map(missRatios)
  return (all[0] ?? []).map(({ server }, index) => ({ server, ratio: geometricMean(all.map(ratios => ratios[index]!.ratio)) }))
}

function othersOf({ sides, simulated }: Pick<TraceResult, 'sides' | 'simulated'>): TraceSide[] {
  return [...sides.slice(0, -1), ...simulated]
}

function cells(name: string, first: readonly string[], second: readonly string[]): string {
  const padded = (texts: readonly string[]): string => texts.map(text => text.padStart(WIDTH)).join('')
  return `${name.padEnd(NAME_WIDTH)}${padded(first)}  ${padded(second)}`
}
