// Whose turn it is among threads of which one at a time runs. Each is a real thread, as JavaScript cannot leave a function in
// the middle, but all of them sleep but the one whose turn it is; so what happens is decided by a Schedule alone and can
// be had again. A turn is handed over at a point: before a lock is taken or tried, after it is given back, and before each
// atomic operation. A thread that wants a lock which another has sleeps until that is given back. If none can go on, that
// is a deadlock.
//
// Locks and Atomics are replaced in the threads of the simulation only (`hook`); the store knows nothing of it.

import { InvariantError } from '../../src/errors.js'
import { Locks } from '../../src/memory/lock.js'
import { Allocator } from '../../src/store/slabs/allocator.js'

/** At point `at`, counted over all threads, the thread `to` goes on, if it can. */
export interface Preemption { readonly at: number, readonly to: number }

export interface Schedule {
  /** Who begins, and who goes on when a thread has come to its end or sleeps. */
  readonly order: readonly number[]
  readonly preemptions: readonly Preemption[]
  /** Whether a thread that waits for a lock gets it as soon as it is given back, rather than when its turn comes. */
  readonly isEager: boolean
}

/** As `0,1:17>1,40>0!`: the order, the preemptions, and `!` if it is eager. */
export function printSchedule({ order, preemptions, isEager }: Schedule): string {
  return `${order.join()}:${preemptions.map(({ at, to }) => `${at}>${to}`).join()}${isEager ? '!' : ''}`
}

export function parseSchedule(text: string): Schedule {
  const match = /^([\d,]+):([\d>,]*)(!?)$/.exec(text)
  if (match === null) throw new Error(`${text} is no schedule`)
  const [, order = '', preemptions = '', eager] = match
  return {
    order: order.split(',').map(Number),
    preemptions: preemptions === '' ? [] : preemptions.split(',').map(each => {
      const [at, to] = each.split('>').map(Number)
      return { at: at!, to: to! }
    }),
    isEager: eager === '!',
  }
}

export const THREADS_MAX = 3
const PREEMPTIONS_MAX = 32
/** What no operation of these comes near: a loop without an end. */
const POINTS_MAX = 2_000_000
/** How long whoever waits for the end of a run believes that it is under way. It is milliseconds, but other work may be heavy. */
const STUCK_MS = 120_000

const enum State { Done, Ready, Asleep }
const enum End { None, Good, Deadlock, Endless }

/**
 * The words that all threads share. The arrays behind the first words have an entry for each thread, the list two a preemption.
 */
const enum Word {
  /** Points passed, the next preemption's point, and which that is. */
  Points, NextAt, Next,
  IsEager, End, Handovers, Waits,
  /** Set to 1 for who is to go on; the last one is that of the director. */
  Gate,
  State = Gate + THREADS_MAX + 1,
  WaitsFor = State + THREADS_MAX,
  Order = WaitsFor + THREADS_MAX,
  Operation = Order + THREADS_MAX,
  List = Operation + THREADS_MAX,
  Count = List + 2 * PREEMPTIONS_MAX + 2,
}

const DIRECTOR = THREADS_MAX
const NEVER = 0x7fffffff
/** Before they are hooked. */
const { load, notify, store, wait } = Atomics

/** What the director and all threads have of the board. */
abstract class Board {
  constructor(protected readonly words: Int32Array) {}

  protected wake(who: number): void {
    store(this.words, Word.Gate + who, 1)
    notify(this.words, Word.Gate + who, 1)
  }

  /** Sleeps until woken. @returns false if that takes longer than it should */
  protected sleep(who: number, milliseconds: number): boolean {
    while (load(this.words, Word.Gate + who) === 0) {
      if (wait(this.words, Word.Gate + who, 0, milliseconds) === 'timed-out') return false
    }
    store(this.words, Word.Gate + who, 0)
    return true
  }
}

/** How a run went. */
export interface Course {
  readonly points: number
  /** How often a thread waited for a lock. */
  readonly waits: number
  /** What kept the threads from coming to their ends. */
  readonly problem: string | undefined
}

/** Who says what is done in which order. */
export class Director extends Board {
  static allocate(): Int32Array { return new Int32Array(new SharedArrayBuffer(Word.Count * 4)) }

  /** Has one operation each carried out by the threads of the order. @param operations their numbers, by thread */
  run(operations: readonly number[], { order, preemptions, isEager }: Schedule): Course {
    const { words } = this
    words.fill(0)
    words[Word.IsEager] = isEager ? 1 : 0
    for (let place = 0; place < THREADS_MAX; place++) words[Word.Order + place] = order[place] ?? -1
    for (const thread of order) {
      words[Word.State + thread] = State.Ready
      words[Word.Operation + thread] = operations[thread]!
    }
    words.fill(NEVER, Word.List)
    for (const [index, { at, to }] of preemptions.slice(0, PREEMPTIONS_MAX).entries()) {
      words[Word.List + 2 * index] = at
      words[Word.List + 2 * index + 1] = to
    }
    words[Word.NextAt] = words[Word.List]!
    this.wake(order[0]!)
    const isOver = this.sleep(DIRECTOR, STUCK_MS)
    return { points: words[Word.Points]!, waits: words[Word.Waits]!, problem: isOver ? this.problem() : 'a thread is stuck' }
  }

  private problem(): string | undefined {
    const { words } = this
    if (words[Word.End] === End.Endless) return `no end after ${POINTS_MAX} points`
    if (words[Word.End] !== End.Deadlock) return undefined
    const waiting = Array.from({ length: THREADS_MAX }, (_, thread) => thread)
      .filter(thread => words[Word.State + thread] === State.Asleep)
    const waits = waiting.map(thread => `thread ${thread} waits for the lock at word ${words[Word.WaitsFor + thread]}`)
    return `deadlock: ${waits.join(', ')}`
  }
}

/** One of the threads. */
export class Turns extends Board {
  /** Whether points count: not while a thread gets ready for its operation. */
  private isOn = false

  constructor(words: Int32Array, private readonly own: number) { super(words) }

  /** Waits until an operation is to be carried out; its number. */
  begin(): number {
    this.sleep(this.own, Infinity)
    return this.words[Word.Operation + this.own]!
  }

  /** Runs one with turns. */
  perform<T>(operation: () => T): T {
    this.isOn = true
    try {
      return operation()
    } finally { this.isOn = false }
  }

  /** The operation has come to its end. */
  end(): void {
    const { words, own } = this
    words[Word.State + own] = State.Done
    const next = this.nextReady()
    if (next >= 0) return this.wake(next)
    const isDone = Array.from({ length: THREADS_MAX }, (_, thread) => words[Word.State + thread])
      .every(state => state === State.Done)
    words[Word.End] ||= isDone ? End.Good : End.Deadlock
    this.wake(DIRECTOR)
  }

  /** Where another thread may go on. */
  point(): void {
    if (!this.isOn) return
    const { words } = this
    const at = words[Word.Points]!++
    if (at === POINTS_MAX) this.giveUp(End.Endless)
    if (at < words[Word.NextAt]!) return
    const index = words[Word.Next]!++
    const to = words[Word.List + 2 * index + 1]!
    words[Word.NextAt] = words[Word.List + 2 * index + 2]!
    if (to !== this.own && words[Word.State + to] === State.Ready) this.handTo(to)
  }

  /** Lets another go on if one can, as who pauses for a while does. */
  pause(): void {
    if (!this.isOn) return
    const next = this.nextReady()
    if (next >= 0) this.handTo(next)
  }

  /** Until a lock has been given back that another thread has. */
  waitFor(lock: number): void {
    const { words, own } = this
    if (!this.isOn) throw new InvariantError('a lock is held that nobody can give back')
    words[Word.Waits]!++
    words[Word.State + own] = State.Asleep
    words[Word.WaitsFor + own] = lock
    const next = this.nextReady()
    if (next < 0) this.giveUp(End.Deadlock)
    this.handTo(next)
  }

  /** A lock has been given back. */
  released(lock: number): void {
    if (!this.isOn) return
    const { words } = this
    let heir = -1
    for (let thread = 0; thread < THREADS_MAX; thread++) {
      if (words[Word.State + thread] !== State.Asleep || words[Word.WaitsFor + thread] !== lock) continue
      words[Word.State + thread] = State.Ready
      heir = thread
    }
    if (heir >= 0 && words[Word.IsEager] === 1) this.handTo(heir)
  }

  private nextReady(): number {
    const { words, own } = this
    for (let place = 0; place < THREADS_MAX; place++) {
      const thread = words[Word.Order + place]!
      if (thread >= 0 && thread !== own && words[Word.State + thread] === State.Ready) return thread
    }
    return -1
  }

  private handTo(thread: number): void {
    this.words[Word.Handovers]!++
    this.wake(thread)
    this.sleep(this.own, Infinity)
  }

  /** The run is over, and this thread with it: it sleeps until it is ended. */
  private giveUp(end: End): void {
    this.words[Word.End] = end
    this.wake(DIRECTOR)
    this.sleep(this.own, Infinity)
  }
}

/** Has the turns of this thread pass at its locks and atomic operations. For the whole thread, and for good. */
export function hook(turns: Turns): void {
  hookLocks(turns)
  hookAtomics(turns)
  // a chunk that a walk without locks has found is looked at here
  const { hashOf } = Allocator.prototype
  Allocator.prototype.hashOf = function (this: Allocator, item) {
    turns.point()
    return hashOf.call(this, item)
  }
}

function hookLocks(turns: Turns): void {
  const { tryTake, release } = Locks.prototype
  Locks.prototype.take = function (this: Locks, word) {
    turns.point()
    while (!tryTake.call(this, word)) turns.waitFor(word)
  }
  Locks.prototype.tryTake = function (this: Locks, word) {
    turns.point()
    return tryTake.call(this, word)
  }
  Locks.prototype.release = function (this: Locks, word) {
    release.call(this, word)
    turns.released(word)
    turns.point()
  }
}

const OPERATIONS = ['add', 'sub', 'and', 'or', 'xor', 'exchange', 'compareExchange', 'load', 'store'] as const

function hookAtomics(turns: Turns): void {
  const atomics: Record<string, unknown> = Atomics as unknown as Record<string, unknown>
  for (const name of OPERATIONS) {
    const operation = atomics[name] as (...given: unknown[]) => unknown
    atomics[name] = (...given: unknown[]) => {
      turns.point()
      return operation(...given)
    }
  }
  atomics['wait'] = () => {
    turns.pause()
    return 'timed-out'
  }
}
