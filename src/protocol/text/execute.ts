// The classic text protocol: finds out which command a line is and carries it out. One of these serves all the sessions
// of a thread; what belongs to one conversation is in its Session. The names of the commands are those of protocol.txt.
import { assert } from '../../errors.js'
import { Ascii } from '../../memory/ascii.js'
import { parseUint64, toBigInt } from '../../memory/numbers.js'
import { Counter } from '../../stats/counters.js'
import { Outcome, type Failure } from '../../store/outcome.js'
import { Mode, Want, type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { type Host } from '../host.js'
import { type Output } from '../output.js'
import { KEPT_BYTES_MAX } from '../input.js'
import { logAnswer, logReply, printable } from '../log.js'
import { Retrieval, Retrieved, Storage, ValueForm, type RetrievalAnswers, type StorageAnswers } from '../serve.js'
import { UNFINISHED, type Protocol, type Session } from '../session.js'
import { type LongGet, type LongLine } from '../work/keys.js'
import { NOT_A_NUMBER, UNFINISHED_LINE_MAX, type LineParser } from '../line.js'
import { countKeys, endsWithHttp, endsWithNoreply, exptimeOf, flagsOf, hasLongKey, skipNoreply } from './parse.js'
import { TEXT, TextReply } from './reply.js'

/** A cas number or a delta has at most so many characters. */
const NUMBER_CHARACTERS_MAX = 22
/** A get that is longer than any other line may be has at most so many spaces before its name. */
const LEADING_SPACES_MAX = 100
/** The shortest line that can be a command, with its line end. */
const COMMAND_BYTES_MIN = 4

/** Commands that lines may have besides the classic ones: those of two letters of which the first is an m. */
export interface MetaLines {
  /** Whether `m` and this letter are one. */
  has(letter: number): boolean
  /** Carries out the one of this letter, whose name ends at `at`; answers as Protocol.serve does. */
  serve(session: Session, letter: number, at: number, end: number): number
}

/** A command whose line is split into tokens before it is called. */
export type LineHandler = (text: TextProtocol, session: Session) => void

export type LineCommand = readonly [name: string, handler: LineHandler]

interface Command {
  readonly name: Uint8Array
  /** Reads the line itself, from behind the name; answers where the next line begins, or UNFINISHED. */
  readonly inPlace?: (session: Session, start: number, at: number, end: number) => number
  readonly line?: LineHandler
}

export class TextProtocol implements Protocol, RetrievalAnswers, StorageAnswers {
  readonly name = 'ascii'
  readonly asksWho = false
  readonly hasLineEnd = true
  readonly reply: TextReply
  private readonly bytes: Uint8Array
  private readonly cache: Store
  private readonly output: Output
  private readonly commands = new Map<number, Command>()
  private readonly request: Request
  private readonly retrieval: Retrieval
  private readonly values: Storage
  private readonly answersMax: number
  // the get at work
  private withCas = false
  private withTouch = false
  /** Whether the keys of its line are known to be short enough. Only needed once a part of the answer must go. */
  private areKeysChecked = false
  /** Whether the value answered last is still being sent. */
  private isSending = false
  /** What it goes on with, if it had to wait or its line is a long one. */
  private pending: PendingGet | undefined

  /** @param others the commands that are not about one item */
  constructor(readonly host: Host, readonly parser: LineParser, private readonly meta: MetaLines,
    others: readonly LineCommand[]) {
    this.bytes = host.input.bytes
    this.cache = host.store
    this.output = host.output
    this.request = host.input.request
    this.retrieval = new Retrieval(host, this)
    this.values = new Storage(host, this, 2)
    this.answersMax = host.answersMax
    this.reply = new TextReply(host.output)
    this.addCommands(others)
  }

  private addCommands(others: readonly LineCommand[]): void {
    this.addGet('get', false, false)
    this.addGet('gets', true, false)
    this.addGet('gat', false, true)
    this.addGet('gats', true, true)
    this.addStorage('set', Mode.Set)
    this.addStorage('add', Mode.Add)
    this.addStorage('replace', Mode.Replace)
    this.addStorage('append', Mode.Append)
    this.addStorage('prepend', Mode.Prepend)
    this.addStorage('cas', Mode.Cas)
    this.addLine('delete', (text, session) => text.delete(session))
    this.addLine('incr', (text, session) => text.arithmetic(session, false))
    this.addLine('decr', (text, session) => text.arithmetic(session, true))
    this.addLine('touch', (text, session) => text.touch(session))
    for (const [name, handler] of others) this.addLine(name, handler)
  }

  private addGet(name: string, withCas: boolean, withTouch: boolean): void {
    this.add({ name: Buffer.from(name), inPlace: (session, start, at, end) => {
      return withTouch ? this.gat(session, start, at, end, withCas) : this.get(session, at, end, withCas)
    } })
  }

  private addStorage(name: string, mode: Mode): void {
    this.add({ name: Buffer.from(name), inPlace: (session, start, at, end) => {
      if (mode !== Mode.Cas) return this.plainStorage(session, mode, start, at, end)
      this.request.mode = mode
      return this.storage(session, start, end)
    } })
  }

  private addLine(name: string, line: LineHandler): void { this.add({ name: Buffer.from(name), line }) }

  private add(command: Command): void {
    const key = signature(command.name, 0, command.name.length)
    assert(!this.commands.has(key), 'two commands that `signature` does not tell apart')
    this.commands.set(key, command)
  }

  // Lines

  serve(session: Session, at: number, end: number): number {
    const next = this.run(session, at, end)
    if (next === UNFINISHED) this.checkUnfinished(session, at, end)
    return next
  }

  /** Carries out the command line at `at`; returns where the next bytes begin, or UNFINISHED if the line is. */
  private run(session: Session, at: number, end: number): number {
    const { bytes } = this
    let stop = at
    while (bytes[stop] !== Ascii.Space && bytes[stop] !== Ascii.LineEnd) stop++
    const isLogged = this.host.verbosity > 1
    if (isLogged) this.logLine(session, at, end)
    // the two commands that nearly all lines are
    if (stop === at + 3 && bytes[at + 1] === Ascii.E && bytes[at + 2] === Ascii.T && bytes[stop] === Ascii.Space) {
      if (bytes[at] === Ascii.G) return this.get(session, stop, end, false)
      if (bytes[at] === Ascii.S) return this.plainStorage(session, Mode.Set, at, stop, end)
    }
    const nameEnd = bytes[stop] === Ascii.LineEnd && stop > at && bytes[stop - 1] === Ascii.CarriageReturn ? stop - 1 : stop
    if (nameEnd === at + 2 && bytes[at] === Ascii.M && this.meta.has(bytes[at + 1]!)) {
      if (isLogged) return this.loggedMeta(session, bytes[at + 1]!, nameEnd, end)
      return this.meta.serve(session, bytes[at + 1]!, nameEnd, end)
    }
    const command = this.commandAt(at, nameEnd)
    const isCommand = command !== undefined
    if (isCommand && command.inPlace !== undefined) return command.inPlace(session, at, stop, end)
    const lineEnd = this.parser.findLineEnd(stop)
    if (lineEnd >= end) return UNFINISHED
    this.parser.split(at, lineEnd)
    session.isQuiet = endsWithNoreply(this.parser)
    if (isCommand) command.line!(this, session)
    else this.unknown(session, at, lineEnd)
    return lineEnd + 1
  }

  /** By itself, as a closure in `run` would cost each request something. */
  private loggedMeta(session: Session, letter: number, at: number, end: number): number {
    return logAnswer(this.host, session, () => this.meta.serve(session, letter, at, end))
  }

  private commandAt(start: number, end: number): Command | undefined {
    const command = this.commands.get(signature(this.bytes, start, end))
    return command !== undefined && isName(command.name, this.bytes, start, end) ? command : undefined
  }

  private unknown(session: Session, start: number, lineEnd: number): void {
    if (lineEnd + 1 - start < COMMAND_BYTES_MIN) {
      session.isQuiet = false
      return this.answer(session, TEXT.badFormat)
    }
    if (endsWithHttp(this.parser)) this.end(session)
    else this.answer(session, TEXT.error)
  }

  /** Ends a conversation that is none. As in memcached, answers that have not gone out are lost with it. */
  private end(session: Session): void {
    this.output.discard()
    session.end()
  }

  /** Answers a line, unless the command asked for none. */
  answer(session: Session, line: Uint8Array): void {
    if (!session.isQuiet) this.reply.line(line)
    if (this.host.verbosity > 1) logReply(this.host, session, line, session.isQuiet)
  }

  private answerOutcome(session: Session, outcome: Outcome): void {
    if (this.host.verbosity > 1) return this.answer(session, this.reply.bytesOf(outcome))
    if (!session.isQuiet) this.reply.outcome(outcome)
  }

  /** Skips the rest of a line of which `at` is a part. */
  private skipLine(at: number): number { return this.parser.findLineEnd(at) + 1 }

  private logLine(session: Session, at: number, end: number): void {
    const lineEnd = this.parser.findLineEnd(at)
    if (lineEnd < end) this.host.log(`<${session.peer.id} ${printable(this.bytes.subarray(at, lineEnd))}`)
  }

  /** Only a get may be longer than UNFINISHED_LINE_MAX before its end is there. */
  private checkUnfinished(session: Session, at: number, end: number): void {
    if (end - at <= UNFINISHED_LINE_MAX) return
    if (!this.isLongGet(at, end)) this.end(session)
    else if (end - at >= KEPT_BYTES_MAX) session.beginLongLine(new PendingGet(this, session))
  }

  /** Whether an unfinished line may be a long get: see memcached's try_read_command_ascii. */
  private isLongGet(at: number, end: number): boolean {
    const start = this.parser.skipSpaces(at)
    if (start - at > LEADING_SPACES_MAX || start + 5 > end) return false
    const word = this.parser.text(start, start + 5)
    return word.startsWith('get ') || word === 'gets '
  }

  // get, gets, gat, gats

  private get(session: Session, at: number, end: number, withCas: boolean): number {
    const { bytes, parser } = this
    this.withCas = withCas
    this.withTouch = false
    const isKey = parser.scanKey(parser.skipSpaces(at))
    if (parser.stop >= end) return UNFINISHED
    if (bytes[parser.stop] !== Ascii.LineEnd && !parser.isLineWhole(parser.stop, end)) return UNFINISHED
    session.isQuiet = false
    if (!isKey || parser.keyEnd === parser.keyStart) {
      this.answer(session, TEXT.badFormat)
      return this.skipLine(parser.stop)
    }
    return this.answersMax > 0 ? this.serveSomeKeys(session) : this.serveKeys(session)
  }

  private gat(session: Session, start: number, at: number, end: number, withCas: boolean): number {
    const { parser } = this
    this.withCas = withCas
    this.withTouch = true
    const lineEnd = parser.findLineEnd(at)
    if (lineEnd >= end) return UNFINISHED
    parser.split(start, lineEnd)
    session.isQuiet = false
    if (parser.tokenCount < 3) this.answer(session, TEXT.badFormat)
    else {
      const exptime = parser.int32(parser.tokenStart(1), parser.tokenEnd(1))
      if (exptime === NOT_A_NUMBER) this.answer(session, TEXT.badExptime)
      else if (!parser.keyFrom(2)) this.answer(session, TEXT.badFormat)
      else {
        this.request.expiresAt = this.cache.expiryFor(exptime)
        return this.answersMax > 0 ? this.serveSomeKeys(session) : this.serveKeys(session)
      }
    }
    return lineEnd + 1
  }

  /** Goes on with a get that had to wait; `at` is behind its last key, or where a long line begins. */
  resumeGet(get: PendingGet, session: Session, at: number, end: number): number {
    this.pending = get
    const next = get.hasBegun ? this.more(get, session, at) : this.beginLong(session, at, end)
    this.pending = undefined
    return next
  }

  private beginLong(session: Session, at: number, end: number): number {
    session.usedAt = this.cache.context.now
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

  /** Has the get at work go on behind the last key, when its output is taken or the next piece of its line has its turn. */
  private wait(session: Session): number {
    const get = this.pending ?? new PendingGet(this, session)
    get.wait(this.withCas, this.withTouch, this.request.expiresAt)
    if (this.pending === undefined) session.beginKeys(get)
    return this.parser.stop
  }

  /**
   * The same as serveKeys where there may be too many of them. As in memcached, the error is then all that is answered, also
   * of what waits.
   */
  private serveSomeKeys(session: Session): number {
    const { parser, output } = this
    const keyCount = this.pending?.line?.keyCount ?? countKeys(parser)
    // the line itself is counted already, unless it has come in pieces
    session.answers = Math.max(session.answers, 1) + keyCount - 1
    if (session.answers <= this.answersMax) return this.serveKeys(session)
    this.cache.counters.add(Counter.ResponseOom)
    output.discard()
    session.answers = 1
    this.answer(session, TEXT.noMemoryWriting)
    return this.skipLine(parser.stop)
  }

  /** Answers the keys of a line that is complete, beginning with the one that is scanned. */
  private serveKeys(session: Session): number {
    const { bytes, parser, output } = this
    output.begin()
    this.areKeysChecked = false
    this.isSending = false
    parser.forgetAhead()
    while (parser.keyEnd > parser.keyStart) {
      if (parser.isAtLastAhead && bytes[parser.stop] !== Ascii.LineEnd) {
        this.cache.prefetch(parser.aheadHashes, parser.scanAhead())
      }
      const refusal = this.serveKey(session)
      // the error is the whole answer
      if (refusal !== undefined) return this.answerError(session, refusal)
      if (this.isSending) return this.wait(session)
      if (bytes[parser.stop] === Ascii.LineEnd) break
      if (output.isBlocked) return this.wait(session)
      if (!parser.nextKey()) return this.answerError(session, TEXT.badFormat)
    }
    if (this.pending?.hasMoreKeys === true) return this.wait(session)
    this.answer(session, TEXT.end)
    return parser.stop + 1
  }

  /** An answer that has begun to go out cannot become an error: so the keys to come are looked at before. */
  private checkKeys(): boolean {
    if (!this.areKeysChecked) this.areKeysChecked = !hasLongKey(this.bytes, this.parser.stop)
    return this.areKeysChecked
  }

  private answerError(session: Session, refusal: Uint8Array): number {
    this.output.rewind()
    this.answer(session, refusal)
    return this.skipLine(this.parser.stop)
  }

  /** Answers one key; if the whole line must be refused, returns the error. */
  private serveKey(session: Session): Uint8Array | undefined {
    const { request } = this
    this.takeKey(request)
    if (this.withTouch) request.wants = Want.Touch
    if (!this.reply.hasRoomForValue) {
      if (!this.checkKeys()) return TEXT.badFormat
      this.reply.ensureValue()
    }
    const came = this.retrieval.get(session)
    if (this.host.prefixes.isOn) {
      this.host.prefixes.recordGet(this.bytes, request.keyStart, request.keyEnd, came !== Retrieved.Miss)
    }
    if (came === Retrieved.Miss) return undefined
    if (this.host.verbosity > 1) this.logSending(session)
    if (came === Retrieved.Answered) return undefined
    if (came === Retrieved.Declined) return TEXT.badFormat
    if (came === Retrieved.TooManyReaders) return TEXT.noMemoryWriting
    // what goes before a lent value can no longer be taken back
    this.output.begin()
    this.isSending = came === Retrieved.Sending
    return undefined
  }

  hasValue(): boolean { return true }

  /** The VALUE line of an item. Before a value that is lent, all keys of the line must be known to be good. */
  head(view: ItemView, form: ValueForm): boolean {
    if (form === ValueForm.Lent && !this.checkKeys()) return false
    this.reply.header(view, this.request, this.withCas)
    return true
  }

  private logSending(session: Session): void {
    const { keyStart, keyEnd } = this.request
    this.host.log(`>${session.peer.id} sending key ${printable(this.bytes.subarray(keyStart, keyEnd))}`)
  }

  private takeKey(request: Request): void {
    request.keyStart = this.parser.keyStart
    request.keyEnd = this.parser.keyEnd
    request.hash = this.parser.hash
    request.wants = Want.None
  }

  // set, add, replace, append, prepend, cas

  /** The usual form, read in one pass: a key, three short numbers, perhaps noreply. Anything else goes the long way. */
  private plainStorage(session: Session, mode: Mode, start: number, at: number, end: number): number {
    const { bytes, parser, request } = this
    request.mode = mode
    if (!parser.scanKey(at + 1) || parser.keyEnd === parser.keyStart || bytes[parser.stop] !== Ascii.Space) {
      return this.storage(session, start, end)
    }
    this.takeKey(request)
    if (!parser.readDigits(parser.stop + 1) || bytes[parser.stop] !== Ascii.Space) return this.storage(session, start, end)
    request.flags = parser.value
    if (!parser.readDigits(parser.stop + 1) || bytes[parser.stop] !== Ascii.Space) return this.storage(session, start, end)
    const exptime = parser.value
    if (!parser.readDigits(parser.stop + 1)) return this.storage(session, start, end)
    let lineEnd = skipNoreply(bytes, parser.stop)
    session.isQuiet = lineEnd !== parser.stop
    if (bytes[lineEnd] === Ascii.CarriageReturn) lineEnd++
    if (bytes[lineEnd] !== Ascii.LineEnd) return this.storage(session, start, end)
    if (lineEnd >= end) return UNFINISHED
    request.expiresAt = this.cache.expiryFor(exptime)
    request.valueBytes = parser.value
    return this.takeValue(session, lineEnd + 1, end)
  }

  private storage(session: Session, start: number, end: number): number {
    const { parser, request } = this
    const lineEnd = parser.findLineEnd(start)
    if (lineEnd >= end) return UNFINISHED
    parser.split(start, lineEnd)
    session.isQuiet = false
    const length = parser.tokenCount < 5 ? -1 : parser.length(parser.tokenStart(4), parser.tokenEnd(4))
    if (length < 0) {
      // without a length nothing tells where the value ends, so it is not skipped, and the error is always sent
      this.answer(session, TEXT.badFormat)
      return lineEnd + 1
    }
    session.isQuiet = endsWithNoreply(parser)
    request.valueBytes = length
    if (!this.readStorage(request)) {
      this.answerAfter(session, length + 2, TEXT.badFormat)
      return lineEnd + 1
    }
    return this.takeValue(session, lineEnd + 1, end)
  }

  /** Reads the tokens around the length; false if one is wrong. */
  private readStorage(request: Request): boolean {
    const { parser } = this
    if (!parser.keyFrom(1)) return false
    this.takeKey(request)
    request.flags = flagsOf(parser, 2)
    if (request.flags < 0) return false
    const exptime = exptimeOf(parser, 3)
    if (exptime === NOT_A_NUMBER) return false
    request.expiresAt = this.cache.expiryFor(exptime)
    if (request.mode !== Mode.Cas) return true
    return parser.tokenCount > 5 && this.readUint64(5, request.cas)
  }

  private readUint64(token: number, into: Request['cas']): boolean {
    const start = this.parser.tokenStart(token)
    const end = this.parser.tokenEnd(token)
    return end - start <= NUMBER_CHARACTERS_MAX && parseUint64(this.bytes, start, end, into)
  }

  private takeValue(session: Session, at: number, end: number): number {
    const { prefixes } = this.host
    if (prefixes.isOn) prefixes.recordSet(this.bytes, this.request.keyStart, this.request.keyEnd)
    return this.values.take(session, at, end)
  }

  stored(session: Session, outcome: Outcome): void { this.answerOutcome(session, outcome) }

  failed(session: Session, outcome: Failure): void {
    this.answerAfter(session, this.request.valueBytes + 2, this.reply.bytesOf(outcome))
  }

  badDataChunk(session: Session): void { this.answer(session, TEXT.badDataChunk) }

  /** The answer needs no more than `session.isQuiet`, which stays as it is. */
  hold(): (answer: () => void) => void { return answer => answer() }

  /** Answers what is refused once it is here. */
  private answerAfter(session: Session, count: number, line: Uint8Array): void {
    session.swallow(count, session.isQuiet ? undefined : line)
    if (this.host.verbosity > 1) logReply(this.host, session, line, session.isQuiet)
  }

  // delete, incr, decr, touch

  /** Makes the second token the key; answers the error and false if it is none. */
  private readKey(session: Session, tokensMin: number): boolean {
    if (this.parser.tokenCount < tokensMin || !this.parser.keyFrom(1)) {
      this.answer(session, TEXT.badFormat)
      return false
    }
    this.takeKey(this.request)
    return true
  }

  private delete(session: Session): void {
    if (!this.readKey(session, 2)) return
    const { request } = this
    if (this.host.prefixes.isOn) this.host.prefixes.recordDelete(this.bytes, request.keyStart, request.keyEnd)
    this.answerOutcome(session, this.cache.delete(request))
  }

  private arithmetic(session: Session, isDecrement: boolean): void {
    if (!this.readKey(session, 3)) return
    const { request } = this
    if (!this.readUint64(2, request.number)) return this.answer(session, TEXT.badDelta)
    request.isDecrement = isDecrement
    const outcome = this.cache.arithmetic(request)
    if (outcome === Outcome.NoMemory) this.answer(session, TEXT.noMemory)
    else if (outcome !== Outcome.Number) this.answerOutcome(session, outcome)
    else this.answerNumber(session)
  }

  private answerNumber(session: Session): void {
    const { number } = this.request
    if (!session.isQuiet) this.reply.number(this.request)
    if (this.host.verbosity <= 1) return
    logReply(this.host, session, Buffer.from(String(toBigInt(number.high, number.low))), session.isQuiet)
  }

  private touch(session: Session): void {
    const { parser } = this
    if (!this.readKey(session, 3)) return
    const { request } = this
    const exptime = parser.int32(parser.tokenStart(2), parser.tokenEnd(2))
    if (exptime === NOT_A_NUMBER) return this.answer(session, TEXT.badExptime)
    request.expiresAt = this.cache.expiryFor(exptime)
    this.answerOutcome(session, this.cache.touch(request))
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

  constructor(private readonly text: TextProtocol, private readonly session: Session) {}

  resume(at: number, end: number): number {
    this.isDone = true
    return this.text.resumeGet(this, this.session, at, end)
  }

  /** Other keys are to be answered, with these. */
  wait(withCas: boolean, withTouch: boolean, expiresAt: number): void {
    this.isDone = false
    this.hasBegun = true
    this.withCas = withCas
    this.withTouch = withTouch
    this.expiresAt = expiresAt
  }

  /** Whether keys follow in the next piece of a long line. */
  get hasMoreKeys(): boolean { return this.line?.isAtLast === false }
}

/** Tells the names of commands apart by their length and three of their bytes. */
function signature(bytes: Uint8Array, start: number, end: number): number {
  return ((end - start) & 0x7f) << 24 | bytes[start]! << 16 | bytes[start + 1]! << 8 | bytes[end - 1]!
}

function isName(name: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start !== name.length) return false
  for (let i = 0; i < name.length; i++) if (name[i] !== bytes[start + i]) return false
  return true
}
