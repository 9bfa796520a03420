// What all threads have in common about the crawler: whether dead items are looked for in the background, at which pace,
// and whether somebody's run is under way. It lies in shared memory, as `lru_crawler` changes it from any thread.
//
// A run is what a client asked for: a crawl, which the main thread carries out, or a dump, which the client's own thread
// does. As in memcached there is one at a time; what asks for another is told that the crawler is busy. The walk that goes
// on in the background by itself is none.
import { CrawlerWord } from '../../memory/layout.js'

/** memcached sleeps once in so many items. */
const ITEMS_PER_SLEEP = 1000

/** How the crawler is set at the start. */
export interface CrawlerSettings {
  /** Whether dead items are looked for in the background, and runs allowed. */
  lruCrawler: boolean
  /** Microseconds, 0 to 1000000: the pause in which no more than ITEMS_PER_SLEEP items are looked at. */
  lruCrawlerSleep: number
  /** How many items of a class one run looks at; 0 for all. */
  lruCrawlerTocrawl: number
}

/** Some of the slab classes, numbered 0 to 63. */
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
  /** @param at index of CrawlerWord.End words, zeroed at the start */
  constructor(private readonly words: Int32Array, private readonly at: number) {}

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

  /** How many items may be looked at in so many milliseconds. */
  itemsIn(milliseconds: number): number {
    const { sleepUs } = this
    return sleepUs === 0 ? Infinity : Math.ceil(milliseconds * 1000 * ITEMS_PER_SLEEP / sleepUs)
  }

  // Runs

  get isRunning(): boolean { return Atomics.load(this.words, this.at + CrawlerWord.IsRunning) !== 0 }

  /** Begins a run, until `end`; false if one is under way. @param classes what it is about */
  tryBegin(classes: ClassSet): boolean {
    if (Atomics.compareExchange(this.words, this.at + CrawlerWord.IsRunning, 0, 1) !== 0) return false
    this.words[this.at + CrawlerWord.ClassesLow] = classes.low
    this.words[this.at + CrawlerWord.ClassesHigh] = classes.high
    return true
  }

  end(): void { Atomics.store(this.words, this.at + CrawlerWord.IsRunning, 0) }

  /** What the run under way is about. */
  get classes(): ClassSet {
    return new ClassSet(this.words[this.at + CrawlerWord.ClassesLow]!, this.words[this.at + CrawlerWord.ClassesHigh]!)
  }
}
