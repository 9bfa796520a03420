// delete, incr, decr and touch: the commands about one item that bring no value and ask for none.
import { toBigInt } from '../../memory/numbers.js'
import { Outcome } from '../../store/outcome.js'
import { Want } from '../../store/request.js'
import { NOT_A_NUMBER } from '../line.js'
import { logReply } from '../log.js'
import { type Session } from '../session.js'
import { readUint64 } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

/** `delete <key>` */
export function deleteItem(text: Text, session: Session): void {
  if (!takeKey(text, session, 2)) return
  const { request, host: { prefixes } } = text
  if (prefixes.isOn) prefixes.recordDelete(request.bytes, request.keyStart, request.keyEnd)
  text.answerOutcome(session, text.store.delete(request))
}

/** `incr <key> <delta>` */
export function incr(text: Text, session: Session): void { arithmetic(text, session, false) }

/** `decr <key> <delta>` */
export function decr(text: Text, session: Session): void { arithmetic(text, session, true) }

function arithmetic(text: Text, session: Session, isDecrement: boolean): void {
  if (!takeKey(text, session, 3)) return
  const { parser, request } = text
  if (!readUint64(parser, 2, request.number)) return text.answer(session, TEXT.badDelta)
  request.isDecrement = isDecrement
  const outcome = text.store.arithmetic(request)
  if (outcome === Outcome.NoMemory) text.answer(session, TEXT.noMemory)
  else if (outcome !== Outcome.Number) text.answerOutcome(session, outcome)
  else answerNumber(text, session)
}

function answerNumber({ host, reply, request }: Text, session: Session): void {
  const { number } = request
  if (!session.isQuiet) reply.number(request)
  if (host.verbosity > 1) logReply(host, session, Buffer.from(String(toBigInt(number.high, number.low))), session.isQuiet)
}

/** `touch <key> <exptime>` */
export function touch(text: Text, session: Session): void {
  if (!takeKey(text, session, 3)) return
  const { parser, request, store } = text
  const exptime = parser.int32(parser.tokenStart(2), parser.tokenEnd(2))
  if (exptime === NOT_A_NUMBER) return text.answer(session, TEXT.badExptime)
  request.expiresAt = store.expiryFor(exptime)
  text.answerOutcome(session, store.touch(request))
}

/** Makes the second token the key; if it is none, or the line has too few tokens, answers the error and returns false. */
function takeKey(text: Text, session: Session, tokensMin: number): boolean {
  const { parser } = text
  if (parser.tokenCount < tokensMin || !parser.keyFrom(1)) {
    text.answer(session, TEXT.badFormat)
    return false
  }
  text.takeKey(Want.None)
  return true
}
