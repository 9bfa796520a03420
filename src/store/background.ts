// Background work, in bounded steps: the LRU lists are maintained, pages are moved, dead items are reclaimed, and the chains of
// the hash table are measured.
// While clients or callers are busy there is a step every 100 ms. While no client sends anything, and nothing is stored, there is
// one a second, as an idle process spends its time on waking up. Three kinds of work get steps of their own every 5 ms: a page
// that is moving or that a client has just asked to move, a hash table that is growing, and a walk over a cache too large for one
// step. A crawl that a client asked for has a step every 2 ms.
import { type Clock } from '../clock.js'
import { Counter } from '../stats/counters.js'
import { type Store } from './store.js'

const QUICK_MS = 5
const BUSY_MS = 100
const IDLE_MS = 1000
const CRAWL_MS = 2

export class Background {
  private intervalMs = 0
  private stopTimer: () => void = () => {}
  private stopCrawl: (() => void) | undefined
  /** What had been done at the last step: the bytes read from clients, and the values that they and callers stored. */
  private doneBefore = 0
  /** The interval of steps while no page moves, no table grows and no walk is behind. */
  private restMs = BUSY_MS
  /** The milliseconds since `otherSteps` last ran. */
  private sinceStepMs = 0
  /** True while the walk that reclaims dead items had more to do than fitted in its last step. */
  private isWalkBehind = false

  /** @param beside work of other parts, in a bounded step: every 100 ms, or once a second while no client sends anything */
  constructor(private readonly store: Store, private readonly clock: Clock,
    private readonly beside: () => void = () => {}) {}

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

  /** Begins a move that a client asked for within 5 ms. */
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
    const done = store.counters.sum(Counter.BytesRead) + store.counters.sum(Counter.TotalItems)
    const isQuiet = done === this.doneBefore
    this.doneBefore = done
    const isUnfinished = store.balanceStep()
    this.walkStep(this.sinceStepMs)
    store.chainStep()
    this.beside()
    this.sinceStepMs = 0
    this.restMs = isQuiet && !isUnfinished ? IDLE_MS : BUSY_MS
  }

  /** Walks as far as is due after so many milliseconds, so that the interval of the steps does not change the walk's speed. */
  private walkStep(milliseconds: number): void {
    const { store } = this
    this.isWalkBehind = store.crawler.isOn && store.sweepStep(milliseconds)
  }
}
