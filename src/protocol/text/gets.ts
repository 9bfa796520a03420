// get, gets, gat and gats: lines of any number of keys, which are answered one by one.
//
// As in memcached, an error is the whole answer to a line: what was answered before it is taken back. Where a part of the answer
// may go out before the last key is reached, because the output is full or a value is lent, the keys to come are checked first.
import { Ascii } from '../../memory/ascii.js'
import { Counter } from '../../stats/counters.js'
import { Want, type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { isOldClusterKey } from '../cluster.js'
import { KEPT_BYTES_MAX } from '../input.js'
import { NOT_A_NUMBER, type LineParser } from '../line.js'
import { printable } from '../log.js'
import { type Output } from '../output.js'
import { Retrieval, Retrieved, ValueForm, type RetrievalAnswers } from '../retrieval.js'
import { UNFINISHED, type Session } from '../session.js'
import { type LongGet, type LongLine } from '../work/keys.js'
import { countKeys, hasLongKey } from './parse.js'
import { TEXT, type TextReply } from './reply.js'
import { type Text } from './text.js'

/** A get that is longer than any other line may be has at most so many spaces before its name. */
const LEADING_SPACES_MAX = 100

/** The bytes of `get `. */
const NAME_BYTES = 4

export class Gets implements RetrievalAnswers {
  readonly hasLineEnd = true
  private readonly bytes: Uint8Array
  private readonly parser: LineParser
  private readonly reply: TextReply
  private readonly output: Output
  private readonly request: Request
  private readonly retrieval: Retrieval
  private readonly answersMax: number
  /** The most bytes of a get or gets line; 0 for any number. */
  private readonly lineBytesMax: number
  /** True if the session counts requests or answers, and so has to serve each line itself. */
  private readonly hasLimits: boolean
  // the line at work
  private withCas = false
  private withTouch = false
  /** True once its keys are known to be short enough. */
  private areKeysChecked = false
  /** True while the value answered last is still being sent. */
  private isSending = false
  /** The line's state from before, if it had to wait or is a long one. */
  private pending: PendingGet | undefined

  /** @param run carries out a line, as Protocol.serve does; for the first piece of a long one */
  constructor(private readonly text: Text, private readonly run: (session: Session, at: number, end: number) => number) {
    const { host, parser, reply, request } = text
    this.bytes = host.input.bytes
    this.parser = parser
    this.reply = reply
    this.output = host.output
    this.request = request
    this.retrieval = new Retrieval(host, this)
    this.answersMax = host.answersMax
    this.lineBytesMax = text.profile.getLineBytesMax
    this.hasLimits = host.answersMax > 0 || host.requestsPerTurn > 0
  }

  /** Carries out a line whose name ends at `at`, and which may not be whole. */
  get(session: Session, at: number, end: number, withCas: boolean): number {
    const { bytes, parser, text } = this
    this.withCas = withCas
    this.withTouch = false
    const isKey = parser.readKey(parser.skipSpaces(at))
    if (parser.stop >= end) return UNFINISHED
    if (bytes[parser.stop] !== Ascii.LineEnd) {
      if (!parser.isLineWhole(parser.stop, end)) return UNFINISHED
      if (this.lineBytesMax > 0 && this.isTooLong(at)) return this.answerTooLong(session)
    } else parser.lookAhead(parser.stop + 1, end)
    session.isQuiet = false
    if (!isKey || parser.keyEnd === parser.keyStart) {
      text.answer(session, TEXT.badFormat)
      return text.skipLine(parser.stop)
    }
    if (this.answersMax > 0) return this.serveBoundedKeys(session)
    const next = this.serveKeys(session)
    return this.hasLimits || withCas ? next : this.serveFollowing(session, next, end)
  }

  /**
   * Serves the lines from `next` on as long as they are gets of one key in their shortest form, and returns where the first of
   * another form begins, or that which is to be sampled. They come in numbers, and cost a tenth less in this loop than if the
   * session had each served.
   */
  private serveFollowing(session: Session, next: number, end: number): number {
    const { bytes, output, parser, text: { host, sampler } } = this
    if (host.verbosity > 1 || !session.peer.isLasting || this.pending !== undefined) return next
    while (next < end && !output.isBlocked && sampler.left > 0 && this.isGet(next)) {
      if (!parser.readKey(next + NAME_BYTES) || parser.keyEnd === parser.keyStart) break
      if (parser.stop >= end || bytes[parser.stop] !== Ascii.LineEnd) break
      parser.lookAhead(parser.stop + 1, end)
      sampler.left--
      next = this.serveKeys(session)
    }
    return next
  }

  private isGet(at: number): boolean {
    const { bytes } = this
    return bytes[at] === Ascii.G && bytes[at + 1] === Ascii.E && bytes[at + 2] === Ascii.T && bytes[at + 3] === Ascii.Space
  }

  /** As `get`, for the line that begins at `start`: `gat <exptime> <key>*`. */
  gat(session: Session, start: number, at: number, end: number, withCas: boolean): number {
    const { parser, text } = this
    this.withCas = withCas
    this.withTouch = true
    const lineEnd = parser.findLineEnd(at)
    if (lineEnd >= end) return UNFINISHED
    parser.split(start, lineEnd)
    session.isQuiet = false
    if (parser.tokenCount < 3) text.answer(session, TEXT.badFormat)
    else {
      const exptime = parser.int32(parser.tokenStart(1), parser.tokenEnd(1))
      if (exptime === NOT_A_NUMBER) text.answer(session, TEXT.badExptime)
      else if (!parser.keyFrom(2)) text.answer(session, TEXT.badFormat)
      else {
        this.request.expiresAt = text.store.expiryFor(exptime)
        return this.answersMax > 0 ? this.serveBoundedKeys(session) : this.serveKeys(session)
      }
    }
    return lineEnd + 1
  }

  // Keys

  /**
   * The same as serveKeys where there may be too many of them. As in memcached, the error is then all that is answered, also
   * of what waits.
   */
  private serveBoundedKeys(session: Session): number {
    const { parser, output, text } = this
    const keyCount = this.pending?.line?.keyCount ?? countKeys(parser)
    // the line itself is counted already, unless it has come in pieces
    session.answers = Math.max(session.answers, 1) + keyCount - 1
    if (session.answers <= this.answersMax) return this.serveKeys(session)
    text.store.counters.add(Counter.ResponseOom)
    output.discard()
    session.answers = 1
    text.answer(session, TEXT.noMemoryWriting)
    return text.skipLine(parser.stop)
  }

  /** Answers the keys of a line that is whole, from the one that the parser has read. */
  private serveKeys(session: Session): number {
    const { bytes, parser, output } = this
    output.begin()
    this.areKeysChecked = false
    this.isSending = false
    while (parser.keyEnd > parser.keyStart) {
      if (bytes[parser.stop] !== Ascii.LineEnd) parser.lookAlong()
      const error = this.serveKey(session)
      if (error !== undefined) return this.answerError(session, error)
      if (this.isSending) return this.wait(session)
      if (bytes[parser.stop] === Ascii.LineEnd) break
      if (output.isBlocked) return this.wait(session)
      if (!parser.readKey(parser.skipSpaces(parser.stop))) return this.answerError(session, TEXT.badFormat)
    }
    if (this.pending?.hasMoreKeys === true) return this.wait(session)
    this.answerEnd(session)
    return parser.stop + 1
  }

  private answerEnd(session: Session): void {
    if (this.text.host.verbosity > 1) this.text.answer(session, TEXT.end)
    else this.reply.end()
  }

  /** Answers one key; returns the error if the whole line has one. */
  private serveKey(session: Session): Uint8Array | undefined {
    const { request, text: { host } } = this
    this.text.takeKey(this.withTouch ? Want.Touch : Want.None)
    if (!this.reply.hasRoomForValue) {
      if (!this.checkKeys()) return TEXT.badFormat
      this.reply.ensureValue()
    }
    const came = this.retrieval.get(session)
    if (host.prefixes.isOn) host.prefixes.recordGet(this.bytes, request.keyStart, request.keyEnd, came !== Retrieved.Miss)
    if (came === Retrieved.Miss) return host.cluster === undefined ? undefined : this.answerCluster(session)
    if (host.verbosity > 1) this.logSending(session)
    if (came === Retrieved.Answered) return undefined
    if (came === Retrieved.Declined) return TEXT.badFormat
    // what goes before a lent value can no longer be taken back
    this.output.begin()
    this.isSending = came === Retrieved.Sending
    return undefined
  }

  /** Answers a key that is a miss, but may be the one under which older clients look for the list of a cluster's nodes. */
  private answerCluster(session: Session): Uint8Array | undefined {
    const { bytes, output, request, text: { host } } = this
    const list = isOldClusterKey(bytes, request.keyStart, request.keyEnd) ? host.cluster?.get() : undefined
    if (list === undefined) return undefined
    // what is there may have to go out to make room
    if (!this.checkKeys()) return TEXT.badFormat
    if (host.verbosity > 1) this.logSending(session)
    output.text(this.withCas ? list.valueWithCas : list.value)
    output.begin()
    return undefined
  }

  hasValue(): boolean { return true }

  head(view: ItemView, form: ValueForm): boolean {
    if (form === ValueForm.Lent && !this.checkKeys()) return false
    this.reply.header(view, this.request, this.withCas)
    return true
  }

  /** True if all the keys to come are short enough. */
  private checkKeys(): boolean {
    if (!this.areKeysChecked) this.areKeysChecked = !hasLongKey(this.bytes, this.parser.stop)
    return this.areKeysChecked
  }

  /** Answers the line with an error alone, and skips the rest of it. */
  private answerError(session: Session, error: Uint8Array): number {
    this.output.rewind()
    this.text.answer(session, error)
    return this.text.skipLine(this.parser.stop)
  }

  private logSending(session: Session): void {
    const { keyStart, keyEnd } = this.request
    this.text.host.log(`>${session.peer.id} sending key ${printable(this.bytes.subarray(keyStart, keyEnd))}`)
  }

  // Lines that wait, and long lines

  /** True of an unfinished line that may be a get of any length: see memcached's try_read_command_ascii. */
  mayBeLong(at: number, end: number): boolean {
    const { parser } = this
    const start = parser.skipSpaces(at)
    if (start - at > LEADING_SPACES_MAX || start + 5 > end) return false
    const word = parser.text(start, start + 5)
    return word.startsWith('get ') || word === 'gets '
  }

  /** Has the session gather such a line, once it is longer than what is kept of an unfinished request in one piece. */
  goOnIfLong(session: Session, at: number, end: number): void {
    if (this.lineBytesMax > 0) {
      // the line may end with a \r that is not part of it
      if (end - at > this.lineBytesMax + 1) session.swallowLine(TEXT.lineTooLong)
    } else if (end - at >= KEPT_BYTES_MAX) session.beginLongLine(new PendingGet(this, session))
  }

  /** True if a line that is whole, and whose name ends at `at`, is longer than it may be. */
  private isTooLong(at: number): boolean {
    const { bytes, parser, withCas } = this
    const start = at - (withCas ? NAME_BYTES : NAME_BYTES - 1)
    const lineEnd = parser.findLineEnd(parser.stop)
    return (bytes[lineEnd - 1] === Ascii.CarriageReturn ? lineEnd - 1 : lineEnd) - start > this.lineBytesMax
  }

  private answerTooLong(session: Session): number {
    session.isQuiet = false
    this.text.answer(session, TEXT.lineTooLong)
    return this.text.skipLine(this.parser.stop)
  }

  /** @internal Goes on with a get that had to wait; `at` is behind its last key, or where a long line begins. */
  resume(get: PendingGet, session: Session, at: number, end: number): number {
    this.pending = get
    const next = get.hasBegun ? this.more(get, session, at) : this.beginLong(session, at, end)
    this.pending = undefined
    return next
  }

  private beginLong(session: Session, at: number, end: number): number {
    session.usedAt = this.text.store.context.now
    return this.run(session, at, end)
  }

  private more(get: PendingGet, session: Session, at: number): number {
    this.withCas = get.withCas
    this.withTouch = get.withTouch
    this.request.expiresAt = get.expiresAt
    this.output.begin()
    if (!this.parser.scanKey(this.parser.skipSpaces(at))) return this.answerError(session, TEXT.badFormat)
    return this.serveKeys(session)
  }

  /** Has the line go on behind its last key, when the client has taken what was written or its next piece has its turn. */
  private wait(session: Session): number {
    const get = this.pending ?? new PendingGet(this, session)
    get.wait(this.withCas, this.withTouch, this.request.expiresAt)
    if (this.pending === undefined) session.beginKeys(get)
    return this.parser.stop
  }
}

/** A get that has to wait between keys, or whose line is a long one. */
class PendingGet implements LongGet {
  line: LongLine | undefined
  isDone = true
  hasBegun = false
  withCas = false
  withTouch = false
  expiresAt = 0

  constructor(private readonly gets: Gets, private readonly session: Session) {}

  resume(at: number, end: number): number {
    this.isDone = true
    return this.gets.resume(this, this.session, at, end)
  }

  /** Keeps what the keys to come are answered with. */
  wait(withCas: boolean, withTouch: boolean, expiresAt: number): void {
    this.isDone = false
    this.hasBegun = true
    this.withCas = withCas
    this.withTouch = withTouch
    this.expiresAt = expiresAt
  }

  /** True if keys follow in the next piece of a long line. */
  get hasMoreKeys(): boolean { return this.line?.isAtLast === false }
}
