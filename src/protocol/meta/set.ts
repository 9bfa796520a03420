// ms: its line, and the value that follows it, at once or in parts.
import { Outcome, Refusal, type Failure } from '../../store/outcome.js'
import { Mode, Want, type Request } from '../../store/request.js'
import { VALUE_BYTES_MAX } from '../line.js'
import { logAnswer, logReply } from '../log.js'
import { UNFINISHED, type Session } from '../session.js'
import { Storage, type StorageAnswers } from '../storage.js'
import { META } from './answers.js'
import { Flag, type Returns } from './letters.js'
import { type Meta } from './meta.js'
import { type MetaParser, storeWants } from './parse.js'
import { type MetaReply } from './reply.js'

/** Tokens before the flags: the command, its key and the length of the value. */
const TOKENS = 3

/** The letters behind M. */
const MODES: ReadonlyMap<number, Mode> = new Map(Object.entries({
  E: Mode.Add, A: Mode.Append, P: Mode.Prepend, R: Mode.Replace, S: Mode.Set,
}).map(([letter, mode]) => [letter.charCodeAt(0), mode]))

export class MetaSet implements StorageAnswers {
  private readonly flags: MetaParser
  private readonly reply: MetaReply
  private readonly request: Request
  private readonly storage: Storage
  /** The part of the request that its answer shows: of the line at work, or kept from it while its value came. */
  private returns: Returns

  constructor(private readonly meta: Meta) {
    this.flags = meta.flags
    this.reply = meta.reply
    this.request = meta.request
    this.storage = new Storage(meta.host, this, 2)
    this.returns = meta.flags.returns
  }

  /** Carries out the line of which the name ends at `at`; returns what Protocol.serve does. */
  ms(session: Session, at: number, end: number): number {
    const { flags, request, meta: { parser } } = this
    const isKey = flags.readKey(at)
    const lengthStart = parser.skipSpaces(parser.tokenEndAt(flags.keyStop))
    const lengthEnd = parser.tokenEndAt(lengthStart)
    const length = parser.whole(lengthStart, lengthEnd)
    flags.readFlags(lengthEnd, TOKENS)
    if (flags.lineEnd >= end) return UNFINISHED
    const valueStart = flags.lineEnd + 1
    if (length < 0 || length > VALUE_BYTES_MAX || flags.isMalformed) {
      // nothing says where the value ends, so it is not skipped
      this.countRefused(at, 0)
      this.reply.line(META.badFormat)
      return valueStart
    }
    const error = isKey ? this.readSet(request) : META.badFormat
    if (error === undefined) {
      parser.lookAhead(valueStart + length + 2, end)
      return this.takeValue(session, length, valueStart, end)
    }
    this.countRefused(at, length)
    this.answerAfter(session, length + 2, error)
    return valueStart
  }

  /** Counts a line that is wrong, if it has a key. @param at the end of its name; @param valueBytes 0 if it is not known */
  private countRefused(at: number, valueBytes: number): void {
    const { meta: { host: { store }, parser }, request: { bytes } } = this
    const start = parser.skipSpaces(at)
    const end = parser.tokenEndAt(start)
    if (end > start) store.context.countRefused(Refusal.BadData, bytes, start, end, valueBytes)
  }

  /** Puts what the flags say into the request; returns the error of one that is wrong. */
  private readSet(request: Request): Uint8Array | undefined {
    const { flags } = this
    const error = flags.error ?? flags.opaqueError
    if (error !== undefined) return error
    const mode = flags.has(Flag.M) ? MODES.get(flags.valueOf(Flag.M)) : Mode.Set
    if (mode === undefined) return META.badSetMode
    request.mode = mode
    request.flags = flags.valueOf(Flag.F)
    request.expiresAt = flags.valueOf(Flag.T)
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
    request.expiresAt = flags.valueOf(Flag.N)
  }

  private takeValue(session: Session, valueBytes: number, at: number, end: number): number {
    const { request } = this
    request.valueBytes = valueBytes
    request.casAfter.set(0, 0)
    this.returns = this.flags.returns
    return this.storage.take(session, at, end)
  }

  stored(_session: Session, outcome: Outcome): void {
    const { meta, reply, returns } = this
    if (outcome === Outcome.Stored && returns.isQuiet) return
    reply.ensureLine()
    reply.outcome(outcome)
    meta.showStored(returns)
    meta.output.lineEnd()
  }

  failed(session: Session, outcome: Failure): void {
    this.answerAfter(session, this.request.valueBytes + 2, outcome === Outcome.TooLarge ? META.tooLarge : META.noMemoryStoring)
  }

  badDataChunk(): void { this.reply.line(META.badDataChunk) }

  hold(session: Session): (answer: () => void) => void {
    const returns = this.flags.returns.copy()
    return answer => {
      this.returns = returns
      if (this.meta.host.verbosity > 1) logAnswer(this.meta.host, session, answer)
      else answer()
    }
  }

  /** Has the session throw `count` bytes away as they come, and then answers. */
  private answerAfter(session: Session, count: number, line: Uint8Array): void {
    session.swallow(count, line)
    if (this.meta.host.verbosity > 1) logReply(this.meta.host, session, line)
  }
}
