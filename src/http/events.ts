// Server-sent events: each second all streams of a thread get what everything.ts says. It is made once for all of them.
import { type Clock } from '../clock.js'
import { type Host } from '../protocol/host.js'
import { everything, type Everything } from './everything.js'
import { type Exchange } from './exchange.js'
import { work, type Worker } from './work.js'

const SECOND_MS = 1000
/** The time after which a browser connects again, in milliseconds. */
const RETRY_MS = 1000

export class Events implements Worker {
  private readonly streams = new Set<Exchange>()
  private stopTimer: (() => void) | undefined
  private isMaking = false

  constructor(private readonly host: Host, private readonly clock: Clock) {}

  /** Begins a stream, with an event at once. */
  add(exchange: Exchange): void {
    const { host, clock, streams } = this
    const { request, response } = exchange
    response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
    if (request.method === 'HEAD') return void response.end()
    response.write(`retry: ${RETRY_MS}\n\n`)
    streams.add(exchange)
    exchange.atEnd(() => this.remove(exchange))
    exchange.work(everything(host, clock), all => send(exchange, eventOf(all)))
    this.stopTimer ??= clock.every(SECOND_MS, () => this.guard(() => this.tick()))
  }

  private remove(exchange: Exchange): void {
    this.streams.delete(exchange)
    if (this.streams.size > 0) return
    this.stopTimer?.()
    this.stopTimer = undefined
  }

  private tick(): void {
    // the event before may still be in the making, in a thread with much to do
    if (this.isMaking) return
    this.isMaking = true
    work(this, everything(this.host, this.clock), all => {
      this.isMaking = false
      const event = eventOf(all)
      for (const stream of this.streams) send(stream, event)
    })
  }

  // Worker: an event is completed even if the last stream has ended meanwhile

  get hasEnded(): boolean { return false }

  guard(action: () => void): void {
    try {
      action()
    } catch (error) { this.host.signals.failed(error) }
  }
}

function eventOf(all: Everything): string { return `event: stats\ndata: ${JSON.stringify(all)}\n\n` }

/** Sends an event, unless the client has not taken those before: then it gets a later one. */
function send({ response }: Exchange, event: string): void { if (response.writableLength === 0) response.write(event) }
