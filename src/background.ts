// The work that goes on beside the requests, in bounded steps: lists are put in order, pages moved, dead items reclaimed.
// While clients are busy there is a step every 100 ms. When nobody asks for anything the steps come together once a second,
// as it is waking up that costs an idle process its time. A page that is moving gets a step of its own every 10 ms.
import { type Clock } from './clock.js'
import { Counter } from './stats/counters.js'
import { type Store } from './store/store.js'

const MOVING_MS = 10
const BUSY_MS = 100
const IDLE_MS = 1000

export class Background {
  private intervalMs = 0
  private stopTimer: () => void = () => {}
  /** What had been read from clients at the last step. */
  private bytesRead = 0
  /** The pace while no page moves. */
  private restMs = BUSY_MS
  /** How long the last of the other steps is ago. */
  private sinceStepMs = 0

  /** @param sweeps whether dead items are reclaimed */
  constructor(private readonly store: Store, private readonly clock: Clock, private readonly sweeps: boolean) {}

  start(): void { this.setPace(BUSY_MS) }

  stop(): void {
    this.stopTimer()
    this.intervalMs = 0
  }

  private setPace(intervalMs: number): void {
    if (intervalMs === this.intervalMs) return
    this.stop()
    this.intervalMs = intervalMs
    this.stopTimer = this.clock.every(intervalMs, () => this.step())
  }

  private step(): void {
    const { store } = this
    this.sinceStepMs += this.intervalMs
    store.moveStep()
    if (this.sinceStepMs >= BUSY_MS) this.otherSteps()
    this.setPace(store.rebalance.isUnderWay ? MOVING_MS : this.restMs)
  }

  private otherSteps(): void {
    const { store } = this
    const bytesRead = store.counters.sum(Counter.BytesRead)
    const isIdle = bytesRead === this.bytesRead
    this.bytesRead = bytesRead
    store.balanceStep()
    // as much is walked in a second whatever the pace
    for (let done = 0; this.sweeps && done < this.sinceStepMs; done += BUSY_MS) store.sweepStep()
    this.sinceStepMs = 0
    this.restMs = isIdle ? IDLE_MS : BUSY_MS
  }
}
