// A walk over the live items whose keys begin with given bytes, for code that lists keys: a web page, an embedder, an adapter. It
// is a Dump that leaves out other keys. So it has bounded steps, visits a key that is there from its beginning to its end exactly
// once, and takes a time that depends on the memory in use, however few keys match.
//
// A store has one such walk, dump or crawl at a time, as marks.ts has one bit for each chunk: Store.tryWalkKeys declines while
// another is under way. If a caller may need several at once, it queues them, or carries out one for all. No other walk can begin
// until this one has ended or was closed, so a caller that stops early has to call `close`.
import { type Crawler } from './crawler.js'
import { type Dump, type Visitor } from './dump.js'

export class KeyWalk {
  /** As that of a KeyScan: such a walk is not broken off and gone on with. */
  readonly cursor = 0
  private isOpen = true

  /** @param crawler the crawler whose run under way this walk is */
  constructor(private readonly dump: Dump, private readonly crawler: Crawler) {}

  /**
   * Visits some items. Returns true if those were the last, or if the walk was closed. After that, `close` need not be called.
   * @param visitor must have room for any single item when a step begins
   */
  step(visitor: Visitor): boolean {
    if (this.isOpen && this.dump.step(visitor)) this.close()
    return !this.isOpen
  }

  /** Ends the walk early. May be called twice. */
  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.dump.close()
    this.crawler.end()
  }
}
