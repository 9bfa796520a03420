// Server-sent events: each second all streams of a thread get what everything.ts says. It is made once for all of them.
import { type Clock } from '../clock.js'
import { type Host } from '../protocol/host.js'
import { everything, type Everything } from './everything.js'
import { type Exchange } from './exchange.js'

const SECOND_MS = 1000
/** How long a browser waits before it connects again, in milliseconds. */
const RETRY_MS = 1000

export class Events {
  private readonly streams = new Set<Exchange>()
  private stopTimer: (() => void) | undefined
  private isMaking = false

  constructor(private readonly host: Host, private readonly clock: Clock) {}

  /** Begins a stream, with an event at once. */
  add(exchange: Exchange): void {
    const { streams, clock } = this
    exchange.response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
    if (exchange.request.method === 'HEAD') return void exchange.response.end()
    exchange.response.write(`retry: ${RETRY_MS}\n\n`)
    streams.add(exchange)
    exchange.atEnd(() => this.remove(exchange))
    exchange.work(everything(this.host, clock), all => send(exchange, all))
    this.stopTimer ??= clock.every(SECOND_MS, () => this.tick())
  }

  private remove(exchange: Exchange): void {
    this.streams.delete(exchange)
    if (this.streams.size === 0) this.stop()
  }

  private tick(): void {
    const [first] = this.streams
    if (first === undefined || this.isMaking) return
    this.isMaking = true
    first.atEnd(() => { this.isMaking = false })
    first.work(everything(this.host, this.clock), all => {
      this.isMaking = false
      for (const stream of this.streams) send(stream, all)
    })
  }

  private stop(): void {
    this.stopTimer?.()
    this.stopTimer = undefined
  }
}

/** Sends an event, unless the client has not taken the one before: then it gets the next. */
function send({ response }: Exchange, all: Everything): void {
  if (!response.writableNeedDrain) response.write(`event: stats\ndata: ${JSON.stringify(all)}\n\n`)
}
