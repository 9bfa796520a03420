// A walk over the live items whose keys begin with given bytes, for those who list keys: a page, an embedder, an adapter. It is
// a Dump that leaves out the other keys, so it goes on in bounded steps, a key that is there from its beginning to its end is
// visited exactly once, and it takes as long as there is memory in use, however few keys begin so.
//
// A store has one such walk, dump or crawl at a time, as marks.ts has one bit a chunk: Store.tryWalkKeys declines while another
// is under way. A caller that may be asked for several at once lets them wait, or carries out one for all. The walk keeps
// others from beginning until it has ended or `close` was called, so a caller that stops early calls it.
import { type Crawler } from './crawler.js'
import { type Dump, type Visitor } from './dump.js'

export class KeyWalk {
  private isOpen = true

  /** @param crawler of which this walk is the run under way */
  constructor(private readonly dump: Dump, private readonly crawler: Crawler) {}

  /**
   * Visits some items; true if those were the last, or it was closed. Nothing need be closed after that.
   * @param visitor it must have room for any single item when a step begins
   */
  step(visitor: Visitor): boolean {
    if (this.isOpen && this.dump.step(visitor)) this.close()
    return !this.isOpen
  }

  /** Ends the walk where it is; it may be called again. */
  close(): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.dump.close()
    this.crawler.end()
  }
}
