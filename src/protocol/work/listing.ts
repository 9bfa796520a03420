// An answer about many items or connections: the session writes one part of it now and each of the others in a turn of its own,
// so that no other client waits for the whole.
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

/** Where the parts of such an answer come from. */
export interface Listing {
  /** Writes a part, of which there is room for 64 KiB if nothing else waits to be written; true if it was the last. */
  next(): boolean
  /** Whether it has the crawler: memcached has the connection watch meanwhile. */
  readonly hasCrawler: boolean
  /** Gives back what it holds, when the last part has been written or the session has ended before. Called once. */
  end(): void
}

export class ListingWork implements Work {
  readonly wait = Wait.Turn
  readonly state: ConnectionState
  readonly next = undefined
  isDone = false

  constructor(private readonly listing: Listing) {
    this.state = listing.hasCrawler ? ConnectionState.Watch : ConnectionState.ParseCmd
  }

  resume(at: number): number {
    if (this.listing.next()) this.finish()
    return at
  }

  private finish(): void {
    this.isDone = true
    this.listing.end()
  }

  drop(): void { this.listing.end() }
}
