// The benchmark's command: `npm run bench -- --help`. Measures each row of rows.ts on memslab and memcached in
// alternation and prints what it cost. Exit code 1 if a server answered wrongly; a missed target is information only.

import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { helpText, readArguments, type Arguments } from './arguments.js'
import { CACHE_ROWS, measureCaches, type CacheResult } from './cache/measure.js'
import { cacheHeading, cacheLines, cacheTable } from './cache/report.js'
import { findLruCache } from './cache/sides.js'
import { placementFor } from './cores.js'
import { Load } from './load.js'
import { measure, type Result } from './measure.js'
import { pictureOf } from './picture.js'
import { Progress } from './progress.js'
import { ratiosOf } from './ratios.js'
import { readTicks, shareOfOthers } from './noise.js'
import { heading, linesOf, targetLine } from './report.js'
import { pickRows, pickThreadRows, secondsOf } from './rows.js'
import { FORMAT, labelOf, readSeries, withRows, type SavedRun, type SavedServer, type Series } from './saved.js'
import { memcachedVersion, versionOf } from './servers.js'
import { ratioTableOf, tableOf } from './table.js'
import { targetsOf } from './targets.js'
import type { TraceResult } from './traces/measure.js'
import { missRatioMeans, traceHeadings, traceMeanLine, traceTableOf } from './traces/report.js'
import { traceRows } from './traces/trace.js'
import type { Workload } from './workloads.js'

interface Outcome {
  readonly results: readonly Result[]
  readonly failures: readonly string[]
}

const EX_USAGE = 64
const startedAt = performance.now()
const ticksAtStart = readTicks()

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

try {
  process.exitCode = await run(readArguments(process.argv.slice(2)))
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = error instanceof TypeError ? EX_USAGE : 1
}

async function run(given: Arguments): Promise<number> {
  if (given.help) {
    console.log(helpText)
    return 0
  }
  if (given.problems.length > 0) {
    console.error(given.problems.join('\n'))
    return EX_USAGE
  }
  if (given.cache) return runCaches(given)
  if (given.from.length > 0) return show(given.from.map(readSeries), given)
  const print = given.json ? () => {} : (text: string) => console.log(text)
  const rows = rowsOf(given)
  const facts = describe(given, rows)
  for (const [name, value] of Object.entries(facts)) print(`${name.padEnd(10)} ${value}`)
  const servers: SavedServer[] = []
  for (const command of given.servers) {   // none of the rows makes sense without
    servers.push({ name: command.name, command: command.argv.join(' '), version: await versionOf(command) })
  }
  print(given.traces === undefined ? `\n${heading()}` : '')
  const { results, failures } = await measureAll(rows, given, print)
  const traces = results.filter((result): result is TraceResult => result.kind === 'trace')
  if (traces.length > 1) print(traceMeanLine(traces))
  const targets = results.flatMap(targetsOf)
  if (targets.length > 0) {
    print(`\nTargets${given.quick ? ' (a quick run tells little)' : ''}\n${targets.map(targetLine).join('\n')}`)
  }
  const others = shareOfOthers(ticksAtStart)
  if (given.table && traces.length > 0) print(`\n${traceTableOf(traces)}`)
  else if (given.table || given.threads.length > 0) print(`\n${tableOf(results, tableFacts({ ...facts, others }), given.table)}`)
  for (const failure of failures) console.error(`FAILED ${failure}`)
  print(`\n${((performance.now() - startedAt) / 1000).toFixed(0)} s, other programs used ${others} of the machine`)
  const saved = { format: FORMAT, facts: { ...facts, others }, servers, ratios: results.flatMap(ratiosOf) } satisfies SavedRun
  const missMeans = traces.length > 1 ? missRatioMeans(traces) : []
  if (given.json) console.log(JSON.stringify({ ...saved, missMeans, results, targets, failures }, null, 2))
  if (given.svg !== undefined) draw(given.svg, [withRows({ label: labelOf(saved), run: saved }, false, undefined)])
  return failures.length === 0 ? 0 : 1
}

// The rows inside a process.
async function runCaches({ only, rounds, seconds, quick, json, table, lruCache }: Arguments): Promise<number> {
  const found = findLruCache(lruCache)
  const print = json ? () => {} : (text: string) => console.log(text)
  const facts = {
    commit: commitOf(), node: process.version, 'lru-cache': typeof found === 'string' ? found : `${found.version} (${found.path})`,
    machine: machineOf(), rounds: `${rounds} x ${seconds} s in slices`, date: new Date().toISOString(),
  }
  for (const [name, value] of Object.entries(facts)) print(`${name.padEnd(10)} ${value}`)
  print(`\n${cacheHeading()}`)
  const plan = { rounds, seconds, quick, lruCache: typeof found === 'string' ? undefined : found.path }
  const results: CacheResult[] = []
  for (const row of CACHE_ROWS.filter(({ name }) => only?.test(name) !== false)) {
    const result = await measureCaches(row, plan)
    results.push(result)
    print(cacheLines(result).join('\n'))
  }
  const others = shareOfOthers(ticksAtStart)
  if (table) print(`\n${cacheTable(results)}`)
  print(`\n${((performance.now() - startedAt) / 1000).toFixed(0)} s, other programs used ${others} of the machine`)
  if (json) console.log(JSON.stringify({ facts: { ...facts, others }, results }, null, 2))
  return 0
}

// The ratios of runs that were saved.
function show(saved: readonly Series[], { main, only, svg }: Arguments): number {
  const series = saved.map(one => withRows(one, main, only))
  console.log(ratioTableOf(series))
  if (svg !== undefined) draw(svg, series)
  return 0
}

function draw(file: string, series: readonly Series[]): void { writeFileSync(file, pictureOf(series)) }

function rowsOf({ main, only, quick, threads, traces }: Arguments): readonly Workload[] {
  if (traces !== undefined) return traceRows(traces).filter(({ name }) => only?.test(name) !== false)
  return threads.length > 0 ? pickThreadRows(only, threads) : pickRows(only, quick, main)
}

async function measureAll(rows: readonly Workload[], given: Arguments, print: (text: string) => void): Promise<Outcome> {
  const results: Result[] = []
  const failures: string[] = []
  const load = new Load()
  const progress = new Progress(process.stderr, given.progress, rows.map(row => secondsOf(row, given)))
  const plan = { ...given, tell: (step: string, share: number) => progress.tell(step, share) }
  for (const [index, workload] of rows.entries()) {
    progress.begin(index, workload.name)
    try {
      const result = await measure(workload, plan, load)
      progress.clear()
      if (result.kind === 'trace' && results.length === 0) print(traceHeadings(result).join('\n'))
      results.push(result)
      print(linesOf(result).join('\n'))
    } catch (error) {
      failures.push(`${workload.name}: ${(error as Error).message}`)
    }
  }
  progress.clear()
  await load.close()
  return { results, failures }
}

function describe({ servers, rounds, seconds, traces }: Arguments, rows: readonly Workload[]): Record<string, string> {
  return {
    commit: commitOf(),
    servers: servers.map(({ name, argv }) => `${name} (${argv.join(' ')})`).join(', '),
    node: process.version,
    memcached: memcachedVersion() ?? 'not installed',
    machine: machineOf(),
    ...Object.fromEntries(threadCountsOf(rows).map(threads => [`-t ${threads}`, placementFor(threads).text])),
    rows: rows.map(({ name }) => name).join('; '),
    rounds: traces === undefined ? `${rounds} x ${seconds} s in slices` : String(rounds),
    date: new Date().toISOString(),
  }
}

function commitOf(): string {
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
  return (git('rev-parse', '--short', 'HEAD') || 'unknown') + (isChanged ? ' and changes' : '')
}

function machineOf(): string {
  const processors = cpus()
  return `${processors.length} x ${processors[0]?.model.trim()}`
}

function threadCountsOf(rows: readonly Workload[]): number[] {
  const counts = rows.flatMap(row => 'threads' in row && row.threads !== undefined ? row.threads : 1)
  return [...new Set(counts)].sort((a, b) => a - b)
}

// What stands above a table.
function tableFacts({ commit, node, memcached, machine, rounds, date, others, ...rest }: Record<string, string>): string[] {
  const placements = Object.entries(rest).filter(([name]) => name.startsWith('-t '))
  return [
    `${date!.slice(0, 10)}: memslab at ${commit} on Node ${node}, memcached ${memcached}, ${machine}, ${rounds}; ` +
      `other programs used ${others} of the machine.`,
    ...placements.map(([name, value]) => `${name}: ${value}.`),
  ]
}

function git(...words: string[]): string {
  return spawnSync('git', words, { encoding: 'utf8' }).stdout?.trim() ?? ''
}
