// Several threads on one store, of which one at a time runs (turns.ts), through many Schedules of the same operations: each of
// two operations is stopped at one of its points, the other goes on from there to its end, or as far as locks allow, and then
// the first; and at random among two or three. After each run the whole store is verified, and what the operations answered
// and what is stored must be as if one had been carried out after the other, in one order or another. Those orders are
// tried with the same store and one thread. Where memory is short, an item may be lost in between.
//
// What goes wrong says a line with which exactly that is run again, see `replay`:
//
//   MEMSLAB_SIMULATE='number/same key/incr+delete/7/0,1:5>1' npm test -- simulate/threads

import { once } from 'node:events'
import { MessageChannel, Worker } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'

import { ClassCounter, Counter } from '../../src/stats/counters.js'
import { Prng } from '../support/prng.js'
import { Answers } from './answers.js'
import type { MemberData, NewWorld } from './member.js'
import { digest, operationNumber, operations, stateOf } from './operations.js'
import type { Operation } from './operations.js'
import { Director, parseSchedule, printSchedule, THREADS_MAX } from './turns.js'
import type { Course, Preemption, Schedule } from './turns.js'
import { KEY, RELATIONS, SETUPS, World } from './world.js'
import type { Relation, Setup } from './world.js'

/** What is run, apart from its schedule. */
export interface Trial {
  readonly setup: Setup
  readonly relation: Relation
  /** By thread. */
  readonly operations: readonly Operation[]
}

export function trialOf(setupName: string, relation: Relation, names: readonly string[]): Trial {
  const setup = SETUPS.find(({ name }) => name === setupName)
  if (setup === undefined) throw new Error(`there is no setup ${setupName}`)
  return { setup, relation, operations: names.map(name => operations[operationNumber(name)]!) }
}

/** What a run came to: answers by thread, what is stored, what was counted. */
type Outcome = string

const SEQUENTIAL: Pick<Schedule, 'preemptions' | 'isEager'> = { preemptions: [], isEager: false }
const OUT_OF_MEMORY = /[Oo]ut of memory/
/** More than is ever used, in bytes. */
const AMPLE_BYTES = 2 ** 29
/** What operations answer that have nothing to say. */
const NO_ANSWER = digest('')
/** What says that something was counted twice or not at all, whoever counted it. */
const COUNTERS = [
  Counter.CmdGet, Counter.GetMisses, Counter.CmdTouch, Counter.TouchMisses, Counter.DeleteMisses, Counter.IncrMisses,
  Counter.DecrMisses, Counter.CasMisses,
] as const
const CLASS_COUNTERS = [
  ClassCounter.CmdSet, ClassCounter.TouchHits, ClassCounter.DeleteHits, ClassCounter.IncrHits, ClassCounter.DecrHits,
  ClassCounter.CasHits, ClassCounter.CasBadval,
] as const

export interface Tally { trials: number, runs: number, waits: number, refusals: number }

export class Explorer {
  readonly tally: Tally = { trials: 0, runs: 0, waits: 0, refusals: 0 }
  private readonly answers: Answers
  private readonly random: Prng
  private world: World | undefined

  private constructor(private readonly seed: number, private readonly director: Director,
    private readonly members: readonly { worker: Worker, port: MessagePort }[], answers: SharedArrayBuffer) {
    this.answers = new Answers(answers)
    this.random = new Prng(seed)
  }

  static async start(seed: number): Promise<Explorer> {
    const board = Director.allocate()
    const answers = Answers.allocate()
    const members = Array.from({ length: THREADS_MAX }, (_, thread) => {
      const { port1, port2 } = new MessageChannel()
      const data: MemberData = { board, answers, thread, port: port2 }
      const worker = new Worker(new URL('member.js', import.meta.url), { workerData: data, transferList: [port2] })
      return { worker, port: port1 }
    })
    await Promise.all(members.map(({ worker }) => once(worker, 'message')))
    return new Explorer(seed, new Director(board), members, answers)
  }

  async end(): Promise<void> {
    for (const { port } of this.members) port.close()
    await Promise.all(this.members.map(({ worker }) => worker.terminate()))
  }

  /**
   * All schedules with one preemption of two operations, or `schedulesMax` of them.
   * @param randomCount further schedules at random
   * @throws Error with what was wrong, and how to have it again
   */
  explore(trial: Trial, schedulesMax: number, randomCount: number): void {
    this.tally.trials++
    const allowed = this.allowedFor(trial)
    const orders = permutations(trial.operations.length)
    const lengths = orders.map(order => this.check(trial, { order, ...SEQUENTIAL }, allowed).points)
    for (const schedule of this.choose(this.singlePreemptions(orders, lengths), schedulesMax)) {
      this.checkBoth(trial, schedule, allowed)
    }
    for (let count = 0; count < randomCount; count++) {
      this.checkBoth(trial, this.randomSchedule(orders, Math.max(...lengths)), allowed)
    }
  }

  /** So many schedules at random, of any number of operations. */
  exploreAtRandom(trial: Trial, count: number): void {
    this.tally.trials++
    const allowed = this.allowedFor(trial)
    const orders = permutations(trial.operations.length)
    const { points } = this.check(trial, { order: orders[0]!, ...SEQUENTIAL }, allowed)
    for (let run = 0; run < count; run++) this.checkBoth(trial, this.randomSchedule(orders, points), allowed)
  }

  /** Runs one schedule, as a line of a failure says it. */
  replay(trial: Trial, schedule: Schedule): void {
    this.check(trial, schedule, this.allowedFor(trial))
  }

  private *singlePreemptions(orders: readonly (readonly number[])[], lengths: readonly number[]): Iterable<Schedule> {
    for (const [index, order] of orders.entries()) {
      for (let at = 0; at < lengths[index]!; at++) yield { order, preemptions: [{ at, to: order[1]! }], isEager: false }
    }
  }

  private choose(schedules: Iterable<Schedule>, count: number): readonly Schedule[] {
    const all = [...schedules]
    for (let at = 0; at < Math.min(count, all.length - 1); at++) {
      const other = this.random.between(at, all.length - 1)
      const kept = all[at]!
      all[at] = all[other]!
      all[other] = kept
    }
    return all.slice(0, count)
  }

  private randomSchedule(orders: readonly (readonly number[])[], points: number): Schedule {
    const { random } = this
    const order = random.pick(orders)
    const ats = Array.from({ length: random.between(2, 6) }, () => random.below(Math.max(points, 1) * 2))
      .sort((one, other) => one - other)
    const preemptions = ats.map((at): Preemption => ({ at, to: random.pick(order) }))
    return { order, preemptions, isEager: random.oneIn(2) }
  }

  /** If a thread has to wait for a lock, there are two ways in which it goes on. */
  private checkBoth(trial: Trial, schedule: Schedule, allowed: Allowed): void {
    const { waits } = this.check(trial, schedule, allowed)
    this.tally.waits += waits
    if (waits > 0) this.check(trial, { ...schedule, isEager: !schedule.isEager }, allowed)
  }

  private check(trial: Trial, schedule: Schedule, allowed: Allowed): Course {
    this.tally.runs++
    const world = this.enter(trial)
    world.restore()
    const numbers = trial.operations.map(({ name }) => operationNumber(name))
    const course = this.director.run(numbers, schedule)
    const answers = numbers.map((_, thread) => this.answers.read(thread))
    const problem = course.problem ?? findThrown(answers) ?? findFault(world)
    if (problem !== undefined) this.fail(trial, schedule, problem, answers)
    if (this.areAnswersOfShortage(trial, answers)) this.tally.refusals++
    else {
      const outcome = this.outcome(world, trial, answers)
      if (!allowed.has(outcome)) this.fail(trial, schedule, `came to ${outcome}\nbut may come to\n  ${allowed.print()}`, answers)
    }
    return course
  }

  /** Memory may be refused for a moment because others hold what would have to go. */
  private areAnswersOfShortage(trial: Trial, answers: readonly string[]): boolean {
    return isShort(trial) && answers.some(answer => OUT_OF_MEMORY.test(answer))
  }

  private fail(trial: Trial, schedule: Schedule, problem: string, answers: readonly string[]): never {
    throw new Error(`${problem}\nanswers: ${answers.join(' | ')}\nagain: MEMSLAB_SIMULATE='${this.print(trial, schedule)}'`)
  }

  private print({ setup, relation, operations }: Trial, schedule: Schedule): string {
    return `${setup.name}/${relation}/${operations.map(({ name }) => name).join('+')}/${this.seed}/${printSchedule(schedule)}`
  }

  private enter({ setup, relation }: Trial): World {
    if (this.world?.setup === setup && this.world.relation === relation) return this.world
    const world = this.world = new World(setup, relation, this.seed)
    for (const [thread, { port }] of this.members.entries()) {
      const told: NewWorld = { shared: world.shared, subject: world.subjects[thread]! }
      port.postMessage(told)
    }
    return world
  }

  // What is right

  private allowedFor(trial: Trial): Allowed { return new Allowed(this.sequentialOutcomes(trial)) }

  /** What the operations come to one after the other, in all orders, and then with what may be lost in between. */
  private *sequentialOutcomes(trial: Trial): Generator<Outcome> {
    const world = this.enter(trial)
    const count = trial.operations.length
    const losses = sequences(isShort(trial) ? lossesOf(world) : [[]], count + 1)
    losses.sort((one, other) => lostIn(one) - lostIn(other))
    for (const lost of losses) for (const order of permutations(count)) yield this.runInOrder(world, trial, order, lost)
  }

  private runInOrder(world: World, trial: Trial, order: readonly number[], lost: readonly (readonly string[])[]): Outcome {
    world.restore()
    // what is lost is said by `lost`: of itself nothing goes
    if (isShort(trial)) world.maker.store.setMemoryLimit(AMPLE_BYTES)
    const answers: string[] = []
    for (const [place, thread] of order.entries()) {
      for (const key of lost[place] ?? []) lose(world, key)
      answers[thread] = NO_ANSWER
      if (trial.operations[thread]!.drops === true) continue
      answers[thread] = digest(trial.operations[thread]!.run(world.thread(thread), world.subjects[thread]!))
      if (trial.operations[thread]!.isBackground === true) world.forgetThread(thread)
    }
    for (const key of lost[order.length] ?? []) lose(world, key)
    return this.outcome(world, trial, answers)
  }

  private outcome(world: World, trial: Trial, answers: readonly string[]): Outcome {
    const isLossy = isShort(trial)
    const counts = isLossy ? '' : ` counted ${countsOf(world)}`
    const keys = new Set(world.subjects.map(({ key }) => key))
    // cas numbers go up with every loss
    const forget = (text: string): string => isLossy ? text.replaceAll(/\bcas[ =]\d+| \d+(?=\\r\\n)| c\d+/g, ' cas') : text
    const states = [...keys].map(key => `${key}: ${forget(stateOf(world.maker, key))}`)
    return `[${answers.map(forget).join(' | ')}] ${states.join('; ')}${counts}`
  }
}

/** What a trial may come to, found out as far as it is needed. */
class Allowed {
  private readonly outcomes = new Set<Outcome>()

  constructor(private readonly others: Generator<Outcome>) {}

  has(outcome: Outcome): boolean {
    while (!this.outcomes.has(outcome)) {
      const next = this.others.next()
      if (next.done === true) return false
      this.outcomes.add(next.value)
    }
    return true
  }

  print(): string { return [...this.outcomes].join('\n  ') }
}

function lostIn(losses: readonly (readonly string[])[]): number { return losses.filter(({ length }) => length > 0).length }

/** Whether an item may be lost because there is no memory for all. */
function isShort({ setup, operations }: Trial): boolean {
  return setup.isShort === true || operations.some(({ drops }) => drops === true)
}

/** Where an item may go by itself: none, one or all. */
function lossesOf(world: World): readonly (readonly string[])[] {
  const keys = [...new Set(world.subjects.map(({ key }) => key))]
  return keys.length === 1 ? [[], [KEY]] : [[], ...keys.map(key => [key]), keys]
}

function lose({ maker }: World, key: string): void { maker.delete(key) }

function countsOf({ maker }: World): string {
  const { counters } = maker.store
  return [...COUNTERS.map(counter => counters.sum(counter)),
    ...CLASS_COUNTERS.map(counter => counters.sumClasses(counter))].join()
}

function findThrown(answers: readonly string[]): string | undefined {
  return answers.find(answer => answer.startsWith('thrown') || answer.startsWith('"torn'))
}

/** What `verify` finds. */
function findFault(world: World): string | undefined {
  try {
    world.maker.verify(world.refs)
    return world.isReadWhole ? undefined : 'a value that is being read has changed'
  } catch (error) {
    return error instanceof Error ? error.stack ?? error.message : String(error)
  }
}

function permutations(count: number): number[][] {
  if (count === 1) return [[0]]
  return permutations(count - 1).flatMap(rest => Array.from({ length: count }, (_, at) => rest.toSpliced(at, 0, count - 1)))
}

/** All sequences of `length` of these. */
function sequences<T>(choices: readonly T[], length: number): T[][] {
  if (length === 0) return [[]]
  return sequences(choices, length - 1).flatMap(sequence => choices.map(choice => [...sequence, choice]))
}

/** Where two or more threads can be: a setup and how their keys are related. */
export type Place = Pick<Trial, 'setup' | 'relation'>

export function places(): readonly Place[] {
  return SETUPS.flatMap(setup => RELATIONS.map(relation => ({ setup, relation })))
}

const USED = operations.filter(({ isCareless }) => isCareless !== true)

/** All pairs of operations that have to do with each other if their keys are so related. */
export function pairsFor({ setup, relation }: Place): readonly (readonly Operation[])[] {
  const pairs = USED.flatMap((one, index) => USED.slice(index).map(other => [one, other]))
  // what is about all keys is the same with any relation, if both are
  return pairs.filter(pair => isWorthwhile(setup, pair) &&
    (relation === 'same key' || pair.some(({ isWide }) => isWide !== true)))
}

/** Three at random. */
export function threeOf({ setup }: Place, random: Prng): readonly Operation[] {
  for (;;) {
    const three = Array.from({ length: 3 }, () => random.pick(USED))
    if (isWorthwhile(setup, three)) return three
  }
}

/** There is one run of the crawler at a time, and one thread that does the background work. */
function isWorthwhile(setup: Setup, operations: readonly Operation[]): boolean {
  const runs = operations.filter(({ isRun }) => isRun === true).length
  const inBackground = operations.filter(({ isBackground }) => isBackground === true).length
  return runs <= 1 && inBackground <= 1 && !isKnownToDiffer(setup, operations)
}

/**
 * As in memcached, a number that is counted in place stays stale, and one that is replaced, because it is being read or has
 * become longer, does not.
 */
function isKnownToDiffer({ isStale }: Setup, operations: readonly Operation[]): boolean {
  return isStale === true && operations.some(({ isCount }) => isCount === true) &&
    operations.some(({ isReader }) => isReader === true)
}

/** A line of a failure, read. */
export function parseTrial(text: string): { trial: Trial, seed: number, schedule: Schedule } {
  const [setup = '', relationName, names = '', seed, schedule = ''] = text.split('/')
  const relation = RELATIONS.find(name => name === relationName)
  if (relation === undefined) throw new Error(`keys are not related by ${relationName}`)
  return { trial: trialOf(setup, relation, names.split('+')), seed: Number(seed), schedule: parseSchedule(schedule) }
}
