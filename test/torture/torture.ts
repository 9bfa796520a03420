// Tortures a server: many connections send bursts of requests for few keys, round after round; after each round
// everything that was answered is checked as a whole. MEMSLAB_SEED chooses the requests, but not in which order the
// server's threads come to them; MEMSLAB_TORTURE_SECONDS how long each scenario goes on, instead of one round.

import type { Test } from 'tap'

import { Prng } from '../support/prng.js'
import { check, report } from './check.js'
import { History } from './history.js'
import { Mixture } from './mixture.js'
import type { Taste } from './mixture.js'
import { Talker } from './talker.js'

export const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
export const SECONDS = Number(process.env['MEMSLAB_TORTURE_SECONDS'] ?? 0)

export interface Scenario extends Taste {
  readonly connections: number
  /** Requests in one round, about. */
  readonly requests: number
  readonly burstMax: number
  /** What is said besides, over and over, to a connection of its own: a line, and how its answer ends. */
  readonly aside?: readonly (readonly [string, RegExp])[]
}

/** One burst in so many is sent in pieces, or its answers are left lying for a while. */
const ODD_ONE_IN = 8
const TURNS_MAX = 30
/** Every other burst is no longer than this, so that what was read is not always old. */
const BURST_SMALL = 4
const READ_AT_ONCE = 20

export async function torture(t: Test, port: number, scenario: Scenario): Promise<void> {
  const prng = new Prng(SEED)
  const end = performance.now() + SECONDS * 1000
  let count = 0
  let round = 0
  do {
    const history = new History()
    try {
      await play(port, scenario, prng, history, `${SEED}r${round}`)
    } catch (error) {
      throw Object.assign(error as Error, { seed: SEED, round })
    }
    const fault = check(history.operations, scenario)
    if (fault !== undefined) throw Object.assign(new Error(report(fault)), { seed: SEED, round })
    count += history.operations.length
    round++
  } while (performance.now() < end)
  t.pass(`MEMSLAB_SEED=${SEED}: ${count} operations in ${round} rounds`)
}

/** One round, with all that came of it in the history. */
export async function play(port: number, scenario: Scenario, prng: Prng, history: History, name: string): Promise<void> {
  const mixture = new Mixture(prng, history, scenario, name)
  const talkers = await Promise.all(Array.from({ length: scenario.connections }, () => Talker.connect(port)))
  const aside = scenario.aside === undefined ? undefined : new Aside(await Talker.connect(port), scenario.aside)
  try {
    const conversations = talkers.map((talker, connection) => converse(talker, connection, mixture, scenario, prng, history))
    await Promise.all([Promise.all(conversations).then(() => aside?.end()), aside?.run()])
    await readAll(talkers[0]!, mixture, history)
    await Promise.all(talkers.map(talker => talker.end()))
  } finally {
    for (const talker of talkers) talker.destroy()
    aside?.destroy()
  }
}

async function converse(
  talker: Talker, connection: number, mixture: Mixture, scenario: Scenario, prng: Prng, history: History,
): Promise<void> {
  // One in three speaks binary.
  const isBinary = connection % 3 === 2
  while (history.operations.length < scenario.requests) {
    const first = history.operations.length
    const exchanges = mixture.burst(connection, isBinary, prng.between(1, prng.oneIn(2) ? scenario.burstMax : BURST_SMALL))
    begin(history, first)
    const isOdd = prng.oneIn(ODD_ONE_IN)
    const cuts = isOdd ? Array.from({ length: prng.below(4) }, () => prng.next() / 2 ** 32) : []
    await talker.say(exchanges, cuts, isOdd ? prng.below(TURNS_MAX) : 0)
  }
}

async function readAll(talker: Talker, mixture: Mixture, history: History): Promise<void> {
  const first = history.operations.length
  const exchanges = mixture.readAll(0)
  begin(history, first)
  for (let at = 0; at < exchanges.length; at += READ_AT_ONCE) await talker.say(exchanges.slice(at, at + READ_AT_ONCE))
}

/** The operations recorded last are about to be sent. */
function begin(history: History, first: number): void {
  for (let index = first; index < history.operations.length; index++) history.operations[index]!.begin = history.tick()
}

/** Says the same lines over and over. */
class Aside {
  private isEnding = false

  constructor(private readonly talker: Talker, private readonly lines: readonly (readonly [string, RegExp])[]) {}

  async run(): Promise<void> {
    for (let index = 0; !this.isEnding; index++) {
      const [text, ending] = this.lines[index % this.lines.length]!
      await this.talker.say([{
        request: {
          bytes: Buffer.from(`${text}\r\n`),
          read: (bytes, at) => {
            const answer = bytes.toString('latin1', at)
            return ending.test(answer) ? { answer: { is: 'unknown' }, end: bytes.length } : answer.length + 1
          },
        },
        settle: () => {},
      }])
    }
    await this.talker.end()
  }

  end(): void {
    this.isEnding = true
  }

  destroy(): void {
    this.talker.destroy()
  }
}
