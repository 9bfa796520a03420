// The state of the crawler, in shared memory, as `lru_crawler` changes it in any thread: whether dead items are reclaimed in the
// background, at which pace, and whether a run is under way.
//
// A client asks for a run: a crawl, which the main thread carries out, or a dump, which the client's own thread does. As in
// memcached there is one run at a time; a client that asks for another gets BUSY. The background walk is not a run.
import { CrawlerWord } from '../../memory/layout.js'

/** The number of items after which memcached's crawler sleeps. */
const ITEMS_PER_SLEEP = 1000

/** The settings of the crawler at the start. */
export interface CrawlerSettings {
  /** True if dead items are reclaimed in the background, and runs are allowed. */
  lruCrawler: boolean
  /** The pause for each ITEMS_PER_SLEEP items in microseconds, 0 to 1000000. */
  lruCrawlerSleep: number
  /** The most items of a class that one run checks; 0 for all. */
  lruCrawlerTocrawl: number
}

/** A set of slab classes, which are numbered 0 to 63. */
export class ClassSet {
  static readonly all = new ClassSet(-1, -1)

  /** @param low bits of the classes 0 to 31; @param high bits of those from 32 on */
  constructor(readonly low: number, readonly high: number) {}

  static of(classes: Iterable<number>): ClassSet {
    let low = 0
    let high = 0
    for (const slabClass of classes) {
      if (slabClass < 32) low |= 1 << slabClass
      else high |= 1 << (slabClass - 32)
    }
    return new ClassSet(low, high)
  }

  has(slabClass: number): boolean {
    const bits = slabClass < 32 ? this.low : this.high
    return ((bits >>> (slabClass & 31)) & 1) !== 0
  }
}

export class Crawler {
  /** @param at index of CrawlerWord.End words, zeroed at the start; @param thread the number of this thread */
  constructor(private readonly words: Int32Array, private readonly at: number, private readonly thread = 0) {}

  set({ lruCrawler, lruCrawlerSleep, lruCrawlerTocrawl }: CrawlerSettings): void {
    this.isOn = lruCrawler
    this.sleepUs = lruCrawlerSleep
    this.tocrawl = lruCrawlerTocrawl
  }

  get isOn(): boolean { return this.words[this.at + CrawlerWord.IsOn] !== 0 }
  set isOn(isOn: boolean) { this.words[this.at + CrawlerWord.IsOn] = isOn ? 1 : 0 }

  get sleepUs(): number { return this.words[this.at + CrawlerWord.SleepUs]! }
  set sleepUs(microseconds: number) { this.words[this.at + CrawlerWord.SleepUs] = microseconds }

  get tocrawl(): number { return this.words[this.at + CrawlerWord.Tocrawl]! >>> 0 }
  set tocrawl(items: number) { this.words[this.at + CrawlerWord.Tocrawl] = items }

  /** The number of items that may be checked in so many milliseconds. */
  itemsIn(milliseconds: number): number {
    const { sleepUs } = this
    return sleepUs === 0 ? Infinity : Math.ceil(milliseconds * 1000 * ITEMS_PER_SLEEP / sleepUs)
  }

  // Runs

  get isRunning(): boolean { return Atomics.load(this.words, this.at + CrawlerWord.Runner) !== 0 }

  /** True if a thread began the run under way. */
  isRunOf(thread: number): boolean { return Atomics.load(this.words, this.at + CrawlerWord.Runner) === thread + 1 }

  /** Begins a run, until `end`; false if one is under way. @param classes the classes of the run */
  tryBegin(classes: ClassSet): boolean {
    if (Atomics.compareExchange(this.words, this.at + CrawlerWord.Runner, 0, this.thread + 1) !== 0) return false
    this.words[this.at + CrawlerWord.ClassesLow] = classes.low
    this.words[this.at + CrawlerWord.ClassesHigh] = classes.high
    return true
  }

  end(): void { Atomics.store(this.words, this.at + CrawlerWord.Runner, 0) }

  /** The classes of the run under way. */
  get classes(): ClassSet {
    return new ClassSet(this.words[this.at + CrawlerWord.ClassesLow]!, this.words[this.at + CrawlerWord.ClassesHigh]!)
  }
}
