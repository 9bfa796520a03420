// How much of the machine other programs used during a run: they cost speed and, above all, latency. Linux only.

import { readFileSync } from 'node:fs'

// Clock ticks since the machine started: of all cores, and of this process with its threads and the servers that it has
// ended.
export interface Ticks {
  readonly all: number
  readonly busy: number
  readonly own: number
}

export function readTicks(): Ticks | undefined {
  try {
    const [cores = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1)
    const [user = 0, nice = 0, system = 0, idle = 0, waiting = 0, irq = 0, softirq = 0, steal = 0] =
      numbersOf(cores.replace(/^cpu +/, ''))
    const busy = user + nice + system + irq + softirq + steal
    const own = numbersOf(readFileSync('/proc/self/stat', 'utf8').split(') ')[1]!).slice(11, 15)
    return { all: busy + idle + waiting, busy, own: own.reduce((sum, ticks) => sum + ticks, 0) }
  } catch {
    return undefined
  }
}

// '12 %': what others had since then, of all cores
export function shareOfOthers(before: Ticks | undefined): string {
  const after = readTicks()
  if (before === undefined || after === undefined) return 'unknown'
  const others = after.busy - before.busy - (after.own - before.own)
  return `${(Math.max(0, others / (after.all - before.all)) * 100).toFixed(0)} %`
}

function numbersOf(text: string): number[] {
  return text.split(' ').map(Number)
}
