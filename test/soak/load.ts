// The same mixed load as a soak's (user.ts), on a server in a process of its own, for as long as something else goes on with
// that server. Each user checks all that it gets; what any of them finds wrong ends the load and is thrown by `end`.

import { readFileSync } from 'node:fs'

import { Prng } from '../support/prng.js'
import { binary } from '../torture/binary.js'
import { classic } from '../torture/classic.js'
import type { Dialect } from '../torture/intent.js'
import { meta } from '../torture/meta.js'
import { Talker } from '../torture/talker.js'
import { User } from './user.js'
import type { Phase, Tally } from './user.js'

const KIB = 1024
const SPEECHES: readonly (readonly Dialect[])[] = [[classic, meta], [binary], [classic, meta]]
const USERS = 9
/** All users look up whether it goes on so often, and between that the sizes of values shift. */
const ROUND_MS = 500
/** How many of the keys of each user are read at the end. */
const READ_LAST = 3000

/** With values that want more memory than there is, and some that fit. */
export const PHASES: readonly Phase[] = [
  { name: 'tiny', least: 10, most: 200, keys: 4000 },
  { name: 'small', least: KIB, most: 4 * KIB, keys: 2000 },
  { name: 'middling', least: 8 * KIB, most: 60 * KIB, keys: 300 },
  { name: 'large', least: 100 * KIB, most: 600 * KIB, keys: 40 },
]

export class Load {
  readonly tally: Tally = { requests: 0, hits: 0, misses: 0, refusals: 0, reconnects: 0 }
  private readonly users: readonly User[]
  private isEnding = false
  private readonly done: Promise<void>
  private error: unknown

  constructor(private readonly port: number, seed: number, phases: readonly Phase[] = PHASES) {
    const prng = new Prng(seed)
    this.users = Array.from({ length: USERS }, (_, number) =>
      new User(port, number, SPEECHES[number % SPEECHES.length]!, new Prng(prng.next()), this.tally))
    this.done = this.run(phases, prng).catch((error: unknown) => {
      this.error = error
      this.isEnding = true
    })
  }

  private async run(phases: readonly Phase[], prng: Prng): Promise<void> {
    while (!this.isEnding) {
      const first = prng.below(phases.length)
      const inTurn = [...phases.slice(first), ...phases.slice(0, first)]
      const until = performance.now() + ROUND_MS
      await Promise.all(this.users.map(user => user.work(inTurn, until, this.users)))
    }
  }

  /** Throws if a user has found something wrong by now. */
  check(): void { if (this.error !== undefined) throw this.error }

  /** Resolves when so many more requests have been answered. */
  async progress(requests: number): Promise<void> {
    const wanted = this.tally.requests + requests
    while (this.tally.requests < wanted) {
      this.check()
      await new Promise(resolve => setTimeout(resolve, 20))
    }
  }

  /**
   * Ends the load; then every user reads what it has stored. Answers how many keys there were, and how many of them are there.
   */
  async end(): Promise<{ keys: number, found: number }> {
    this.isEnding = true
    await this.done
    this.check()
    let keys = 0
    let found = 0
    for (const user of this.users) {
      const known = user.keys.slice(-READ_LAST)
      keys += known.length
      found += await user.readAll(known)
      await user.end()
    }
    return { keys, found }
  }

  destroy(): void {
    this.isEnding = true
    for (const user of this.users) user.destroy()
  }

  /** The general statistics of the server. */
  async stats(): Promise<ReadonlyMap<string, string>> {
    const talker = await Talker.connect(this.port)
    const rows = new Map<string, string>()
    await talker.say([{
      request: {
        bytes: Buffer.from('stats\r\n'),
        read: (bytes, at) => {
          const text = bytes.toString('latin1', at)
          if (!text.endsWith('END\r\n')) return bytes.length - at + 1
          for (const [, name, value] of text.matchAll(/^STAT (\S+) (.*)\r$/gm)) rows.set(name!, value!)
          return { answer: { is: 'unknown' }, end: bytes.length }
        },
      },
      settle: () => {},
    }])
    await talker.end()
    return rows
  }
}

/** The memory that a process takes, in bytes; Linux alone tells it. */
export function residentBytes(pid: number): number {
  const match = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))
  return Number(match?.[1] ?? 0) * KIB
}
