// One test file that is run, in a process of its own: what it found, how long it took, and that nothing is left of it. How
// long it may take depends on how much it does, not on the machine: it is ended when it is silent while nobody works, or
// while very much is worked.

import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

import { commandOf, end, kin, work } from './kin.js'
import { MARK } from './mark.js'
import { Patience } from './patience.js'
import { inProject, ROOT } from './places.js'
import { TapReader } from './tap.js'
import type { Failure, Skip } from './tap.js'

/** Longer than any wait within a file, which can say what it waited for. */
const SILENCE_MS_MAX = 120_000
/** Processor time without a word. */
const SILENT_WORK_MS_MAX = 600_000
/** How long what has been told to end may sleep. */
const LEAVE_MS_MAX = 3000
const STDERR_SHOWN = 20_000

export interface Result {
  /** From the project's folder on. */
  readonly file: string
  readonly passed: number
  readonly failures: readonly Failure[]
  readonly skips: readonly Skip[]
  readonly comments: readonly string[]
  readonly seconds: number
  /** Processor time, to about a second; 0 where it is not known. */
  readonly cpuSeconds: number
}

/**
 * @param file from the project's folder on
 * @param mark nobody else's
 * @param silenceMs how long it may be silent while nobody works
 */
export async function runFile(file: string, mark: string, silenceMs = SILENCE_MS_MAX): Promise<Result> {
  return await new Job(file, mark, silenceMs).run()
}

class Job {
  private readonly tap = new TapReader()
  private readonly child: ChildProcess
  private readonly exited: Promise<unknown>
  private readonly closed: Promise<unknown>
  private readonly startedAt = performance.now()
  private stderr = ''
  private cpuMs = 0
  private cpuMsAtWord = 0
  private isOver = false
  private readonly problems: string[] = []
  private readonly patience: Patience

  constructor(private readonly file: string, private readonly mark: string, private readonly silenceMs: number) {
    this.patience = new Patience(silenceMs, mark)
    const compiled = inProject(`dist-test/${file.replace(/\.ts$/, '.js')}`)
    const child = spawn(process.execPath, ['--enable-source-maps', compiled], {
      cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, [MARK]: mark, TAP_TIMEOUT: '0' },
    })
    this.exited = once(child, 'exit')
    this.closed = once(child, 'close')
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.patience.renew()
      this.cpuMsAtWord = this.cpuMs
      this.tap.read(text)
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => { this.stderr = (this.stderr + text).slice(-STDERR_SHOWN) })
    this.child = child
  }

  async run(): Promise<Result> {
    const watching = this.watch()
    await this.exited
    this.isOver = true
    await this.leaveNothing()
    await Promise.all([this.closed, watching])
    this.tap.end()
    this.judge()
    return {
      file: this.file, passed: this.tap.passed, failures: this.tap.failures, skips: this.tap.skips,
      comments: this.tap.comments,
      seconds: (performance.now() - this.startedAt) / 1000, cpuSeconds: this.cpuMs / 1000,
    }
  }

  private async watch(): Promise<void> {
    while (!this.isOver) {
      await Promise.race([this.exited, sleep(this.patience.lookMs, undefined, { ref: false })])
      if (this.isOver) return
      this.cpuMs = Math.max(this.cpuMs, work(kin(this.mark))?.cpuMs ?? 0)
      if (this.patience.isOver()) this.giveUp(`it was silent for ${this.silenceMs / 1000} seconds in which nobody worked`)
      else if (this.cpuMs - this.cpuMsAtWord > SILENT_WORK_MS_MAX) {
        this.giveUp(`it worked for ${SILENT_WORK_MS_MAX / 1000} seconds without a word`)
      }
    }
  }

  private giveUp(why: string): void {
    this.problems.push(why)
    end([this.child.pid ?? 0, ...kin(this.mark)].filter(pid => pid > 0))
  }

  /** A server that has just been told to end may take its time; one that sleeps was forgotten. */
  private async leaveNothing(): Promise<void> {
    const patience = new Patience(LEAVE_MS_MAX, this.mark)
    while (kin(this.mark).length > 0 && !patience.isOver()) await sleep(20)
    const left = kin(this.mark)
    if (left.length > 0) this.problems.push(`it left running: ${left.map(commandOf).join('; ')}`)
    end(left)
  }

  /** What goes wrong with a file as a whole counts as one more check that failed. */
  private judge(): void {
    const { exitCode, signalCode } = this.child
    const problem = this.tap.problem()
    if (this.problems.length === 0 && problem !== undefined) this.problems.push(problem)
    const isAmiss = signalCode !== null || (exitCode !== 0 && this.tap.failed === 0)
    if (isAmiss) this.problems.push(`it ended with ${signalCode ?? `exit code ${exitCode}`}`)
    if (this.problems.length > 0) this.tap.failures.push({ name: this.problems.join('; '), details: this.stderr.trim() })
  }
}
