// Soaks a server: users with a connection each work on keys of their own while the sizes of what they store shift, which
// makes pages move; items expire, everything is flushed now and then, users leave and come again, and somebody looks after
// the server and watches it all the while. In the end every key is read, the store is walked, and the memory that the
// process took, second by second, must have stayed within bounds.
//
//   MEMSLAB_SOAK_MINUTES=5 npm test -- test/soak
//
// A new command for those who look after a server is a line in aside.ts, new sizes are a row of PHASES.

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'

import { Prng } from '../support/prng.js'
import { binary } from '../torture/binary.js'
import { classic } from '../torture/classic.js'
import type { Dialect } from '../torture/intent.js'
import { meta } from '../torture/meta.js'
import { Talker } from '../torture/talker.js'
import { ask, Caretaker, Watcher } from './aside.js'
import type { Answer, Order } from './keeper.js'
import { User } from './user.js'
import type { Phase, Tally } from './user.js'

const KEEPER = fileURLToPath(new URL('keeper.js', import.meta.url))
const MIB = 2 ** 20
const KIB = 1024

export const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261126)
/** Without it each phase takes a second. */
export const MINUTES = Number(process.env['MEMSLAB_SOAK_MINUTES'] ?? 0)

/** All but the first want more memory than there is. */
export const PHASES: readonly Phase[] = [
  { name: 'tiny', least: 10, most: 200, keys: 4000 },
  { name: 'small', least: 1 * KIB, most: 4 * KIB, keys: 2000 },
  { name: 'middling', least: 8 * KIB, most: 60 * KIB, keys: 300 },
  { name: 'large', least: 100 * KIB, most: 600 * KIB, keys: 40 },
  { name: 'mixed', least: 10, most: 600 * KIB, keys: 60 },
]

const SPEECHES: readonly (readonly Dialect[])[] = [[classic, meta], [classic, meta], [binary]]
const USERS = 12
const MEGABYTES = 64
const THREADS = 4
const PHASE_MS = 1000
/** In a long run the phases come several times. */
const LONG_PHASE_MS = 5000
const SAMPLE_MS = 500
/** By how much the process may grow besides its items: compiled code, buffers, and what clients that are slow make it hold. */
const BESIDE_MIB = 80
/** How many keys each user looks for when everything is gone. */
const READ_AFTER_FLUSH = 200
/** By how much the last third of a long run may take more than the one before. */
const DRIFT_MIB = 12

export async function soak(t: Test): Promise<void> {
  const prng = new Prng(SEED)
  const keeper = new Keeper(t)
  const port = await keeper.tell({ say: 'start', options: { threads: THREADS, maxbytes: MEGABYTES * MIB } })
  const tally: Tally = { requests: 0, hits: 0, misses: 0, refusals: 0, reconnects: 0 }
  const users = Array.from({ length: USERS }, (_, number) =>
    new User(port, number, SPEECHES[number % SPEECHES.length]!, new Prng(prng.next()), tally))
  const caretaker = new Caretaker()
  const watcher = new Watcher()
  await watcher.start(port)
  const memory = new Series(keeper)
  try {
    const care = caretaker.run(port)
    care.catch(() => {})  // it is awaited below
    await live(port, users, prng)
    caretaker.end()
    await care
    await finish(t, users, keeper, port)
  } finally {
    watcher.end()
    await memory.end()
    for (const user of users) user.destroy()
  }
  t.comment(`MEMSLAB_SEED=${SEED}: ${JSON.stringify(tally)}; ${caretaker.rounds} rounds of care; ` +
    (watcher.isHeard ? `${watcher.lines} lines watched` : 'nobody may watch'))
  if (caretaker.unknown.size > 0) t.comment(`not known: ${[...caretaker.unknown].join('; ')}`)
  judgeMemory(t, memory.mebibytes)
}

/** Phase after phase until the time is over, with a flush between some. */
async function live(port: number, users: readonly User[], prng: Prng): Promise<void> {
  const phaseMs = MINUTES > 0 ? LONG_PHASE_MS : PHASE_MS
  const end = performance.now() + Math.max(MINUTES * 60_000, PHASES.length * PHASE_MS)
  for (let round = 0; performance.now() < end; round++) {
    const now = round % PHASES.length
    const phases = [PHASES[now]!, ...PHASES.slice(0, now), ...PHASES.slice(now + 1)]
    if (round > 0 && prng.oneIn(4)) await flush(port, users)
    const until = Math.min(end, performance.now() + phaseMs)
    await Promise.all(users.map(user => user.work(phases, until, users)))
  }
}

async function flush(port: number, users: readonly User[]): Promise<void> {
  const talker = await Talker.connect(port)
  await ask(talker, 'flush_all')
  await talker.end()
  for (const user of users) await user.readAll(user.forget().slice(0, READ_AFTER_FLUSH))
}

/** Every key is read, then the store is walked: while the users are there, when they have gone, and when the server is closed. */
async function finish(t: Test, users: readonly User[], keeper: Keeper, port: number): Promise<void> {
  let keys = 0
  let found = 0
  for (const user of users) {
    keys += user.keys.length
    found += await user.readAll()
  }
  t.ok(found > 0, `of ${keys} keys ${found} are there, with what was stored last`)
  await keeper.tell({ say: 'verify' })
  await Promise.all(users.map(user => user.end()))
  const talker = await Talker.connect(port)
  await ask(talker, 'flush_all')
  await talker.end()
  await keeper.tell({ say: 'verify' })
  await keeper.tell({ say: 'stop' })
  t.pass('the store is whole')
}

function judgeMemory(t: Test, mebibytes: readonly number[]): void {
  const third = Math.floor(mebibytes.length / 3)
  const middle = median(mebibytes.slice(third, 2 * third))
  const last = median(mebibytes.slice(2 * third))
  const step = Math.max(1, Math.ceil(mebibytes.length / 40))
  t.comment(`MiB: ${mebibytes.filter((_, index) => index % step === 0).join(' ')}`)
  // what it began with has in it the test's own loaders
  const growth = Math.max(...mebibytes) - mebibytes[0]!
  t.ok(growth <= MEGABYTES + BESIDE_MIB, `the process grew by ${growth} MiB, and may by ${MEGABYTES + BESIDE_MIB}`)
  if (MINUTES >= 2) t.ok(last - middle <= DRIFT_MIB, `in the last third ${last} MiB, in the second ${middle}`)
}

function median(numbers: readonly number[]): number {
  return [...numbers].sort((one, other) => one - other)[Math.floor(numbers.length / 2)] ?? 0
}

/** The process that keeps the server. */
class Keeper {
  private readonly child: ChildProcess
  private readonly exited: Promise<unknown>
  /** Orders are answered one by one. */
  private last: Promise<unknown> = Promise.resolve()

  constructor(t: Test) {
    this.child = fork(KEEPER, { stdio: 'inherit' })
    this.exited = once(this.child, 'exit')
    t.teardown(async () => {
      this.child.kill('SIGKILL')
      await this.exited
    })
  }

  tell(order: Order): Promise<number> {
    const answer = this.last.then(() => this.send(order))
    this.last = answer.catch(() => {})
    return answer
  }

  private async send(order: Order): Promise<number> {
    const died = this.exited.then(() => {
      throw new Error(`the server ended with ${this.child.exitCode ?? this.child.signalCode}`)
    })
    const message = once(this.child, 'message')
    this.child.send(order)
    const [answer] = await Promise.race([message, died]) as [Answer]
    if ('problem' in answer) throw new Error(answer.problem)
    return answer.number
  }
}

/** What the server's process takes, from time to time. */
class Series {
  readonly mebibytes: number[] = []
  private isEnding = false
  private readonly done: Promise<void>

  constructor(private readonly keeper: Keeper) { this.done = this.run().catch(() => {}) }

  private async run(): Promise<void> {
    while (!this.isEnding) {
      this.mebibytes.push(Math.round(await this.keeper.tell({ say: 'rss' }) / MIB))
      await sleep(SAMPLE_MS)
    }
  }

  async end(): Promise<void> {
    this.isEnding = true
    await this.done
  }
}
