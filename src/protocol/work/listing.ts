// A reply about many items or connections. The session writes one part of it at once and each of the others in a turn of its own,
// so that no other client waits for the whole reply.
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

/** The source of the parts. */
export interface Listing {
  /** Writes a part. There is room for 64 KiB if nothing else waits to be written. Returns true if it was the last part. */
  next(): boolean
  /** True if the crawler lists the items. memcached shows such a connection as one that watches. */
  readonly hasCrawler: boolean
  /** Frees what it holds, after the last part or when the session ends before. Called once. */
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
