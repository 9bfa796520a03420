// Turns results of the benchmark inside a process into text.

import { whole } from '../report.js'
import type { CacheResult, CacheSide } from './measure.js'

const NAME_WIDTH = 37
const COLUMNS = ['cache', 'ops/s', 'CPU ns/op', 'GC ms/s', 'longest ms', 'full GC ms', 'heap MiB', 'RSS MiB'] as const

export function cacheHeading(): string { return line('', COLUMNS) }

export function cacheLines({ row, sides, ratio, skipped }: CacheResult): string[] {
  if (skipped !== undefined) return [`${row.name.padEnd(NAME_WIDTH)}skipped: ${skipped}`]
  const lines = sides.map((side, index) => line(index === 0 ? row.name : '', cellsOf(side)))
  return ratio === undefined ? lines : [...lines, line('', ['ratio', `${ratio.speed.toFixed(2)} x`, `${ratio.cpu.toFixed(2)} x`])]
}

export function cacheTable(results: readonly CacheResult[]): string {
  const rows = results.flatMap(({ row, sides, ratio, skipped }) => skipped !== undefined ? [`| ${row.name} | skipped: ${skipped} |`]
    : sides.map((side, index) => `| ${index === 0 ? row.name : ''} | ${cellsOf(side).join(' | ')} | ${
      index === 0 && ratio !== undefined ? `${ratio.speed.toFixed(2)} | ${ratio.cpu.toFixed(2)}` : ' | '} |`))
  return [`| | ${COLUMNS.join(' | ')} | ops/s ratio | CPU ratio |`, `|---|---|${'--:|'.repeat(COLUMNS.length + 1)}`, ...rows].join('\n')
}

function cellsOf({ name, operationsPerSecond, cpuNs, pausedMs, longestPauseMs, memory }: CacheSide): string[] {
  return [name, whole(operationsPerSecond), whole(cpuNs), pausedMs.toFixed(1), longestPauseMs.toFixed(1),
    memory.collectionMs.toFixed(1), mebibytes(memory.heapBytes), mebibytes(memory.rssBytes)]
}

function mebibytes(bytes: number): string { return (bytes / 2 ** 20).toFixed(1) }

function line(name: string, cells: readonly string[]): string {
  const [cache = '', ...figures] = cells
  return name.padEnd(NAME_WIDTH) + cache.padEnd(10) + figures.map(figure => figure.padStart(12)).join('')
}
