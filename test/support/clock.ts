// The clock that tests hand to a server: time stands still until it is advanced.

import type { Clock } from '../../src/clock.js'
import './fresh.js'

interface Task {
  readonly intervalMs: number
  readonly run: () => void
  dueAt: number
}

export class ManualClock implements Clock {
  private readonly tasks = new Set<Task>()

  /** `startsAt` is Unix time in milliseconds. */
  constructor(private now = Date.UTC(2026, 0, 15, 12)) {}

  milliseconds(): number {
    return this.now
  }

  every(intervalMs: number, run: () => void): () => void {
    const task = { intervalMs, run, dueAt: this.now + intervalMs }
    this.tasks.add(task)
    return () => { this.tasks.delete(task) }
  }

  /** The reading jumps, on or back, as that of a clock that somebody sets. No task is due earlier or later for that. */
  jump(seconds: number): void {
    this.now += seconds * 1000
    for (const task of this.tasks) task.dueAt += seconds * 1000
  }

  /** Moves time on; each task runs when its moment comes, in order, and sees the time it was due at. */
  advance(seconds: number): void {
    const end = this.now + seconds * 1000
    for (let task = this.nextDue(end); task !== undefined; task = this.nextDue(end)) {
      this.now = task.dueAt
      task.dueAt += task.intervalMs
      task.run()
    }
    this.now = end
  }

  private nextDue(end: number): Task | undefined {
    let next: Task | undefined
    for (const task of this.tasks) {
      if (task.dueAt <= end && (next === undefined || task.dueAt < next.dueAt)) next = task
    }
    return next
  }
}
