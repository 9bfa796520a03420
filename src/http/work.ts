// Work that takes longer than a client of memcached should wait: it is done in steps, between which others are served.
import { monotonicMilliseconds } from '../clock.js'
import { setImmediate } from '../timers.js'

/** The longest that steps are taken in one turn of the event loop, if the last one is short. */
const TURN_MS = 0.3

export interface Worker {
  /** True once no client waits for the result. */
  readonly hasEnded: boolean
  /** Runs an action. If that throws, an invariant is broken, and the server has to end. */
  guard(action: () => void): void
}

/** Takes the steps of something, some in each turn, and passes on what it returns. Stops when the worker has ended. */
export function work<Result>(worker: Worker, steps: Generator<undefined, Result>, done: (result: Result) => void): void {
  if (worker.hasEnded) return
  const end = monotonicMilliseconds() + TURN_MS
  do {
    const step = steps.next()
    if (step.done === true) return done(step.value)
  } while (monotonicMilliseconds() < end)
  setImmediate(() => worker.guard(() => work(worker, steps, done)))
}
