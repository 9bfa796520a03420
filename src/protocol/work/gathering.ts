// Bytes behind a request that are no value of an item. The session gathers them as they come, and then passes them on.
import { type Input } from '../input.js'
import { type Kept } from '../unfinished.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

export class Gathering implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Nread
  readonly next = undefined
  isDone = false

  /** @param done called once with all the bytes */
  constructor(private readonly input: Input, private readonly kept: Kept, private readonly count: number,
    private readonly done: (bytes: Buffer) => void) {}

  resume(at: number, end: number): number {
    const { kept, count } = this
    const stop = Math.min(end, at + count - kept.length)
    kept.append(this.input.bytes, at, stop)
    if (kept.length === count) this.finish()
    return stop
  }

  private finish(): void {
    const { kept, count } = this
    const bytes = Buffer.alloc(count)
    kept.copyTo(bytes, 0, 0, count)
    kept.clear()
    this.isDone = true
    this.done(bytes)
  }

  drop(): void { this.kept.clear() }
}
