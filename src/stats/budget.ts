// A text that is made anew each time it is asked for, unless making it would take more than its share of the thread's time: then
// the last one is given again. So a client that asks now and then gets the present state, however often it asks within a moment;
// and one that asks all the time takes no time from others, and gets a state that is a little old.
import { monotonicMilliseconds } from '../clock.js'

/** The share of a thread's time. */
const SHARE = 0.0025
/** The time that may be used at once, in milliseconds: enough for a hundred texts of an ordinary size. */
const CREDIT_MS = 20
/** The most that a text counts for, in milliseconds. The first one takes longer, and one that the system has interrupted. */
const COST_MS_MAX = 1

export class Budget {
  private text: Buffer | undefined
  private creditMs = CREDIT_MS
  private atMs: number

  /** @param now the time in milliseconds, from any moment */
  constructor(private readonly now: () => number = monotonicMilliseconds) {
    this.atMs = now()
  }

  /** The text, made by `make` now or a moment ago: at most 80 ms if that takes 0.2 ms, and never more than 400. */
  get(make: () => string): Buffer {
    const begin = this.now()
    this.creditMs = Math.min(this.creditMs + (begin - this.atMs) * SHARE, CREDIT_MS)
    this.atMs = begin
    if (this.text !== undefined && this.creditMs <= 0) return this.text
    this.text = Buffer.from(make())
    this.creditMs -= Math.min(this.now() - begin, COST_MS_MAX)
    return this.text
  }
}
