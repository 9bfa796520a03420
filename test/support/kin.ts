// The processes that a test file has started, to the last: each bears a mark in its environment that all those inherit
// which it starts itself, a daemon as well. So it can be told whether any of them works, and none outlives the file,
// whatever ends that. Linux alone shows the environment of a process; elsewhere nothing is known of them.

import { spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import type { Socket } from 'node:net'

// before this takes a mark
import './fresh.js'
import { MARK } from './mark.js'

/** What /proc counts processor time in: a hundredth of a second. */
const TICK_MS = 10

/** Of several processes together. */
export interface Work {
  /** Processor time that they have had. */
  readonly cpuMs: number
  /** Whether a thread of theirs runs, would run if a processor were free, or waits for a disk. */
  readonly isWilling: boolean
}

/** This file's mark. */
export const ownMark: string = takeMark()

function takeMark(): string {
  const given = process.env[MARK]
  if (given !== undefined) return given
  const mark = `${process.pid}-${Date.now()}`
  process.env[MARK] = mark
  endWithThisProcess(mark)
  return mark
}

/** The processes that bear a mark, and this one if the mark is its own. */
export function kin(mark: string): number[] {
  const wanted = `${MARK}=${mark}`
  const marked = processes().filter(pid => read(pid, 'environ').split('\0').includes(wanted))
  return mark === ownMark && !marked.includes(process.pid) ? [process.pid, ...marked] : marked
}

/** What they have done until now; undefined where it cannot be told. */
export function work(pids: readonly number[]): Work | undefined {
  if (process.platform !== 'linux') return undefined
  let cpuMs = 0
  let isWilling = false
  for (const pid of pids) {
    const [, ...times] = fields(read(pid, 'stat'))
    // utime and stime of its own, cutime and cstime of those that it has seen end
    cpuMs += times.slice(10, 14).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS
    isWilling ||= threads(pid).some(thread => /^[RD]/.test(fields(read(pid, `task/${thread}/stat`))[0] ?? ''))
  }
  return { cpuMs, isWilling }
}

/** The command line of a process, for people. */
export function commandOf(pid: number): string {
  return read(pid, 'cmdline').replaceAll('\0', ' ').trim()
}

/** Ends them at once. */
export function end(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch { /* it has gone by itself */ }
  }
}

/** Sees to it that nothing that bears a mark, or one that begins so, outlives this process: a shell waits for its end. */
function endWithThisProcess(mark: string): void {
  if (process.platform !== 'linux') return
  const { [MARK]: _, ...env } = process.env
  // twice, as one that is being ended may just have started another
  const script =
    `read -r end; for time in 1 2; do kill -9 $(grep -lazs "^${MARK}=${mark}" /proc/[0-9]*/environ | cut -d/ -f3); done`
  const shell = spawn('sh', ['-c', script], { stdio: ['pipe', 'ignore', 'ignore'], detached: true, env })
  shell.on('error', () => {})
  shell.unref()
  // a pipe to a child is a socket, though it is not declared as one
  ;(shell.stdin as Socket).unref()
}

function processes(): number[] {
  return process.platform === 'linux' ? readdirSync('/proc').map(Number).filter(pid => pid > 0) : []
}

/** But for the main thread of this process, which is busy asking. */
function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).filter(thread => Number(thread) !== process.pid)
  } catch {
    return []
  }
}

/** What stands behind the name of a process, which may hold anything: its state first. */
function fields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')
}

/** Nothing where the process has gone or is somebody else's. */
function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
