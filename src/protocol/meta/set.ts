// ms: its line, and the value that follows it, at once or in parts.
import { Outcome, type Failure } from '../../store/outcome.js'
import { Mode, Want, type Request } from '../../store/request.js'
import { type Host } from '../host.js'
import { logAnswer, logReply } from '../log.js'
import { VALUE_BYTES_MAX, type LineParser } from '../line.js'
import { Storage, type StorageAnswers } from '../serve.js'
import { UNFINISHED, type Session } from '../session.js'
import { META } from './answers.js'
import { Flag, storeWants, type MetaParser, type Returns } from './parse.js'
import { type MetaReply } from './reply.js'

/** Tokens before the flags: the command, its key and the length of the value. */
const TOKENS = 3

/** The letters behind M. */
const MODES = new Map([['E', Mode.Add], ['A', Mode.Append], ['P', Mode.Prepend], ['R', Mode.Replace], ['S', Mode.Set]]
  .map(([letter, mode]) => [String(letter).charCodeAt(0), mode as Mode]))

export class MetaSet implements StorageAnswers {
  private readonly request: Request
  private readonly values: Storage
  /** The part of the request that its answer shows: of the line at work, or kept from it while its value came. */
  private returns: Returns

  constructor(private readonly host: Host, private readonly parser: LineParser, private readonly flags: MetaParser,
    private readonly reply: MetaReply) {
    this.request = host.input.request
    this.values = new Storage(host, this, 2)
    this.returns = flags.returns
  }

  /** Carries out the line of which the name ends at `at`; answers as Protocol.serve does. */
  ms(session: Session, at: number, end: number): number {
    const { flags, parser, request } = this
    const isKey = flags.readKey(at, request)
    const lengthStart = parser.skipSpaces(parser.tokenEndAt(flags.keyStop))
    const lengthEnd = parser.tokenEndAt(lengthStart)
    const length = parser.whole(lengthStart, lengthEnd)
    flags.readFlags(lengthEnd, TOKENS, request)
    if (flags.lineEnd >= end) return UNFINISHED
    const valueStart = flags.lineEnd + 1
    if (length < 0 || length > VALUE_BYTES_MAX || flags.isMalformed) {
      // nothing tells where the value ends, so it is not skipped
      this.reply.line(META.badFormat)
      return valueStart
    }
    const error = isKey ? this.readSet(request) : META.badFormat
    if (error === undefined) return this.takeValue(session, length, valueStart, end)
    this.answerAfter(session, length + 2, error)
    return valueStart
  }

  /** Puts what the flags say into the request; answers what is wrong with them. */
  private readSet(request: Request): Uint8Array | undefined {
    const { flags } = this
    const error = flags.error ?? flags.opaqueError
    if (error !== undefined) return error
    const mode = flags.has(Flag.M) ? MODES.get(flags.mode) : Mode.Set
    if (mode === undefined) return META.badSetMode
    request.mode = mode
    request.flags = flags.clientFlags
    request.expiresAt = flags.expiresAt
    // a value that cannot be stored takes the old one along in any mode
    request.wants = Want.DropOld | storeWants(flags) | (flags.has(Flag.c) ? Want.TellCas : 0)
    // 0 is no number to choose; what is stored gets a fresh one
    if (request.newCas.isZero) request.wants &= ~Want.NewCas
    if (mode === Mode.Append || mode === Mode.Prepend) this.readJoin(request)
    else if (flags.has(Flag.C) && mode !== Mode.Add) {
      request.mode = Mode.Cas
      if (flags.has(Flag.I)) request.wants |= Want.MayBeStale
    }
    return undefined
  }

  private readJoin(request: Request): void {
    const { flags } = this
    if (flags.has(Flag.C) && !request.cas.isZero) request.wants |= Want.CompareCas
    if (!flags.has(Flag.N)) return
    request.wants |= Want.Vivify
    request.expiresAt = flags.vivifiedUntil
  }

  private takeValue(session: Session, valueBytes: number, at: number, end: number): number {
    const { request } = this
    request.valueBytes = valueBytes
    request.casAfter.set(0, 0)
    this.returns = this.flags.returns
    return this.values.take(session, at, end)
  }

  stored(_session: Session, outcome: Outcome): void {
    const { reply, request, returns } = this
    if (outcome === Outcome.Stored && returns.isQuiet) return
    reply.ensureLine()
    reply.outcome(outcome)
    reply.stored(request, returns)
  }

  failed(session: Session, outcome: Failure): void {
    this.answerAfter(session, this.request.valueBytes + 2, outcome === Outcome.TooLarge ? META.tooLarge : META.noMemoryStoring)
  }

  badDataChunk(): void { this.reply.line(META.badDataChunk) }

  hold(session: Session): (answer: () => void) => void {
    const returns = this.flags.returns.copy()
    return answer => {
      this.returns = returns
      if (this.host.verbosity > 1) logAnswer(this.host, session, answer)
      else answer()
    }
  }

  /** Has the session throw `count` bytes away as they come, and then answers. */
  private answerAfter(session: Session, count: number, line: Uint8Array): void {
    session.swallow(count, line)
    if (this.host.verbosity > 1) logReply(this.host, session, line)
  }
}
