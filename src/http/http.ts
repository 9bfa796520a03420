// HTTP in one thread: gives the clients that speak it to node:http, ends those that are too slow, and answers requests by
// routes.ts. Loaded when the first client of the thread speaks HTTP.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type Clock } from '../clock.js'
import { type Caller } from '../net/caller.js'
import { type Host } from '../protocol/host.js'
import { type Settings } from '../server/settings.js'
import { Access } from './access.js'
import { Conversation } from './conversation.js'
import { Events } from './events.js'
import { Exchange } from './exchange.js'
import { answer } from './routes.js'

/** The parts of a thread's server that HTTP needs. */
export interface HttpParts {
  readonly host: Host
  readonly clock: Clock
  readonly settings: Settings
}

/** The most bytes of a request's line and headers, and the most headers. */
const HEAD_BYTES_MAX = 16 * 1024
const HEADERS_MAX = 100

const CHECK_MS = 1000

export class Http {
  private readonly server: Server
  private readonly access: Access
  private readonly events: Events
  private readonly conversations = new Set<Conversation>()
  private readonly byStream = new WeakMap<object, Conversation>()
  private stopChecks: (() => void) | undefined

  constructor(private readonly parts: HttpParts) {
    const { host } = parts
    this.access = new Access(host)
    this.events = new Events(host, parts.clock)
    // a client has the times of Conversation, by the clock of the server
    const server = this.server = createServer({
      maxHeaderSize: HEAD_BYTES_MAX, requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0,
    })
    server.maxHeadersCount = HEADERS_MAX
    // a client that has sent all still gets its answers
    Object.assign(server, { httpAllowHalfOpen: true })
    server.on('request', (request, response) => this.guard(() => this.serve(request, response)))
  }

  private serve(request: IncomingMessage, response: ServerResponse): void {
    const conversation = this.byStream.get(request.socket)
    // several requests may come at once, of which an early one ends the connection
    if (conversation === undefined || conversation.isClosed) return void response.destroy()
    const exchange = new Exchange(this.parts.host, request, response, conversation)
    exchange.guard(() => answer(exchange, { ...this.parts, access: this.access, events: this.events }))
  }

  /** Runs an action. If it throws, an invariant is broken, and the server has to end. */
  private guard(action: () => void): void {
    try {
      action()
    } catch (error) { this.parts.host.signals.failed(error) }
  }

  /** Serves a client from now on. */
  take(caller: Caller): void {
    const { conversations, parts: { clock } } = this
    const conversation = new Conversation(caller, clock)
    conversations.add(conversation)
    this.byStream.set(caller.stream, conversation)
    caller.onClosed = () => this.guard(() => {
      conversation.closed()
      conversations.delete(conversation)
      if (conversations.size === 0) this.stop()
    })
    this.stopChecks ??= clock.every(CHECK_MS, () => this.guard(() => this.check()))
    this.server.emit('connection', caller.stream)
  }

  /** Ends the conversations that have been too slow. */
  private check(): void {
    const now = this.parts.clock.milliseconds()
    for (const conversation of this.conversations) if (conversation.isOverdue(now)) conversation.end()
  }

  private stop(): void {
    this.stopChecks?.()
    this.stopChecks = undefined
  }

  /** Ends all conversations. Others may come later. */
  close(): void {
    for (const conversation of this.conversations) {
      conversation.closed()
      conversation.end()
    }
    this.stop()
  }
}
