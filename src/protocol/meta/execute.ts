// The meta commands: mg, ms, md, ma, me and mn. They come in the lines of a text session, which gives them here; one of
// these serves all the sessions of a thread. Errors are always answered, whatever `q` says.
import { Ascii } from '../../memory/ascii.js'
import { State } from '../../memory/layout.js'
import { toBigInt, writeUint64 } from '../../memory/numbers.js'
import { Counter } from '../../stats/counters.js'
import { NO_ITEM, type ItemId } from '../../store/items/items.js'
import { Outcome } from '../../store/outcome.js'
import { Extra, type Request } from '../../store/request.js'
import { type Shard } from '../../store/shard.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { type Host } from '../host.js'
import { type LineParser } from '../line.js'
import { Copy, type Output } from '../output.js'
import { UNFINISHED, type Session } from '../session.js'
import { META } from './answers.js'
import { Flag, MetaParser, storeExtras } from './parse.js'
import { MetaReply } from './reply.js'
import { MetaSet } from './set.js'

/** Tokens before the flags: the command and its key. */
const TOKENS = 2
const INCREMENTS = Buffer.from('I+')
const DECREMENTS = Buffer.from('D-')

export class MetaCommands {
  private readonly cache: Store
  private readonly output: Output
  private readonly flags: MetaParser
  private readonly reply: MetaReply
  private readonly set: MetaSet
  private readonly digits = new Uint8Array(20)

  constructor(host: Host, private readonly parser: LineParser) {
    this.cache = host.store
    this.output = host.output
    this.flags = new MetaParser(parser, host.input, host.store)
    this.reply = new MetaReply(host.output)
    this.set = new MetaSet(host, parser, this.flags, this.reply)
  }

  /** Whether `m` and this letter are a command. */
  has(letter: number): boolean {
    return letter === Ascii.G || letter === Ascii.S || letter === Ascii.D || letter === Ascii.A || letter === Ascii.E ||
      letter === Ascii.N
  }

  /** Carries out the command of this letter; `at` is behind its name. Answers as Protocol.request does. */
  request(session: Session, letter: number, at: number, end: number): number {
    if (letter === Ascii.S) return this.set.ms(session, at, end)
    // a line of three bytes is none to memcached, and only this command could be so short
    if (letter === Ascii.N) {
      // as in memcached, it has what waits written
      session.answers = 0
      return this.answerLine(at, end, this.parser.bytes[at] === Ascii.LineEnd ? META.badFormat : META.end)
    }
    const { flags } = this
    if (!flags.readKey(at, session.request)) {
      if (letter === Ascii.A && flags.hasKey) return this.refuseLongKey(session.request, end)
      return this.answerLine(at, end, META.badFormat)
    }
    flags.readFlags(flags.keyStop, TOKENS, session.request)
    if (flags.lineEnd >= end) return UNFINISHED
    if (letter === Ascii.G) this.mg(session)
    else if (letter === Ascii.D) this.md(session.request)
    else if (letter === Ascii.A) this.ma(session.request)
    else this.me(session.request)
    return flags.lineEnd + 1
  }

  /** Answers a line of which nothing more needs to be read. */
  private answerLine(at: number, end: number, answer: Uint8Array): number {
    const lineEnd = this.parser.findLineEnd(at)
    if (lineEnd >= end) return UNFINISHED
    this.reply.line(answer)
    return lineEnd + 1
  }

  /** ma says no more of a key that is too long than of a flag. */
  private refuseLongKey(request: Request, end: number): number {
    const { flags } = this
    flags.readFlags(this.parser.tokenEndAt(flags.keyStop), TOKENS, request)
    return this.answerLine(flags.lineEnd, end, flags.isMalformed ? META.badFormat : META.badArithmeticFlag)
  }

  // mg

  private mg(session: Session): void {
    const { flags, reply } = this
    const { request } = session
    if (flags.error !== undefined) return reply.line(flags.error)
    const shard = this.cache.shardFor(request)
    reply.ensureValue()
    shard.take(request)
    let item = shard.findLiveLocked(request)
    const isVivified = item === NO_ITEM && flags.has(Flag.N)
    if (isVivified) item = this.vivifyLocked(shard, request)
    if (item !== NO_ITEM) return this.answerHitLocked(session, shard, item, isVivified)
    shard.countGet(item, false)
    shard.release(request)
    if (flags.opaqueError !== undefined) return reply.line(flags.opaqueError)
    if (flags.returns.isQuiet) return
    reply.miss()
    reply.repeat(request, flags.returns)
  }

  /** N gives it its end when its turn comes. */
  private vivifyLocked(shard: Shard, request: Request): ItemId {
    request.expiresAt = 0
    request.extras = storeExtras(this.flags)
    return shard.vivifyLocked(request)
  }

  /** Answers with an item, and releases its stripe. */
  private answerHitLocked(session: Session, shard: Shard, item: ItemId, isVivified: boolean): void {
    const { flags, output, reply } = this
    const { request } = session
    const { items } = shard
    const start = output.at
    const valueBytes = items.valueBytes(item)
    const hasValue = flags.has(Flag.v) && !(flags.has(Flag.C) && shard.hasCas(item, request.cas))
    const isLent = hasValue && valueBytes > Copy.BytesMax
    if (hasValue) reply.value(valueBytes)
    else reply.hit()
    this.showLocked(shard, item, isVivified)
    const error = flags.opaqueError ?? (isLent && !shard.tryPinStripeLocked(item) ? META.tooManyReaders : undefined)
    if (error !== undefined) {
      output.at = start
      shard.release(request)
      return reply.line(error)
    }
    output.lineEnd()
    if (hasValue && !isLent) {
      items.readValue(item, 0, output.memory, output.at, valueBytes)
      output.at += valueBytes
      output.lineEnd()
    }
    shard.countGet(item, flags.has(Flag.T))
    // what was shown is from before this use of it
    if (!flags.has(Flag.u)) shard.bumpLocked(item)
    shard.release(request)
    if (isLent) session.send(shard, item, true)
  }

  /**
   * Shows what the flags ask for, and does what they say, from left to right; then whether the item is to be renewed. An
   * opaque that is too long ends it, when its turn comes.
   */
  private showLocked(shard: Shard, item: ItemId, isVivified: boolean): void {
    const { flags, reply } = this
    const { returns } = flags
    const { items } = shard
    const { now } = this.cache.context
    let isWon = isVivified
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      if (flag === Flag.O && flags.opaqueError !== undefined) return
      if (flag === Flag.O) reply.opaque(returns)
      else if (flag === Flag.T) items.setExpiresAt(item, flags.expiresAt)
      else if (flag === Flag.N && isVivified) items.setExpiresAt(item, flags.vivifiedUntil)
      else if (flag === Flag.R) isWon ||= this.isDue(items.expiresAt(item)) && !items.has(item, State.Won)
      else reply.itemFlag(flag, items, item, now)
    }
    if (items.has(item, State.Won)) reply.flag(Flag.Z)
    if (items.has(item, State.Stale)) {
      reply.flag(Flag.X)
      if (!items.has(item, State.Won)) isWon = true
    }
    if (!isWon) return
    reply.flag(Flag.W)
    items.mark(item, State.Won)
  }

  /** Whether an item ends so soon that R wants it renewed. */
  private isDue(expiresAt: number): boolean { return expiresAt !== 0 && expiresAt < this.flags.recacheBefore }

  // md

  private md(request: Request): void {
    const { flags, reply } = this
    const { returns } = flags
    const error = flags.error ?? flags.opaqueError
    if (error !== undefined) return reply.line(error)
    request.flags = flags.clientFlags
    request.expiresAt = flags.expiresAt
    request.extras = storeExtras(flags) | Extra.FromMeta | (flags.has(Flag.C) ? Extra.CompareCas : 0) | (flags.has(Flag.x) ? Extra.RemoveValue : 0) |
      (flags.has(Flag.I) ? Extra.Invalidate : 0) | (flags.has(Flag.T) ? Extra.NewExpiry : 0)
    const outcome = this.cache.shardFor(request).delete(request)
    if (outcome === Outcome.NoMemory) return reply.line(META.noMemory)
    if (outcome === Outcome.Exists) this.cache.counters.add(Counter.DeleteMisses)
    if (outcome === Outcome.Deleted && returns.isQuiet) return
    reply.ensureLine()
    reply.outcome(outcome)
    reply.repeat(request, returns)
  }

  // ma

  private ma(request: Request): void {
    const { flags, reply } = this
    const error = this.readArithmetic(request)
    if (error !== undefined) return reply.line(error)
    const shard = this.cache.shardFor(request)
    reply.ensureLine()
    shard.take(request)
    const outcome = shard.arithmeticLocked(request)
    if (outcome === Outcome.Number && flags.opaqueError === undefined) this.showNumberLocked(shard, request)
    shard.release(request)
    if (flags.opaqueError !== undefined) reply.line(flags.opaqueError)
    else if (outcome === Outcome.NonNumeric) reply.line(META.nonNumeric)
    else if (outcome === Outcome.NoMemory) reply.line(flags.has(Flag.N) ? META.noMemoryItem : META.noMemory)
    else if (outcome !== Outcome.Number) {
      reply.outcome(outcome)
      reply.repeat(request, flags.returns)
    }
  }

  /** Puts what the flags say into the request; answers what is wrong with them. */
  private readArithmetic(request: Request): Uint8Array | undefined {
    const { flags } = this
    // of what is wrong with flags, ma says no more than that something is
    if (flags.error !== undefined) return flags.isMalformed ? META.badFormat : META.badArithmeticFlag
    const isIncrement = !flags.has(Flag.M) || INCREMENTS.includes(flags.mode)
    if (!isIncrement && !DECREMENTS.includes(flags.mode)) return META.badArithmeticMode
    request.isDecrement = !isIncrement
    if (!flags.has(Flag.D)) request.number.set(0, 1)
    if (!flags.has(Flag.J)) request.initial.set(0, 0)
    request.expiresAt = 0
    request.extras = storeExtras(flags) | (flags.has(Flag.N) ? Extra.Vivify : 0) |
      (flags.has(Flag.C) && !request.cas.isZero ? Extra.CompareCas : 0)
    return undefined
  }

  /** Shows the result and does what T and N say, from left to right. */
  private showNumberLocked(shard: Shard, request: Request): void {
    const { digits, flags, output, reply } = this
    const { returns } = flags
    const { items } = shard
    const { item, number } = request
    const start = output.at
    const length = writeUint64(digits, 0, number.high, number.low)
    if (flags.has(Flag.v)) reply.value(length)
    else reply.hit()
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      if (flag === Flag.T) items.setExpiresAt(item, flags.expiresAt)
      else if (flag === Flag.N && request.isBegun) items.setExpiresAt(item, flags.vivifiedUntil)
      else if (flag === Flag.t) reply.timeToLive(items.expiresAt(item), this.cache.context.now)
      else if (flag === Flag.c) reply.cas(items.casHigh(item), items.casLow(item))
      else reply.repeated(flag, request, returns)
    }
    output.lineEnd()
    if (flags.has(Flag.v)) {
      output.copy(digits, 0, length)
      output.lineEnd()
    }
    if (returns.isQuiet) output.at = start
  }

  // me

  private me(request: Request): void {
    const { flags, reply } = this
    this.cache.counters.add(Counter.CmdMeta)
    // it obeys no flag but b, and knows no others
    if (flags.isMalformed || flags.isKeyWrong) return reply.line(META.badFormat)
    const shard = this.cache.shardFor(request)
    shard.take(request)
    const item = shard.findLiveLocked(request)
    const line = item === NO_ITEM ? META.miss : this.describe(shard.view.of(item))
    shard.release(request)
    reply.line(line)
  }

  private describe(view: ItemView): Uint8Array {
    const { expiresAt, keyStart, keyBytes } = view
    const key = Buffer.from(view.bytes.subarray(keyStart, keyStart + keyBytes))
    const name = key.toString(view.isBinaryKey ? 'base64' : 'latin1')
    const facts = {
      exp: expiresAt === 0 ? -1 : expiresAt - this.cache.context.now,
      la: view.age,
      cas: toBigInt(view.casHigh, view.casLow),
      fetch: view.isFetched ? 'yes' : 'no',
      cls: view.slabClass,
      size: view.itemBytes,
    }
    const words = Object.entries(facts).map(([word, value]) => `${word}=${value}`)
    return Buffer.from(`ME ${name} ${words.join(' ')}\r\n`, 'latin1')
  }
}
