// The meta commands: mg, ms, md, ma, me and mn. They come in the lines of a text session, which gives them here; one of
// these serves all the sessions of a thread. Errors are always answered, whatever `q` says.
import { Ascii } from '../../memory/ascii.js'
import { toBigInt, writeUint64 } from '../../memory/numbers.js'
import { Counter } from '../../stats/counters.js'
import { Outcome } from '../../store/outcome.js'
import { Found, Want, type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type ItemView, type Reader } from '../../store/view.js'
import { type Host } from '../host.js'
import { type LineParser } from '../line.js'
import { type Output } from '../output.js'
import { Retrieval, Retrieved, ValueForm, type RetrievalAnswers } from '../serve.js'
import { UNFINISHED, type Session } from '../session.js'
import { META } from './answers.js'
import { Flag, flagSet, MetaParser, storeWants } from './parse.js'
import { MetaReply } from './reply.js'
import { MetaSet } from './set.js'

/** Tokens before the flags: the command and its key. */
const TOKENS = 2
/** The flags that change what a get does. */
const GET_FLAGS = flagSet([Flag.N, Flag.R, Flag.T, Flag.u])
const INCREMENTS = Buffer.from('I+')
const DECREMENTS = Buffer.from('D-')

export class MetaCommands implements RetrievalAnswers, Reader {
  readonly hasLineEnd = true
  private readonly cache: Store
  private readonly output: Output
  private readonly request: Request
  private readonly retrieval: Retrieval
  private readonly flags: MetaParser
  private readonly reply: MetaReply
  private readonly set: MetaSet
  private readonly digits = new Uint8Array(20)
  /** The line that answers me. */
  private description: Uint8Array = META.miss

  constructor(host: Host, private readonly parser: LineParser) {
    this.cache = host.store
    this.output = host.output
    this.request = host.input.request
    this.retrieval = new Retrieval(host, this)
    this.flags = new MetaParser(parser, host.input, host.store)
    this.reply = new MetaReply(host.output)
    this.set = new MetaSet(host, parser, this.flags, this.reply)
  }

  /** Whether `m` and this letter are a command. */
  has(letter: number): boolean {
    return letter === Ascii.G || letter === Ascii.S || letter === Ascii.D || letter === Ascii.A || letter === Ascii.E ||
      letter === Ascii.N
  }

  /** Carries out the command of this letter; `at` is behind its name. Answers as Protocol.serve does. */
  serve(session: Session, letter: number, at: number, end: number): number {
    if (letter === Ascii.S) return this.set.ms(session, at, end)
    // a line of three bytes is none to memcached, and only this command could be so short
    if (letter === Ascii.N) {
      // as in memcached, it has what waits written
      session.answers = 0
      return this.answerLine(at, end, this.parser.bytes[at] === Ascii.LineEnd ? META.badFormat : META.end)
    }
    const { flags, request } = this
    if (!flags.readKey(at, request)) {
      if (letter === Ascii.A && flags.hasKey) return this.answerLongKey(request, end)
      return this.answerLine(at, end, META.badFormat)
    }
    flags.readFlags(flags.keyStop, TOKENS, request)
    if (flags.lineEnd >= end) return UNFINISHED
    if (letter === Ascii.G) this.mg(session)
    else if (letter === Ascii.D) this.md(request)
    else if (letter === Ascii.A) this.ma(request)
    else this.me(request)
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
  private answerLongKey(request: Request, end: number): number {
    const { flags } = this
    flags.readFlags(this.parser.tokenEndAt(flags.keyStop), TOKENS, request)
    return this.answerLine(flags.lineEnd, end, flags.isMalformed ? META.badFormat : META.badArithmeticFlag)
  }

  // mg

  private mg(session: Session): void {
    const { flags, reply, request } = this
    if (flags.error !== undefined) return reply.line(flags.error)
    request.wants = this.readGet(request)
    reply.ensureValue()
    const came = this.retrieval.get(session)
    if (came === Retrieved.TooManyReaders) return reply.line(META.tooManyReaders)
    if (came !== Retrieved.Miss && came !== Retrieved.Declined) return
    if (flags.opaqueError !== undefined) return reply.line(flags.opaqueError)
    if (flags.returns.isQuiet) return
    reply.miss()
    reply.repeat(request, flags.returns)
  }

  /** Puts what the flags say into the request; returns bits of Want. T, N and R are obeyed from left to right. */
  private readGet(request: Request): number {
    const { flags } = this
    let wants = Want.Renewal | storeWants(flags)
    if (!flags.hasAny(GET_FLAGS)) return wants
    const hasT = this.isObeyed(Flag.T)
    if (flags.has(Flag.u)) wants |= Want.NoBump
    if (hasT) {
      request.expiresAt = flags.expiresAt
      wants |= Want.NewExpiry
    }
    if (flags.has(Flag.N)) {
      request.vivifiedUntil = this.isObeyed(Flag.N) ? flags.vivifiedUntil : 0
      if (hasT && flags.isBefore(Flag.N, Flag.T)) request.vivifiedUntil = flags.expiresAt
      wants |= Want.Vivify
    }
    if (flags.has(Flag.R)) {
      request.recacheBefore = flags.recacheBefore
      wants |= hasT && flags.isBefore(Flag.T, Flag.R) ? Want.Recache | Want.RecacheLast : Want.Recache
    }
    return wants
  }

  /** True of a flag that is there, and not behind an opaque that is too long: what follows that is not obeyed. */
  private isObeyed(flag: Flag): boolean {
    const { flags } = this
    return flags.has(flag) && (flags.opaqueError === undefined || flags.isBefore(flag, Flag.O))
  }

  hasValue(view: ItemView): boolean {
    const { flags, request } = this
    return flags.has(Flag.v) && !(flags.has(Flag.C) && view.hasCas(request.cas))
  }

  /** The first line of a hit. */
  head(view: ItemView, form: ValueForm): boolean {
    const { flags, output, reply, request: { result } } = this
    if (flags.opaqueError !== undefined) return false
    if (form === ValueForm.None) reply.hit()
    else reply.value(view.valueBytes)
    if (flags.returns.count > 0) this.showItem(view)
    if (result !== Found.None) this.showResult(result)
    output.lineEnd()
    return true
  }

  /** Shows what the flags ask for, from left to right: t shows the end that T or N gives if these stand before it. */
  private showItem(view: ItemView): void {
    const { flags, reply, request } = this
    const { returns } = flags
    let end = request.endedAt
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      if (flag === Flag.O) reply.opaque(returns)
      else if (flag === Flag.t) reply.timeToLive(end, this.cache.context.now)
      else if (flag === Flag.T) end = flags.expiresAt
      else if (flag === Flag.N && (request.result & Found.Vivified) !== 0) end = flags.vivifiedUntil
      else reply.itemFlag(flag, view)
    }
  }

  private showResult(result: number): void {
    const { reply } = this
    if ((result & Found.WonBefore) !== 0) reply.flag(Flag.Z)
    if ((result & Found.Stale) !== 0) reply.flag(Flag.X)
    if ((result & Found.Won) !== 0) reply.flag(Flag.W)
  }

  // md

  private md(request: Request): void {
    const { flags, reply } = this
    const { returns } = flags
    const error = flags.error ?? flags.opaqueError
    if (error !== undefined) return reply.line(error)
    request.flags = flags.clientFlags
    request.expiresAt = flags.expiresAt
    request.wants = Want.FromMeta | storeWants(flags) | (flags.has(Flag.C) ? Want.CompareCas : 0) |
      (flags.has(Flag.x) ? Want.RemoveValue : 0) | (flags.has(Flag.I) ? Want.Invalidate : 0) | (flags.has(Flag.T) ? Want.NewExpiry : 0)
    const outcome = this.cache.delete(request)
    if (outcome === Outcome.NoMemory) return reply.line(META.noMemory)
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
    const outcome = this.cache.arithmetic(request)
    if (flags.opaqueError !== undefined) reply.line(flags.opaqueError)
    else if (outcome === Outcome.NonNumeric) reply.line(META.nonNumeric)
    else if (outcome === Outcome.NoMemory) reply.line(flags.has(Flag.N) ? META.noMemoryItem : META.noMemory)
    else if (outcome === Outcome.Number) this.answerNumber(request)
    else {
      reply.ensureLine()
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
    const isObeyed = flags.opaqueError === undefined
    request.expiresAt = flags.expiresAt
    request.vivifiedUntil = isObeyed ? flags.vivifiedUntil : 0
    if (isObeyed && flags.has(Flag.T) && flags.isBefore(Flag.N, Flag.T)) request.vivifiedUntil = flags.expiresAt
    request.casAfter.set(0, 0)
    request.wants = Want.TellCas | storeWants(flags) | (flags.has(Flag.N) ? Want.Vivify : 0) |
      (isObeyed && flags.has(Flag.T) ? Want.NewExpiry : 0) | (flags.has(Flag.C) && !request.cas.isZero ? Want.CompareCas : 0)
    return undefined
  }

  /** Shows the result and what the flags ask for, from left to right. */
  private answerNumber(request: Request): void {
    const { digits, flags, output, reply } = this
    const { returns } = flags
    if (returns.isQuiet) return
    const { casAfter, number } = request
    const length = writeUint64(digits, 0, number.high, number.low)
    let end = request.endedAt
    reply.ensureLine()
    if (flags.has(Flag.v)) reply.value(length)
    else reply.hit()
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      if (flag === Flag.T) end = flags.expiresAt
      else if (flag === Flag.N && (request.result & Found.Vivified) !== 0) end = flags.vivifiedUntil
      else if (flag === Flag.t) reply.timeToLive(end, this.cache.context.now)
      else if (flag === Flag.c) reply.cas(casAfter.high, casAfter.low)
      else reply.repeated(flag, request, returns)
    }
    output.lineEnd()
    if (!flags.has(Flag.v)) return
    output.copy(digits, 0, length)
    output.lineEnd()
  }

  // me

  private me(request: Request): void {
    const { flags, reply } = this
    this.cache.counters.add(Counter.CmdMeta)
    // it obeys no flag but b, and knows no others
    if (flags.isMalformed || flags.isKeyWrong) return reply.line(META.badFormat)
    request.wants = Want.Peek
    reply.line(this.cache.get(request, this) ? this.description : META.miss)
  }

  /** Describes an item for me. */
  read(view: ItemView): boolean {
    this.description = this.describe(view)
    return true
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
