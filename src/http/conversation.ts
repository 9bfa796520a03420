// A client that speaks HTTP, from its first request to its end: the exchanges that are under way, and the times that it may take.
import { type Clock } from '../clock.js'
import { type Caller } from '../net/caller.js'

/** The longest that a client may take for the head of a request, from its first byte on. */
const HEAD_MS = 10_000
/** The longest that it may ask nothing. A scrape each minute keeps its connection. */
const IDLE_MS = 75_000
/** The longest that it may take for what was written at once. */
const TAKE_MS = 30_000

/** Called when a client leaves before its exchange has ended. */
type Leave = () => void

export class Conversation {
  /** What has to be undone for the exchanges under way. */
  private readonly open = new Set<Leave>()
  /** True once its client has left. */
  isClosed = false
  private idleSince: number
  /** The bytes that have come with the requests so far; and the time when more were seen. */
  private received = 0
  private headSince: number | undefined
  /** The bytes that the client had taken when it was last seen to take some; and that time while it has to take more. */
  private taken = 0
  private takingSince: number | undefined

  constructor(readonly caller: Caller, private readonly clock: Clock) {
    this.idleSince = clock.milliseconds()
  }

  /** Begins an exchange. @param leave called once, when the exchange ends, however it does */
  begin(leave: Leave): void {
    this.open.add(leave)
    this.received = this.caller.bytesReceived
    this.headSince = undefined
    this.caller.wasUsed()
  }

  /** Ends an exchange, unless the client has left before. */
  finish(leave: Leave): void {
    if (!this.open.delete(leave)) return
    this.idleSince = this.clock.milliseconds()
    leave()
  }

  /** True if the client has taken longer for something than it may. Called each second. @param now in milliseconds */
  isOverdue(now: number): boolean {
    if (this.caller.isWriting) return this.takesTooLong(now)
    this.takingSince = undefined
    if (this.open.size > 0) return false
    if (this.caller.bytesReceived === this.received) return now - this.idleSince >= IDLE_MS
    this.headSince ??= now
    return now - this.headSince >= HEAD_MS
  }

  private takesTooLong(now: number): boolean {
    const { bytesTaken } = this.caller
    if (this.takingSince === undefined || bytesTaken !== this.taken) {
      this.taken = bytesTaken
      this.takingSince = now
    }
    return now - this.takingSince >= TAKE_MS
  }

  /** Ends the connection at once. */
  end(): void { this.caller.stream.destroy() }

  /** Ends all exchanges, as the client has left or the server closes. */
  closed(): void {
    this.isClosed = true
    for (const leave of [...this.open]) this.finish(leave)
  }
}
