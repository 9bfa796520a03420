// The rules of a thread: the faults that are in force. A rule is plain data, which the thread that made the server posts to each
// thread that serves. What it counts lies in memory that they share, so that `times` and `nth` are exact with any number of
// threads; and each of them takes new rules before it serves the next request, as a version in shared memory tells it.
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads'
import { fits, type Choice, type Facts } from './calls.js'
import { chanceOf } from './chance.js'
import { type Fault } from './faults.js'

/** The words that all threads share. */
export const enum SharedWord { Version, Calls, Connections, Count }

/** The words that a rule counts in: the requests or connections that fit, and those that have had the fault. */
export const enum RuleCount { Seen, Used, Count }

/** A fault in force. */
export interface RuleData {
  readonly id: number
  readonly fault: Fault
  readonly choice: Choice
  /** The most uses; undefined for any number. */
  readonly times: number | undefined
  /** The first of those that fit that is to have the fault, from 1. */
  readonly first: number
  readonly toxicity: number
  readonly seed: number
  /** Int32 words, see RuleCount. */
  readonly counts: SharedArrayBuffer
}

export type RuleMessage = { readonly add: RuleData } | { readonly remove: number }

export class Rule {
  private readonly counts: Int32Array

  constructor(readonly data: RuleData) { this.counts = new Int32Array(data.counts) }

  get type(): Fault['type'] { return this.data.fault.type }

  fits(facts: Facts): boolean { return fits(this.data.choice, facts) }

  /** Counts a request or a connection that fits. Returns true if it is to have the fault. */
  take(): boolean {
    const { counts, data: { times, first, toxicity, seed } } = this
    const seen = Atomics.add(counts, RuleCount.Seen, 1) + 1
    if (seen < first || chanceOf(seed, seen) >= toxicity) return false
    const used = Atomics.add(counts, RuleCount.Used, 1)
    if (times === undefined || used < times) return true
    Atomics.sub(counts, RuleCount.Used, 1)
    return false
  }
}

/** Where a thread gets its rules from. */
export interface RuleSource {
  /** Int32 words, see SharedWord. */
  readonly shared: SharedArrayBuffer
  /** Brings the rules; undefined in the thread that makes them. */
  readonly port: MessagePort | undefined
}

export class Rules {
  /** The newest first. */
  all: readonly Rule[] = []
  private readonly shared: Int32Array
  private readonly port: MessagePort | undefined
  private version = -1
  /** Called when the rules have changed. */
  changed: () => void = () => {}

  constructor({ shared, port }: RuleSource) {
    this.shared = new Int32Array(shared)
    this.port = port
    // so that a connection which is silent has its toxics, too
    port?.on('message', (message: RuleMessage) => this.take(message))
    port?.unref()
  }

  /** Takes the rules that have been posted since. */
  sync(): void {
    const { port } = this
    if (port === undefined) return
    const version = Atomics.load(this.shared, SharedWord.Version)
    if (version === this.version) return
    this.version = version
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      this.take(next.message as RuleMessage)
    }
  }

  take(message: RuleMessage): void {
    if ('add' in message) this.all = [new Rule(message.add), ...this.all]
    else this.all = this.all.filter(({ data }) => data.id !== message.remove)
    this.changed()
  }

  /** The next number of a call or a connection, from 1. */
  nextNumber(word: SharedWord.Calls | SharedWord.Connections): number { return Atomics.add(this.shared, word, 1) + 1 }

  /** The newest rule of one of these types that a request or a connection is to have. */
  find(types: readonly Fault['type'][], facts: Facts): Rule | undefined {
    return this.all.find(rule => types.includes(rule.type) && rule.fits(facts) && rule.take())
  }
}
