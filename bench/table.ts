// The speed rows of a run with the servers side by side, for people to read, in Markdown for README.md: requests a
// second and CPU time a request, each with the ratio of the first server to the second. Above it stands what was
// measured, when, with what and on which cores.

import { figureOf, ratioOf, type Figure } from './compare.js'
import type { Result, SpeedResult } from './measure.js'
import { whole } from './report.js'
import { ratiosByRow, type Series } from './saved.js'

export function tableOf(results: readonly Result[], facts: readonly string[], asMarkdown: boolean): string {
  const speeds = results.filter((result): result is SpeedResult => result.kind === 'speed')
  const rows = [headings(speeds), ...speeds.map(cellsOf)]
  return [...facts, '', ...(asMarkdown ? markdown(rows) : plain(rows))].join('\n')
}

function headings(speeds: readonly SpeedResult[]): string[] {
  const servers = speeds[0]?.sides.map(({ server }) => server) ?? []
  const ratio = servers.length < 2 ? [] : ['ratio']
  return ['', ...servers.map(server => `${server} req/s`), ...ratio, ...servers.map(server => `${server} CPU µs`), ...ratio]
}

function cellsOf(result: SpeedResult): string[] {
  const { workload: { name }, sides } = result
  const ratio = (figure: Figure): string[] => sides.length < 2 ? [] : [ratioOf(result, figure).toFixed(2)]
  return [
    name,
    ...sides.map(({ samples }) => whole(figureOf(samples, 'requestsPerSecond'))), ...ratio('requestsPerSecond'),
    ...sides.map(({ samples }) => figureOf(samples, 'cpu').toFixed(2)), ...ratio('cpu'),
  ]
}

export function markdown([head = [], ...rows]: readonly string[][]): string[] {
  const rule = head.map((_, column) => column === 0 ? '---' : '--:')
  return [head, rule, ...rows].map(cells => `| ${cells.join(' | ')} |`)
}

function plain(rows: readonly string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(cells => cells[column]!.length)))
  return rows.map(cells =>
    cells.map((cell, column) => column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)).join('  '))
}

// Ratios of saved runs, each run with columns of its own: what the two servers took, and the ratio.
export function ratioTableOf(series: readonly Series[]): string {
  const head = ['', 'cost', ...series.flatMap(({ label }) => [`memslab / ${label}`, 'ratio'])]
  const rows = ratiosByRow(series).map(({ row, cost, ratios }) => [row, cost, ...ratios.flatMap(ratio =>
    ratio === undefined ? ['', ''] : [ratio.costs.map(short).join(' / '), ratio.ratio.toFixed(2)])])
  return markdown([head, ...rows]).join('\n')
}

function short(number: number): string { return number.toPrecision(Math.max(3, Math.ceil(Math.log10(number)))) }
