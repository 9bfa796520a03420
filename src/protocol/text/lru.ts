// The command `lru`: how the lists of all classes are kept. What it sets counts in all threads at once.
import { type LineParser } from '../line.js'
import { type Session } from '../session.js'
import { type TextProtocol } from './execute.js'
import { TEXT } from './reply.js'

/** HOT and WARM together; what is left is COLD's. */
const PERCENT_MAX = 80
const TTL_MAX = 2 ** 32 - 1
/** What memcached takes for a factor, but for hexadecimal numbers and words such as `inf`. */
const FACTOR = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i

export function lru(text: TextProtocol, session: Session): void {
  const { parser } = text
  switch (parser.token(1)) {
    case 'tune': return text.answer(session, tune(text))
    case 'mode': return text.answer(session, setMode(text, parser.token(2)))
    case 'temp_ttl': return text.answer(session, setTemporaryTtl(text))
    default: return text.answer(session, TEXT.error)
  }
}

/** `lru tune <hot percent> <warm percent> <hot factor> <warm factor>` */
function tune({ parser, host }: TextProtocol): Uint8Array {
  if (parser.tokenCount < 6) return TEXT.error
  const hotPct = parser.uint32(parser.tokenStart(2), parser.tokenEnd(2))
  const warmPct = parser.uint32(parser.tokenStart(3), parser.tokenEnd(3))
  const hotFactor = factor(parser, 4)
  const warmFactor = factor(parser, 5)
  if (hotPct < 0 || warmPct < 0 || Number.isNaN(hotFactor) || Number.isNaN(warmFactor)) return TEXT.error
  if (hotPct + warmPct > PERCENT_MAX) return TEXT.percentsTooLarge
  if (hotFactor <= 0 || warmFactor <= 0) return TEXT.factorsTooSmall
  host.store.tuning.tune(hotPct, warmPct, hotFactor, warmFactor)
  return TEXT.ok
}

/** A factor, NaN if the token is none. */
function factor(parser: LineParser, token: number): number {
  const word = parser.token(token)
  return FACTOR.test(word) ? Number(word) : NaN
}

/** `lru mode flat|segmented`; the words may be cut short. Only a server that keeps its lists in the background has modes. */
function setMode({ host: { store } }: TextProtocol, word: string): Uint8Array {
  const isFlat = 'flat'.startsWith(word)
  const isKnown = word !== '' && (isFlat || 'segmented'.startsWith(word))
  if (!isKnown || !store.options.lruMaintainer) return TEXT.error
  store.tuning.lruSegmented = !isFlat
  return TEXT.ok
}

/** `lru temp_ttl <seconds>`; a negative number is for no list of short-lived items. */
function setTemporaryTtl({ parser, host: { store } }: TextProtocol): Uint8Array {
  const word = parser.token(2)
  if (!/^[+-]?\d+$/.test(word) || !store.options.lruMaintainer) return TEXT.error
  const seconds = Number(word)
  store.tuning.tempLru = seconds >= 0
  if (seconds >= 0) store.tuning.temporaryTtl = Math.min(seconds, TTL_MAX)
  return TEXT.ok
}
