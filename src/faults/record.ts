// The record of calls, in the thread that made the server.
import { MemslabError } from '../errors.js'
import { clearTimeout, queueMicrotask, setTimeout } from '../timers.js'
import { fits, type Call, type Choice } from './calls.js'

/** Waits for the n-th call that fits. */
interface Waiter { readonly choice: Choice, leftCount: number, readonly resolve: (call: Call) => void }

export type CallListener = (call: Call) => void

export class CallRecord {
  private calls: Call[] = []
  private readonly waiters = new Set<Waiter>()
  private readonly listeners = new Set<CallListener>()
  /** The number of calls that are forgotten, as there were more than it keeps. */
  droppedCount = 0

  /** @param callsMax the most calls that it keeps: the last ones */
  constructor(private readonly callsMax: number) {}

  add(call: Call): void {
    this.calls.push(call)
    if (this.calls.length > this.callsMax) {
      this.calls.shift()
      this.droppedCount++
    }
    for (const waiter of this.waiters) {
      if (!fits(waiter.choice, call) || --waiter.leftCount > 0) continue
      this.waiters.delete(waiter)
      waiter.resolve(call)
    }
    // in a microtask of its own each, as an error that a listener throws must not end the server
    for (const listener of this.listeners) queueMicrotask(() => listener(call))
  }

  /** The calls that fit, in the order in which the server was asked. */
  matching(choice: Choice): Call[] {
    return this.calls.filter(call => fits(choice, call)).sort((one, other) => one.number - other.number)
  }

  clear(): void {
    this.calls = []
    this.droppedCount = 0
  }

  /** Resolves with the n-th call that fits, which may have been before. Rejects when the time is over. */
  async wait(choice: Choice, count: number, timeoutMs: number, shown: string): Promise<Call> {
    const before = this.matching(choice)
    if (before.length >= count) return before[count - 1]!
    return await new Promise((resolve, reject) => {
      const waiter = {
        choice, leftCount: count - before.length,
        resolve: (call: Call) => {
          clearTimeout(timer)
          resolve(call)
        },
      }
      const timer = setTimeout(() => {
        this.waiters.delete(waiter)
        reject(new MemslabError('ETIMEDOUT', `no call came within ${timeoutMs} ms that fits ${shown}`))
      }, timeoutMs)
      this.waiters.add(waiter)
    })
  }

  on(listener: CallListener): void { this.listeners.add(listener) }

  off(listener: CallListener): void { this.listeners.delete(listener) }
}
