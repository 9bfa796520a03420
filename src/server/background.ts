// The work that goes on beside the requests, in bounded steps: lists are put in order, pages moved, dead items reclaimed,
// chains of the hash table measured.
// While clients are busy there is a step every 100 ms. When nobody asks for anything the steps come together once a second,
// as it is waking up that costs an idle process its time. A page that is moving, or is to move as a client has just asked,
// and a hash table that grows get steps of their own every 5 ms, and so does a walk over a large cache, for what is more than
// fits one step; a crawl that a client asked for every 2 ms.
import { type Clock } from '../clock.js'
import { Counter } from '../stats/counters.js'
import { type Store } from '../store/store.js'

const QUICK_MS = 5
const BUSY_MS = 100
const IDLE_MS = 1000
const CRAWL_MS = 2

export class Background {
  private intervalMs = 0
  private stopTimer: () => void = () => {}
  private stopCrawl: (() => void) | undefined
  /** What had been read from clients at the last step. */
  private bytesRead = 0
  /** The pace while no page moves and no table grows. */
  private restMs = BUSY_MS
  /** How long the last of the other steps is ago. */
  private sinceStepMs = 0
  /** Whether the walk that reclaims dead items has more to do than it has done in a step. */
  private isWalkBehind = false

  constructor(private readonly store: Store, private readonly clock: Clock) {}

  start(): void {
    this.sinceStepMs = BUSY_MS
    this.otherSteps()
    this.setPace(BUSY_MS)
  }

  stop(): void {
    this.stopTimer()
    this.intervalMs = 0
    this.endCrawl()
  }

  /** Carries out the crawl that a client asked for. */
  crawl(): void {
    this.stopCrawl ??= this.clock.every(CRAWL_MS, () => { if (this.store.crawlStep(CRAWL_MS)) this.endCrawl() })
  }

  private endCrawl(): void {
    this.stopCrawl?.()
    this.stopCrawl = undefined
  }

  /** Begins a move that a client asked for, without waiting for the next step. */
  move(): void { if (this.intervalMs !== 0) this.setPace(QUICK_MS) }

  private setPace(intervalMs: number): void {
    if (intervalMs === this.intervalMs) return
    this.stopTimer()
    this.intervalMs = intervalMs
    this.stopTimer = this.clock.every(intervalMs, () => this.step())
  }

  private step(): void {
    const { store } = this
    this.sinceStepMs += this.intervalMs
    store.moveStep()
    store.growStep()
    if (this.sinceStepMs >= BUSY_MS) this.otherSteps()
    else if (this.isWalkBehind) this.walkStep(0)
    this.setPace(store.rebalance.isAlert || store.isGrowing || this.isWalkBehind ? QUICK_MS : this.restMs)
  }

  private otherSteps(): void {
    const { store } = this
    const bytesRead = store.counters.sum(Counter.BytesRead)
    const isQuiet = bytesRead === this.bytesRead
    this.bytesRead = bytesRead
    const isUnfinished = store.balanceStep()
    this.walkStep(this.sinceStepMs)
    store.chainStep()
    this.sinceStepMs = 0
    this.restMs = isQuiet && !isUnfinished ? IDLE_MS : BUSY_MS
  }

  /** As much is walked in a second whatever the pace. */
  private walkStep(milliseconds: number): void {
    const { store } = this
    this.isWalkBehind = store.crawler.isOn && store.sweepStep(milliseconds)
  }
}
