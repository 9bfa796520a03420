// md, ma and me: the commands about one item that bring no value and ask for none.
import { Use } from '../../insight/sampler.js'
import { toBigInt } from '../../memory/numbers.js'
import { Counter } from '../../stats/counters.js'
import { Outcome } from '../../store/outcome.js'
import { Found, Want } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { META } from './answers.js'
import { Flag } from './letters.js'
import { type Meta } from './meta.js'
import { storeWants } from './parse.js'

const INCREMENTS = Buffer.from('I+')
const DECREMENTS = Buffer.from('D-')

/** `md <key> <flags>*` */
export function md(meta: Meta): void {
  const { flags, reply, request, sampler, store } = meta
  const error = flags.error ?? flags.opaqueError
  if (error !== undefined) return reply.line(error)
  request.flags = flags.valueOf(Flag.F)
  request.expiresAt = flags.valueOf(Flag.T)
  request.wants = Want.FromMeta | storeWants(flags) | (flags.has(Flag.C) ? Want.CompareCas : 0) |
    (flags.has(Flag.x) ? Want.RemoveValue : 0) | (flags.has(Flag.I) ? Want.Invalidate : 0) |
    (flags.has(Flag.T) ? Want.NewExpiry : 0)
  const outcome = store.delete(request)
  if (sampler.isOpen) sampler.note(request, Use.Delete, outcome !== Outcome.NotFound, 0)
  if (outcome === Outcome.NoMemory) return reply.line(META.noMemory)
  if (outcome === Outcome.Deleted && flags.returns.isQuiet) return
  answerOutcome(meta, outcome)
}

/** `ma <key> <flags>*` */
export function ma(meta: Meta): void {
  const { flags, reply, request, sampler, store } = meta
  const error = readArithmetic(meta)
  if (error !== undefined) return reply.line(error)
  const outcome = store.arithmetic(request)
  if (sampler.isOpen) sampler.note(request, Use.Arithmetic, outcome !== Outcome.NotFound, 0)
  if (flags.opaqueError !== undefined) reply.line(flags.opaqueError)
  else if (outcome === Outcome.NonNumeric) reply.line(META.nonNumeric)
  else if (outcome === Outcome.NoMemory) reply.line(request.result === Found.Vivified ? META.noMemoryItem : META.noMemory)
  else if (outcome === Outcome.Number) answerNumber(meta)
  else answerOutcome(meta, outcome)
}

/** Puts what the flags say into the request; returns the error of one that is wrong. */
function readArithmetic({ flags, request }: Meta): Uint8Array | undefined {
  // of what is wrong with flags, ma says no more than that something is
  if (flags.error !== undefined) return flags.isMalformed ? META.badFormat : META.badArithmeticFlag
  const isIncrement = !flags.has(Flag.M) || INCREMENTS.includes(flags.valueOf(Flag.M))
  if (!isIncrement && !DECREMENTS.includes(flags.valueOf(Flag.M))) return META.badArithmeticMode
  const hasT = flags.isObeyed(Flag.T)
  request.isDecrement = !isIncrement
  if (!flags.has(Flag.D)) request.number.set(0, 1)
  if (!flags.has(Flag.J)) request.initial.set(0, 0)
  request.expiresAt = flags.valueOf(Flag.T)
  request.vivifiedUntil = flags.isObeyed(Flag.N) ? flags.valueOf(Flag.N) : 0
  if (hasT && flags.isBefore(Flag.N, Flag.T)) request.vivifiedUntil = flags.valueOf(Flag.T)
  request.casAfter.set(0, 0)
  request.wants = Want.TellCas | storeWants(flags) | (flags.has(Flag.N) ? Want.Vivify : 0) | (hasT ? Want.NewExpiry : 0) |
    (flags.has(Flag.C) && !request.cas.isZero ? Want.CompareCas : 0)
  return undefined
}

function answerNumber(meta: Meta): void {
  const { flags, output, reply, request: { digits } } = meta
  if (flags.returns.isQuiet) return
  reply.ensureLine()
  if (flags.has(Flag.v)) reply.value(digits.count)
  else reply.hit()
  meta.showNumber()
  output.lineEnd()
  if (!flags.has(Flag.v)) return
  output.copy(digits.bytes, 0, digits.count)
  output.lineEnd()
}

function answerOutcome(meta: Meta, outcome: Outcome): void {
  meta.reply.ensureLine()
  meta.reply.outcome(outcome)
  meta.endLine()
}

/** `me <key> <flags>*` describes an item for debugging. Of the flags it knows b alone, and minds no others. */
export function me(meta: Meta): void {
  const { flags, reply, request, store } = meta
  store.counters.add(Counter.CmdMeta)
  if (flags.isMalformed || flags.isKeyWrong) return reply.line(META.badFormat)
  let line: Uint8Array = META.miss
  request.wants = Want.Peek
  store.get(request, { read: view => {
    line = describe(view, store.context.now)
    return true
  } })
  reply.line(line)
}

function describe(view: ItemView, now: number): Uint8Array {
  const { expiresAt, keyStart, keyBytes } = view
  const key = Buffer.from(view.bytes.subarray(keyStart, keyStart + keyBytes))
  const name = key.toString(view.isBinaryKey ? 'base64' : 'latin1')
  const facts = {
    exp: expiresAt === 0 ? -1 : expiresAt - now,
    la: view.age,
    cas: toBigInt(view.casHigh, view.casLow),
    fetch: view.isFetched ? 'yes' : 'no',
    cls: view.slabClass,
    size: view.itemBytes,
  }
  const words = Object.entries(facts).map(([word, value]) => `${word}=${value}`)
  return Buffer.from(`ME ${name} ${words.join(' ')}\r\n`, 'latin1')
}
