// How long a test waits for what does not come about: not a number of seconds, as a machine may be as slow as it likes,
// but until nothing has happened for long. Time counts only while this process and all that it has started sleep.

import { setTimeout as sleep } from 'node:timers/promises'

import { kin, ownMark, work } from './kin.js'
import type { Work } from './kin.js'

/** So much time in which nobody worked is enough. Only failures wait that long. */
export const IDLE_MS = 20_000
/** One looks at least so often. */
const LOOK_MS_MAX = 1000
/** Where it cannot be told who works, all time counts, but for less. */
const BLIND_SHARE = 0.1
/** Who uses less than this part of a processor only looks after itself, or waits in a loop. */
const AT_WORK = 0.1
/** The pause between two looks at a condition grows to this, so that waiting is not taken for work. */
const PAUSE_MS_MAX = 200

export class Patience {
  /** How often one looks. */
  readonly lookMs: number
  private idleMs = 0
  private lookedAt = performance.now()
  private known: Work | undefined

  /** @param mark of those whose work is looked at; this file's by default */
  constructor(private readonly idleMsMax = IDLE_MS, private readonly mark = ownMark) {
    this.lookMs = Math.min(LOOK_MS_MAX, idleMsMax / 3)
  }

  /** Something has come about: all counting begins anew. */
  renew(): void {
    this.idleMs = 0
  }

  /** Whether nothing has happened for long. To be asked again and again, at any time. */
  isOver(): boolean {
    const now = performance.now()
    const passedMs = now - this.lookedAt
    if (passedMs >= this.lookMs) {
      this.look(passedMs)
      this.lookedAt = now
    }
    return this.idleMs >= this.idleMsMax
  }

  private look(passedMs: number): void {
    const before = this.known
    this.known = work(kin(this.mark))
    if (this.known === undefined) this.idleMs += passedMs * BLIND_SHARE
    else if (before !== undefined && !isAtWork(before, this.known, passedMs)) this.idleMs += Math.min(passedMs, 2 * this.lookMs)
  }
}

function isAtWork(before: Work, now: Work, passedMs: number): boolean {
  return now.isWilling || now.cpuMs - before.cpuMs > passedMs * AT_WORK
}

/** Waits until a condition holds, looking again and again; rejects with what it waited for once patience has ended. */
export async function until(what: string, holds: () => boolean | Promise<boolean>, patience = new Patience()): Promise<void> {
  for (let pauseMs = 1; !await holds(); pauseMs = Math.min(pauseMs * 1.2, PAUSE_MS_MAX)) {
    if (patience.isOver()) throw new Error(`waited in vain, while nobody did anything: ${what}`)
    await sleep(pauseMs)
  }
}
