// The command `lru`: how the lists of all classes are kept. What it sets counts in all threads at once.
import { NOT_A_NUMBER } from '../line.js'
import { type Session } from '../session.js'
import { decimalOf, int32Of, isCutFrom, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

/** HOT and WARM together; what is left is COLD's. */
const PERCENT_MAX = 80

export function lru(text: Text, session: Session): void {
  text.answer(session, answerTo(text))
}

/**
 * What a word means that is cut short depends on how many follow it. Only a server that keeps its lists in the background
 * has modes.
 */
function answerTo(text: Text): Uint8Array {
  const { parser, host: { store: { options } } } = text
  if (parser.tokenCount >= 6 && isCutFrom('tune', parser, 1)) return tune(text)
  if (parser.tokenCount < 3 || !options.lruMaintainer) return TEXT.error
  if (isCutFrom('mode', parser, 1)) return setMode(text)
  return isCutFrom('temp_ttl', parser, 1) ? setTemporaryTtl(text) : TEXT.error
}

/** `lru tune <hot percent> <warm percent> <hot factor> <warm factor>` */
function tune({ parser, host }: Text): Uint8Array {
  const hotPct = uint32Of(parser, 2)
  const warmPct = uint32Of(parser, 3)
  const hotFactor = decimalOf(parser, 4)
  const warmFactor = decimalOf(parser, 5)
  if (hotPct < 0 || warmPct < 0 || Number.isNaN(hotFactor) || Number.isNaN(warmFactor)) return TEXT.error
  if (hotPct + warmPct > PERCENT_MAX) return TEXT.percentsTooLarge
  if (hotFactor <= 0 || warmFactor <= 0) return TEXT.factorsTooSmall
  host.store.tuning.tune(hotPct, warmPct, hotFactor, warmFactor)
  return TEXT.ok
}

/** `lru mode flat|segmented` */
function setMode({ parser, host: { store } }: Text): Uint8Array {
  const isFlat = isCutFrom('flat', parser, 2)
  if (!isFlat && !isCutFrom('segmented', parser, 2)) return TEXT.error
  store.tuning.lruSegmented = !isFlat
  return TEXT.ok
}

/** `lru temp_ttl <seconds>`; a negative number is for no list of short-lived items. */
function setTemporaryTtl({ parser, host: { store } }: Text): Uint8Array {
  const seconds = int32Of(parser, 2)
  if (seconds === NOT_A_NUMBER) return TEXT.error
  store.tuning.tempLru = seconds >= 0
  if (seconds >= 0) store.tuning.temporaryTtl = seconds
  return TEXT.ok
}
