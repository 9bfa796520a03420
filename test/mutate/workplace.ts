// A copy of the compiled project in which one file can be changed while tests run on it: the project's own stays as it is,
// and may change meanwhile. What is large or seldom read is linked. A trial runs one test file in the copy and ends with
// the first failure.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { end, kin, ownMark, work } from '../support/kin.js'
import { MARK } from '../support/mark.js'
import { Patience } from '../support/patience.js'
import { ROOT } from '../support/places.js'
import type { Change } from './changes.js'

/** What a trial needs at least before it is taken for an endless loop. */
const CPU_MS_LEAST = 10_000
/** Processor time in multiples of what the unchanged code takes. */
const CPU_TIMES_MAX = 5
/** Nobody works for so long where the code is as it should be. */
const IDLE_MS_MAX = 8000
/** How often it is looked what a test does; more often where it is measured. */
const LOOK_MS = 1000
const MEASURE_MS = 200
/** What is copied; all else of the project's folder is linked. */
const COPIED = ['dist', 'dist-test', 'test', 'package.json']
const NOT_LINKED = [...COPIED, '.git']

export interface Trial {
  readonly passed: boolean
  /** Processor time. */
  readonly cpuMs: number
  readonly said: string
}

export class Workplace {
  private readonly folder = realpathSync(mkdtempSync(join(tmpdir(), 'memslab-mutate-')))
  private readonly mark: string

  /** @param number nobody else's in this process */
  constructor(number: number) {
    this.mark = `${ownMark}/mutate-${number}`
    cpSync(join(ROOT, 'dist'), this.path('dist'), { recursive: true })
    // the command is to run the files that are changed
    rmSync(this.path('dist/memslab.bundle'), { force: true })
    cpSync(join(ROOT, 'dist-test/test'), this.path('dist-test/test'), { recursive: true })
    cpSync(join(ROOT, 'test'), this.path('test'), { recursive: true })
    cpSync(join(ROOT, 'package.json'), this.path('package.json'))
    for (const name of ['src', 'dist']) symlinkSync('../dist', this.path(`dist-test/${name}`), 'junction')
    for (const name of readdirSync(ROOT)) {
      if (!NOT_LINKED.includes(name)) symlinkSync(join(ROOT, name), this.path(name), 'junction')
    }
  }

  /** Whether the test, from the folder of the tests on and with arguments behind it, passes with the change. */
  async tries(change: Change, test: string, cpuMs: number): Promise<boolean> {
    const file = this.path(`dist/${change.file}`)
    const source = readFileSync(file, 'utf8')
    writeFileSync(file, source.slice(0, change.start) + change.text + source.slice(change.end))
    try {
      return (await this.run(test, Math.max(cpuMs * CPU_TIMES_MAX, CPU_MS_LEAST))).passed
    } finally {
      writeFileSync(file, source)
    }
  }

  /** Runs a test on the code as it is, and keeps which parts of it run. */
  async measure(test: string): Promise<Trial & { readonly coverage: string }> {
    const coverage = this.path('coverage')
    rmSync(coverage, { recursive: true, force: true })
    mkdirSync(coverage)
    return { ...await this.run(test, Infinity, { NODE_V8_COVERAGE: coverage }), coverage }
  }

  /** Where its compiled files lie. */
  get dist(): string {
    return this.path('dist')
  }

  /** Ends what runs in it, and leaves nothing. */
  remove(): void {
    end(kin(this.mark))
    rmSync(this.folder, { recursive: true, force: true, maxRetries: 5 })
  }

  private path(name: string): string {
    return join(this.folder, name)
  }

  private async run(test: string, cpuMsMax: number, env: NodeJS.ProcessEnv = {}): Promise<Trial> {
    const [program = '', ...words] = test.split(' ')
    const child = spawn(process.execPath, [this.path(`dist-test/test/${program}`), ...words], {
      cwd: this.folder, stdio: ['ignore', 'pipe', 'ignore'],
      env: { MEMSLAB_SEED: '1', ...process.env, ...env, [MARK]: this.mark, TAP_TIMEOUT: '0', TAP_BAIL: '1' },
    })
    const isOver = once(child, 'close')
    let hasFailed = false
    let said = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      said += text
      if (hasFailed || !/^ *(not ok(?!.*# (?:SKIP|TODO))|Bail out!)/m.test(text)) return
      hasFailed = true
      end(kin(this.mark))
    })
    const { cpuMs, wasEnded } = await this.watch(child, isOver, cpuMsMax)
    end(kin(this.mark))
    return { passed: !hasFailed && !wasEnded && child.exitCode === 0, cpuMs, said }
  }

  private async watch(child: ChildProcess, isOver: Promise<unknown>, cpuMsMax: number) {
    const patience = new Patience(IDLE_MS_MAX, this.mark)
    let cpuMs = 0
    let wasEnded = false
    void isOver.then(() => { wasEnded ||= child.signalCode !== null })
    while (child.exitCode === null && child.signalCode === null) {
      await Promise.race([isOver, sleep(Number.isFinite(cpuMsMax) ? LOOK_MS : MEASURE_MS)])
      cpuMs = Math.max(cpuMs, work(kin(this.mark))?.cpuMs ?? 0)
      if (!patience.isOver() && cpuMs <= cpuMsMax) continue
      wasEnded = true
      end(kin(this.mark))
    }
    await isOver
    return { cpuMs, wasEnded }
  }
}
