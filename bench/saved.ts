// What `--json` prints, and `--from` reads again.

import { readFileSync } from 'node:fs'
import type { Ratio } from './ratios.js'
import { isMain } from './rows.js'

export const FORMAT = 1   // another number once what a field means has changed

export interface SavedServer {
  readonly name: string
  readonly command: string
  readonly version: string   // what it answers to `version`
}

// `--json` prints more, which bench/README.md lists and `--from` does not need.
export interface SavedRun {
  readonly format: number
  readonly facts: Readonly<Record<string, string>>   // commit, node, machine, rounds, date …
  readonly servers: readonly SavedServer[]           // the first was compared with the second
  readonly ratios: readonly Ratio[]
}

// A run to be shown, and what the first server was compared with.
export interface Series {
  readonly label: string
  readonly run: SavedRun
}

// `FILE`, or `LABEL=FILE`.
export function readSeries(from: string): Series {
  const [, label, path = from] = /^([^=]*)=(.*)$/.exec(from) ?? []
  const run = JSON.parse(readFileSync(path, 'utf8')) as SavedRun
  if (run.format !== FORMAT) throw new TypeError(`${path} was not written by --json of this benchmark`)
  return { label: label ?? labelOf(run), run }
}

export function labelOf({ servers: [, other] }: SavedRun): string {
  if (other === undefined) return 'nothing'
  return other.name === 'memcached' ? `memcached ${other.version}` : other.name
}

// Only ratios to the second server, not to the bare responder, and only the rows that are wanted.
export function withRows({ label, run }: Series, main: boolean, only: RegExp | undefined): Series {
  const ratios = run.ratios.filter(({ row, servers: [, other] }) =>
    other === run.servers[1]?.name && (!main || isMain(row)) && only?.test(row) !== false)
  return { label, run: { ...run, ratios } }
}

// All rows of the series in their order, each with its ratio in each of them.
export function ratiosByRow(series: readonly Series[]): { row: string, cost: string, ratios: (Ratio | undefined)[] }[] {
  const costs = new Map(series.flatMap(({ run }) => run.ratios).map(({ row, cost }) => [row, cost]))
  return [...costs].map(([row, cost]) => ({
    row, cost, ratios: series.map(({ run }) => run.ratios.find(ratio => ratio.row === row)),
  }))
}
