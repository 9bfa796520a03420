// The benchmark's command: `npm run bench -- --help`. Measures each row of workloads.ts on memslab and memcached in
// alternation and prints what it cost. Exit code 1 if a server answered wrongly; a missed target is information only.

import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'
import { helpText, readArguments, type Arguments } from './arguments.js'
import { Load } from './load.js'
import { measure, type Result } from './measure.js'
import { heading, linesOf, targetLine, targetsOf } from './report.js'
import { leaveServerCore, memcachedVersion, RunningServer } from './servers.js'
import { pickRows } from './workloads.js'

const EX_USAGE = 64
const startedAt = performance.now()

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
  const print = given.json ? () => {} : (text: string) => console.log(text)
  const facts = describe(given)
  for (const [name, value] of Object.entries(facts)) print(`${name.padEnd(10)} ${value}`)
  for (const command of given.servers) await (await RunningServer.start(command, 64)).stop()   // none of the rows makes sense without
  print(`\n${heading()}`)
  const { results, failures } = await measureAll(given, print)
  const targets = results.flatMap(targetsOf)
  if (targets.length > 0) print(`\nTargets${given.quick ? ' (a quick run tells little)' : ''}\n${targets.map(targetLine).join('\n')}`)
  for (const failure of failures) console.error(`FAILED ${failure}`)
  print(`\n${((performance.now() - startedAt) / 1000).toFixed(0)} s`)
  if (given.json) console.log(JSON.stringify({ facts, results, targets, failures }, null, 2))
  return failures.length === 0 ? 0 : 1
}

async function measureAll(given: Arguments, print: (text: string) => void): Promise<{ results: Result[], failures: string[] }> {
  const results: Result[] = []
  const failures: string[] = []
  const load = new Load()
  for (const workload of pickRows(given.only, given.quick)) {
    try {
      const result = await measure(workload, given, load)
      results.push(result)
      print(linesOf(result).join('\n'))
    } catch (error) {
      failures.push(`${workload.name}: ${(error as Error).message}`)
    }
  }
  await load.close()
  return { results, failures }
}

function describe({ servers, rounds, seconds, only, quick }: Arguments): Record<string, string> {
  const processors = cpus()
  const isChanged = git('status', '--porcelain', '--untracked-files=no') !== ''
  const pinned = leaveServerCore() ? 'servers on core 0, load on the others' : 'nothing pinned'
  return {
    commit: (git('rev-parse', '--short', 'HEAD') || 'unknown') + (isChanged ? ' and changes' : ''),
    servers: servers.map(({ name, argv }) => `${name} (${argv.join(' ')})`).join(', '),
    node: process.version,
    memcached: memcachedVersion() ?? 'not installed',
    machine: `${processors.length} x ${processors[0]?.model.trim()}, ${pinned}`,
    rows: pickRows(only, quick).map(({ name }) => name).join('; '),
    rounds: `${rounds} x ${seconds} s`,
    date: new Date().toISOString(),
  }
}

function git(...words: string[]): string {
  return spawnSync('git', words, { encoding: 'utf8' }).stdout?.trim() ?? ''
}
