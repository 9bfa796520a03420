// Tries the tests: changes one thing of the compiled files at a time, runs the tests that run it, and lists the changes
// that none of them notices. The changes are drawn; the same seed draws the same ones.
//
//   npm run mutate                                    a hundred changes
//   npm run mutate -- --only store/space --count 40   in those files alone
//   npm run mutate -- --seed 7 --jobs 4               others, four at a time
//   npm run mutate -- --cpu 10                        for each change only tests that take so many seconds together
//   npm run mutate -- --tests store/lru --tests net   of the related tests only these
//   npm run mutate -- --again REPORT               what has survived, as a file tells that holds what an earlier run said
//   npm run mutate -- --list                          only says which they are

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

import { inProject } from '../support/places.js'
import { Prng } from '../support/prng.js'
import { changesOf } from './changes.js'
import type { Change } from './changes.js'
import { digestOf, digestOfFolder, keep, readCoverage, readKept, runs, WIRES } from './coverage.js'
import type { Covered } from './coverage.js'
import { blockOf, readEquivalents, staleEquivalents } from './equivalents.js'
import { Workplace } from './workplace.js'

/** Folders of the compiled files. */
const AREAS = ['store', 'protocol', 'net']
/** What only tests call is no part of what they test. */
const NOT_TRIED = ['store/verify.js']
/** Folders of tests that are about these areas; what runs a change is tried on it. So are the recorded conversations. */
const RELATED = ['store', 'exhaustive', 'simulate', 'protocol', 'stats', 'conversations', 'net', 'server', 'log', 'abuse']
/** The same conversations as wires.ts plays, more slowly. */
const NOT_RELATED = ['conversations/session.test.js']
/** A program takes so long to begin. */
const START_MS = 500

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '100' },
    jobs: { type: 'string', default: String(Math.min(availableParallelism(), 4)) },
    cpu: { type: 'string', default: '60' },
    tests: { type: 'string', multiple: true, default: [] },
    only: { type: 'string', multiple: true, default: [] },
    again: { type: 'string' },
    list: { type: 'boolean', default: false },
  },
})

async function main(): Promise<number> {
  const stale = staleEquivalents(file => isTried(file) ? changesOfFile(file) : [])
  if (stale.length > 0) {
    console.log(`equivalents.txt names changes that cannot be made; correct or remove them:\n\n${stale.join('\n')}`)
    return 1
  }
  const changes = draw()
  if (values.list) {
    for (const change of changes) console.log(`${change.line} ${blockOf(change)}`)
    return 0
  }
  const run = new Run(changes)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      run.leave()
      console.log(`ended by ${signal}; ${run.report()}`)
      process.exit(1)
    })
  }
  try {
    await run.measure()
    await run.tryAll()
  } finally {
    run.leave()
  }
  console.log(run.report())
  return run.survivors.length > 0 ? 1 : 0
}

/** As many changes as wanted, in the order in which they are tried. */
function draw(): Change[] {
  const files = readdirSync(inProject('dist'), { recursive: true, encoding: 'utf8' }).map(name => name.replaceAll('\\', '/'))
  const wanted = files.filter(name => isTried(name) && isAmong(name, values.only))
  const all = wanted.sort().flatMap(changesOfFile)
  if (values.again !== undefined) {
    const report = readFileSync(values.again, 'utf8')
    return all.filter(change => report.includes(` ${blockOf(change)}`))
  }
  const prng = new Prng(Number(values.seed))
  const drawn: Change[] = []
  for (let left = all.length; left > 0 && drawn.length < Number(values.count); left--) {
    const at = prng.below(left)
    drawn.push(all[at]!)
    all[at] = all[left - 1]!
  }
  return drawn
}

function isTried(file: string): boolean {
  return file.endsWith('.js') && AREAS.includes(file.split('/')[0]!) && !NOT_TRIED.includes(file)
}

/** None of a file that is not there. */
function changesOfFile(file: string): Change[] {
  const path = inProject(`dist/${file}`)
  return existsSync(path) ? changesOf(file, readFileSync(path, 'utf8')) : []
}

/** Whether a file is named, or stands in a folder that is; without names all are. */
function isAmong(file: string, names: readonly string[]): boolean {
  return names.length === 0 || names.some(name => file === `${name}.js` || file.startsWith(`${name}/`))
}

class Run {
  readonly survivors: Change[] = []
  private killed = 0
  private readonly equivalent: number
  private readonly todo: Change[]
  private readonly workplaces = Array.from({ length: Number(values.jobs) }, (_, number) => new Workplace(number))
  private covered: Covered[] = []
  private readonly luck = new Map<string, { tries: number, kills: number }>()

  constructor(changes: readonly Change[]) {
    const equivalents = readEquivalents()
    this.todo = changes.filter(change => !equivalents.has(blockOf(change)))
    this.equivalent = changes.length - this.todo.length
  }

  /** Which tests run what, as far as that is not known from the last time. */
  async measure(): Promise<void> {
    const dist = digestOfFolder(inProject('dist'), '.js')
    const folder = inProject('dist-test/test')
    const tests = RELATED.flatMap(name => readdirIfThere(join(folder, name)).map(file => `${name}/${file}`))
      .filter(name => name.endsWith('.test.js') && !name.endsWith('.long.test.js') && !NOT_RELATED.includes(name))
      .filter(name => isAmong(name.replace('.test', ''), values.tests)).sort()
    const wires = digestOfFolder(inProject('test/conversations'), '.wire')
    const left = [...existsSync(inProject('test/conversations')) ? [WIRES] : [], ...tests]
    const kept = readKept()
    await this.inAll(async workplace => {
      for (let test = left.shift(); test !== undefined; test = left.shift()) {
        const digest = digestOf(test, test === WIRES ? dist + wires : dist)
        const known = kept.filter(covered => covered.test.split(' ')[0] === test && covered.digest === digest)
        this.covered.push(...known.length > 0 ? known : await measureOne(workplace, test, digest))
        keep([...this.covered, ...kept.filter(({ test }) => !this.covered.some(covered => covered.test === test))])
      }
    })
    for (const { test, passed } of this.covered) if (!passed) console.log(`${test} fails without any change, and is not run`)
    this.covered = this.covered.filter(({ passed }) => passed)
  }

  async tryAll(): Promise<void> {
    const left = [...this.todo]
    await this.inAll(async workplace => {
      for (let change = left.shift(); change !== undefined; change = left.shift()) await this.tryOne(workplace, change)
    })
  }

  private async tryOne(workplace: Workplace, change: Change): Promise<void> {
    const tests = this.testsOf(change)
    for (const { test, cpuMs } of tests) {
      const luck = this.luckOf(test)
      luck.tries++
      if (await workplace.tries(change, test, cpuMs)) continue
      luck.kills++
      this.killed++
      console.log(`killed by ${test.split(' ')[0]}: ${change.file}:${change.line}: ${change.was} -> ${change.is}`)
      return
    }
    this.survivors.push(change)
    console.log(`SURVIVED ${tests.length} tests: ${change.file}:${change.line}: ${change.was} -> ${change.is}`)
  }

  /** Those that run the change; first what is quick and has noticed much. Conversations are played in one go. */
  private testsOf(change: Change): { test: string, cpuMs: number }[] {
    const all = this.covered.filter(covered => runs(covered, change)).sort((a, b) => a.cpuMs - b.cpuMs)
    const files: { test: string, cpuMs: number }[] = all.filter(({ test }) => !test.startsWith(WIRES))
    const wires = all.filter(({ test }) => test.startsWith(WIRES))
    const names = wires.map(({ test }) => test.slice(WIRES.length))
    if (names.length > 0) files.push({ test: WIRES + names.join(''), cpuMs: wires.reduce((sum, { cpuMs }) => sum + cpuMs, 0) })
    const cost = ({ test, cpuMs }: { test: string, cpuMs: number }): number => {
      const { tries, kills } = this.luckOf(test)
      return (cpuMs + START_MS) * (tries + 2) / (kills + 1)
    }
    let leftMs = Number(values.cpu) * 1000
    return files.sort((a, b) => cost(a) - cost(b)).filter(({ cpuMs }) => {
      if (cpuMs >= leftMs) return false
      leftMs -= cpuMs
      return true
    })
  }

  /** How often a test was tried, and noticed something. */
  private luckOf(test: string): { tries: number, kills: number } {
    const name = test.split(' ')[0]!
    const luck = this.luck.get(name) ?? { tries: 0, kills: 0 }
    this.luck.set(name, luck)
    return luck
  }

  private async inAll(does: (workplace: Workplace) => Promise<void>): Promise<void> {
    await Promise.all(this.workplaces.map(does))
  }

  /** Nothing is left of it. */
  leave(): void {
    for (const workplace of this.workplaces) workplace.remove()
  }

  report(): string {
    const blocks = [...this.survivors].map(change => `\n${change.line} ${blockOf(change)}`).sort()
    const tried = this.killed + this.survivors.length
    const score = `${this.killed} of ${tried} changes killed, ${this.survivors.length} survived`
    return [...blocks, `\n${score}, ${this.equivalent} are known to make no difference`].join('')
  }
}

function readdirIfThere(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** For the conversations, each on its own. */
async function measureOne(workplace: Workplace, test: string, digest: string): Promise<Covered[]> {
  const { passed, cpuMs, said, coverage } = await workplace.measure(test)
  console.log(`measured ${test}: ${Math.round(cpuMs / 100) / 10} s of processor time`)
  const read = (names: readonly string[]) => readCoverage(coverage, names, workplace.dist)
  const names = readdirSync(coverage)
  if (test !== WIRES) return [{ test, digest, cpuMs, passed, ran: read(names) }]
  // the first was written when all was loaded, and one more after each
  const [first = '', ...others] = names.sort()
  const played = [...said.matchAll(/^ok - (\S+) (\d+)$/gm)]
  return played.map(([, name, ms], at) => (
    { test: `${test} ${name}`, digest, cpuMs: Number(ms), passed: true, ran: read([first, others[at]!]) }))
}

process.exitCode = await main()
