// The only reader of the time of day and the only owner of timers. Everything that depends on time takes a Clock, so
// tests hand in one they move by hand.

/** Time and repeated work. An embedder or a test may hand in its own. */
export interface Clock {
  /** Unix time in milliseconds. */
  milliseconds(): number
  /** Calls `task` about every `intervalMs` until the returned function is called. Never keeps the process alive. */
  every(intervalMs: number, task: () => void): () => void
}

/** The time of the machine. */
export class SystemClock implements Clock {
  milliseconds(): number {
    return Date.now()
  }

  every(intervalMs: number, task: () => void): () => void {
    const timer = setInterval(task, intervalMs)
    timer.unref()
    return () => clearInterval(timer)
  }
}
