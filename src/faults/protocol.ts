// The protocol of a tapped connection, in front of its own one. It reads what a request asks, has the faults that are in force do
// their part, and hands the request on, unless a fault answers it. It gives its own protocol one request at a time; all else is
// as without it: the batches of the session, the errors of the protocols, the moments at which answers are written.
import { Ascii } from '../memory/ascii.js'
import { type Host } from '../protocol/host.js'
import { UNFINISHED, type Protocol, type Session } from '../protocol/session.js'
import { Request } from '../store/request.js'
import { ValueTear, type Answers, type Fate, type OpenCall } from './answers.js'
import { fitsKey, type ConnectionOfCall } from './calls.js'
import { countMiss, canMiss, createsItem, missOf, replyTo } from './replies.js'
import { HEADER_BYTES, packetHeadBytes, readLine, readPacket, type KeyBytes, type ReadRequest } from './requests.js'
import { SharedWord, type Rule, type Rules } from './rules.js'

/** The first byte of a binary request. */
const REQUEST = 0x80

/** The verbs of packets of which the whole value has to be there before the protocol serves them. */
const WHOLE_PACKETS = ['sasl_auth', 'sasl_step']

/** The parts of a tapped connection that its protocol needs. */
export interface TappedParts {
  readonly host: Host
  readonly rules: Rules
  readonly answers: Answers
  readonly connection: ConnectionOfCall
  /** Unix time in milliseconds. */
  readonly timeOfDay: () => number
}

export class TappedProtocol implements Protocol {
  private session: Session | undefined
  private isServing = false

  constructor(private inner: Protocol, private readonly parts: TappedParts) {}

  get name(): string { return this.inner.name }

  get needsAuthentication(): boolean { return this.inner.needsAuthentication }

  /** True if the session may still add to the answer of its last request. */
  get isAnswering(): boolean { return this.isServing || this.session?.hasWork === true }

  serve(session: Session, at: number, end: number): number {
    const { rules, answers } = this.parts
    this.session = session
    this.isServing = true
    rules.sync()
    answers.close(this.position)
    const request = this.read(session, at, end)
    const next = request === undefined ? this.serveUnread(session, at, end) : this.serveRead(session, request, at, end)
    if (next !== UNFINISHED && !session.hasWork) answers.close(this.position)
    this.isServing = false
    return next
  }

  /** The position of the next byte that the session renders, in all that it ever writes. */
  private get position(): number { return this.parts.answers.written + this.parts.host.output.waitingBytes }

  // Reading

  /** Reads a request; undefined if too little of it is there. */
  private read(session: Session, at: number, end: number): ReadRequest | undefined {
    const { bytes } = this.parts.host.input
    if (this.isBinary(at)) {
      if (end - at < HEADER_BYTES || bytes[at] !== REQUEST || at + packetHeadBytes(bytes, at) > end) return undefined
      const request = readPacket(bytes, at, end)
      return WHOLE_PACKETS.includes(request.asked.verb) && endOf(request) > end ? undefined : request
    }
    const lineEnd = bytes.indexOf(Ascii.LineEnd, at)
    if (lineEnd >= end) return undefined
    const request = readLine(bytes, at, lineEnd)
    return session.isUnauthenticated && endOf(request) > end ? undefined : request
  }

  private isBinary(at: number): boolean {
    return this.name === 'binary' || (this.name !== 'ascii' && this.parts.host.input.bytes[at] === REQUEST)
  }

  /** Hands over what could not be read. If that is enough for the protocol to act, it is a call all the same. */
  private serveUnread(session: Session, at: number, end: number): number {
    const { host: { input }, answers } = this.parts
    const start = this.position
    const isBinary = this.isBinary(at)
    if (isBinary && end - at < HEADER_BYTES) return this.hand(session, at, end)
    // before the protocol, which may overwrite the input
    const { asked } = isBinary ? readPacket(input.bytes, at, end) : readLine(input.bytes, at, end)
    const next = this.hand(session, at, end)
    if (next !== UNFINISHED || session.hasWork) answers.begin(this.callOf(asked, []), undefined, start)
    return next
  }

  private callOf(asked: ReadRequest['asked'], faults: readonly string[]): OpenCall {
    const { rules, connection, timeOfDay } = this.parts
    return { ...asked, number: rules.nextNumber(SharedWord.Calls), connection, faults, at: timeOfDay() }
  }

  // Serving

  private hand(session: Session, at: number, end: number): number {
    const next = this.inner.serve(session, at, end)
    // a client that has shown its protocol, or who it is, gets another one
    if (session.protocol !== this) {
      this.inner = session.protocol
      session.protocol = this
    }
    return next
  }

  private serveRead(session: Session, request: ReadRequest, at: number, end: number): number {
    const { rules, answers, connection } = this.parts
    if (rules.all.length === 0) {
      answers.begin(this.callOf(request.asked, []), undefined, this.position)
      return this.hand(session, at, Math.min(endOf(request), end))
    }
    const facts = { ...request.asked, connection }
    const evicting = rules.find(['evict'], facts)
    const answering = rules.find(canMiss(request) ? ['reply', 'miss'] : ['reply'], facts)
    const dropping = rules.find(['drop'], facts)
    const delaying = rules.find(['late'], facts)
    // it counts when there is a value to be torn
    const tearing = dropping === undefined ? rules.all.find(rule => rule.type === 'tear' && rule.fits(facts)) : undefined
    const faults = [evicting, answering, dropping, delaying].flatMap(rule => rule === undefined ? [] : [rule.type])
    answers.begin(this.callOf(request.asked, faults), fateOf(request, dropping, tearing, delaying), this.position)
    if (evicting !== undefined) this.evict(keysFor(evicting, request))
    return this.serveWith(answering, session, request, at, end)
  }

  private serveWith(answering: Rule | undefined, session: Session, request: ReadRequest, at: number, end: number): number {
    const fault = answering?.data.fault
    if (fault?.type === 'reply') return this.answer(session, request, replyTo(request, fault.answer))
    if (fault?.type === 'miss') {
      const keys = keysFor(answering!, request)
      if (createsItem(request)) this.evict(keys)
      else {
        keys.forEach(() => countMiss(this.parts.host.store.counters, request))
        if (keys.length === request.keys.length) return this.answer(session, request, missOf(request))
        this.blank(keys)
      }
    }
    return this.hand(session, at, Math.min(endOf(request), end))
  }

  /** Answers a request in place of the protocol. Its value is thrown away. Returns where the session goes on. */
  private answer(session: Session, { headEnd, followingBytes }: ReadRequest, bytes: Uint8Array): number {
    session.swallow(followingBytes, bytes.length === 0 ? undefined : bytes)
    return headEnd
  }

  /** Removes keys from a line. */
  private blank(keys: readonly KeyBytes[]): void {
    for (const { start, end } of keys) this.parts.host.input.bytes.fill(Ascii.Space, start, end)
  }

  private evict(keys: readonly KeyBytes[]): void {
    const { store } = this.parts.host
    for (const { bytes } of keys) {
      const request = new Request(bytes)
      request.keyEnd = bytes.length
      request.hash = store.context.hash.of(bytes, 0, bytes.length)
      store.evict(request)
    }
  }
}

/** The index behind a request, which may be more than has come. */
function endOf({ headEnd, followingBytes }: ReadRequest): number { return headEnd + followingBytes }

/** The keys of a request that a rule is for. */
function keysFor({ data: { choice } }: Rule, { keys }: ReadRequest): readonly KeyBytes[] {
  return keys.filter(({ text }) => fitsKey(choice, text))
}

function fateOf({ asked }: ReadRequest, dropping: Rule | undefined, tearing: Rule | undefined,
  delaying: Rule | undefined): Fate | undefined {
  if (dropping === undefined && tearing === undefined && delaying === undefined) return undefined
  const tear = tearing &&
    new ValueTear(asked.protocol === 'binary', key => fitsKey(tearing.data.choice, key), () => tearing.take())
  const lateMs = delaying?.data.fault.type === 'late' ? Number(delaying.data.fault.delay) : 0
  return { isDropped: dropping !== undefined, lateMs, tear }
}
