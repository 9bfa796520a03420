// One request and its answer.
import { type IncomingMessage, type OutgoingHttpHeaders, type ServerResponse } from 'node:http'
import { type Place } from '../insight/places.js'
import { type Host } from '../protocol/host.js'
import { type Conversation } from './conversation.js'
import { readTarget, type Query } from './query.js'
import { work, type Worker } from './work.js'

const TEXT = 'text/plain; charset=utf-8'
const JSON_TYPE = 'application/json; charset=utf-8'

/** What each answer says to a browser: its type is right, nothing keeps it, and no other site shows or reads it. */
const HEADERS: OutgoingHttpHeaders = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'DENY',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Referrer-Policy': 'no-referrer',
}

export class Exchange implements Worker {
  readonly path: string
  readonly query: Query
  /** True once the answer has gone out, or its client. */
  hasEnded = false
  private readonly undo: (() => void)[] = []

  constructor(readonly host: Host, readonly request: IncomingMessage, readonly response: ServerResponse,
    private readonly conversation: Conversation) {
    const { path, query } = readTarget(request.url ?? '')
    this.path = path
    this.query = query
    const leave = (): void => this.end()
    conversation.begin(leave)
    response.once('close', () => this.guard(() => conversation.finish(leave)))
    for (const [name, value] of Object.entries(HEADERS)) response.setHeader(name, value!)
    // the rest of a request with a body is not read
    if (hasBody(request)) response.shouldKeepAlive = false
  }

  /** Logs the request with -vv. */
  log(): void {
    const { host, request: { method, httpVersion }, conversation: { caller } } = this
    if (host.verbosity > 1) host.log(`<${caller.id} ${method} ${this.path} HTTP/${httpVersion}`)
  }

  /** Runs a part of the answer. If it throws, an invariant is broken, and the server has to end. */
  guard(action: () => void): void {
    try {
      action()
    } catch (error) {
      this.response.destroy()
      this.host.signals.failed(error)
    }
  }

  /** Takes a place until the end of the exchange. Returns false if there is none. */
  takePlace(place: Place): boolean {
    const { places } = this.host.insight
    if (!places.take(place)) return false
    this.atEnd(() => places.giveBack(place))
    return true
  }

  /** Has something done once, when the answer has gone out or its client is gone. */
  atEnd(action: () => void): void { this.undo.push(action) }

  private end(): void {
    this.hasEnded = true
    for (const action of this.undo.splice(0)) action()
  }

  // Answers

  /** Answers with a sentence. */
  say(status: number, sentence: string, headers: OutgoingHttpHeaders = {}): void {
    this.send(status, TEXT, `${sentence}\n`, headers)
  }

  sendJson(value: unknown): void { this.send(200, JSON_TYPE, JSON.stringify(value)) }

  send(status: number, type: string, body: string | Uint8Array, headers: OutgoingHttpHeaders = {}): void {
    const bytes = typeof body === 'string' ? Buffer.from(body) : body
    this.response.writeHead(status, { 'Content-Type': type, 'Content-Length': bytes.length, ...headers }).end(bytes)
  }

  /** Makes something in steps, and answers with it by `done`. */
  work<Result>(steps: Generator<undefined, Result>, done: (result: Result) => void): void { work(this, steps, done) }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) !== 0
}
