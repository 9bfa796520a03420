// The record of calls, in the thread that made the server.
import { queueMicrotask } from '../timers.js'
import { fits, type Call, type Choice } from './calls.js'

export type CallListener = (call: Call) => void

export class CallRecord {
  private calls: Call[] = []
  /** The place of the oldest call, once there are as many as it keeps: the next one takes it. */
  private oldest = 0
  private readonly listeners = new Set<CallListener>()
  /** The number of calls that are forgotten, as there were more than it keeps. */
  droppedCount = 0

  /** @param callsMax the most calls that it keeps: the last ones */
  constructor(private readonly callsMax: number) {}

  add(call: Call): void {
    const { calls, callsMax } = this
    if (calls.length < callsMax) calls.push(call)
    else {
      this.droppedCount++
      if (callsMax > 0) calls[this.oldest++ % callsMax] = call
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
    this.oldest = 0
    this.droppedCount = 0
  }

  on(listener: CallListener): void { this.listeners.add(listener) }

  off(listener: CallListener): void { this.listeners.delete(listener) }
}
