// ms: its line, and the value that follows it, at once or in parts.
import { ClassCounter } from '../../stats/counters.js'
import { NO_ITEM, type ItemId } from '../../store/items/items.js'
import { Outcome } from '../../store/outcome.js'
import { Extra, Mode, type Request } from '../../store/request.js'
import { type Shard } from '../../store/shard.js'
import { type Store } from '../../store/store.js'
import { type Host } from '../host.js'
import { logAnswer, logReply } from '../log.js'
import { VALUE_BYTES_MAX, type LineParser } from '../line.js'
import { UNFINISHED, type Session } from '../session.js'
import { type Receiver } from '../work/value.js'
import { META } from './answers.js'
import { Flag, storeExtras, type MetaParser, type Returns } from './parse.js'
import { type MetaReply } from './reply.js'

/** Tokens before the flags: the command, its key and the length of the value. */
const TOKENS = 3

/** The letters behind M. */
const MODES = new Map([['E', Mode.Add], ['A', Mode.Append], ['P', Mode.Prepend], ['R', Mode.Replace], ['S', Mode.Set]]
  .map(([letter, mode]) => [String(letter).charCodeAt(0), mode as Mode]))

export class MetaSet {
  private readonly cache: Store

  constructor(private readonly host: Host, private readonly parser: LineParser, private readonly flags: MetaParser, private readonly reply: MetaReply) {
    this.cache = host.store
  }

  /** Carries out the line of which the name ends at `at`; answers as Protocol.request does. */
  ms(session: Session, at: number, end: number): number {
    const { flags, parser } = this
    const { request } = session
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
    request.extras = storeExtras(flags) | (flags.has(Flag.c) ? Extra.TellCas : 0)
    // 0 is no number to choose; what is stored gets a fresh one
    if (request.newCas.isZero) request.extras &= ~Extra.NewCas
    if (mode === Mode.Append || mode === Mode.Prepend) this.readJoin(request)
    else if (flags.has(Flag.C) && mode !== Mode.Add) {
      request.mode = Mode.Cas
      if (flags.has(Flag.I)) request.extras |= Extra.MayBeStale
    }
    return undefined
  }

  private readJoin(request: Request): void {
    const { flags } = this
    if (flags.has(Flag.C) && !request.cas.isZero) request.extras |= Extra.CompareCas
    if (!flags.has(Flag.N)) return
    request.extras |= Extra.Vivify
    request.expiresAt = flags.vivifiedUntil
  }

  /** Stores the value at `at` if all of it is there; reserves an item for it otherwise. */
  private takeValue(session: Session, valueBytes: number, at: number, end: number): number {
    const { request } = session
    request.valueBytes = valueBytes
    request.casAfter.set(0, 0)
    session.expectValue(valueBytes)
    const shard = this.cache.shardFor(request)
    if (shard.isTooLarge(request, request.flags, valueBytes)) return this.refuseValue(session, shard, Outcome.TooLarge, at)
    if (this.parser.hasValue(at, valueBytes, end)) {
      const outcome = shard.put(request, at)
      if (outcome === Outcome.NoMemory) return this.refuseValue(session, shard, outcome, at)
      this.answer(request, outcome, this.flags.returns)
      return at + valueBytes + 2
    }
    const item = shard.reserve(request)
    if (item === NO_ITEM) return this.refuseValue(session, shard, Outcome.NoMemory, at)
    session.beginValue(shard, item, new PendingSet(this, session, this.flags.returns.copy()), 2)
    return at
  }

  /** A value that will not be stored is still received, and only then answered. The old one goes, as it is outdated. */
  private refuseValue(session: Session, shard: Shard, outcome: Outcome, at: number): number {
    shard.refuse(session.request, outcome, true)
    this.answerAfter(session, session.request.valueBytes + 2, outcome === Outcome.TooLarge ? META.tooLarge : META.noMemoryStoring)
    return at
  }

  /** Answers what is refused once it is here. */
  private answerAfter(session: Session, count: number, line: Uint8Array): void {
    session.swallow(count, line)
    if (this.host.verbosity > 1) logReply(this.host, session, line)
  }

  /** Stores an item that was filled in parts. */
  received(session: Session, shard: Shard, item: ItemId, hasLineEnd: boolean, returns: Returns): void {
    const { request } = session
    if (this.host.verbosity <= 1) return this.store(request, shard, item, hasLineEnd, returns)
    logAnswer(this.host, session, () => this.store(request, shard, item, hasLineEnd, returns))
  }

  private store(request: Request, shard: Shard, item: ItemId, hasLineEnd: boolean, returns: Returns): void {
    this.cache.counters.addClass(shard.allocator.classOf(item), ClassCounter.CmdSet)
    if (!hasLineEnd) {
      shard.allocator.abandon(item)
      return this.reply.line(META.badDataChunk)
    }
    // the answer may show the key when the item is gone
    request.bytes = request.bytes.slice(request.keyStart, request.keyEnd)
    request.keyEnd -= request.keyStart
    request.keyStart = 0
    this.answer(request, shard.commit(request, item), returns)
  }

  private answer(request: Request, outcome: Outcome, returns: Returns): void {
    if (outcome === Outcome.Stored && returns.isQuiet) return
    this.reply.ensureLine()
    this.reply.outcome(outcome)
    this.reply.stored(request, returns)
  }
}

/** What is left to do when the value is complete. */
class PendingSet implements Receiver {
  constructor(private readonly set: MetaSet, private readonly session: Session, private readonly returns: Returns) {}

  received(shard: Shard, item: ItemId, hasLineEnd: boolean): void {
    this.set.received(this.session, shard, item, hasLineEnd, this.returns)
  }
}
