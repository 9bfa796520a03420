// delete and touch: the commands about one item that bring no value and ask for none.
import { Use } from '../../insight/sampler.js'
import { Outcome } from '../../store/outcome.js'
import { Want } from '../../store/request.js'
import { NOT_A_NUMBER } from '../line.js'
import { type Session } from '../session.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

/** `delete <key>` */
export function deleteItem(text: Text, session: Session): void {
  if (!takeKey(text, session, 2)) return
  const { request, sampler, host: { prefixes } } = text
  if (prefixes.isOn) prefixes.recordDelete(request.bytes, request.keyStart, request.keyEnd)
  const outcome = text.store.delete(request)
  if (sampler.isOpen) sampler.note(request, Use.Delete, outcome === Outcome.Deleted, 0)
  text.answerOutcome(session, outcome)
}

/** `touch <key> <exptime>` */
export function touch(text: Text, session: Session): void {
  if (!takeKey(text, session, 3)) return
  const { parser, request, sampler, store } = text
  const exptime = parser.int32(parser.tokenStart(2), parser.tokenEnd(2))
  if (exptime === NOT_A_NUMBER) return text.answer(session, TEXT.badExptime)
  request.expiresAt = store.expiryFor(exptime)
  const outcome = store.touch(request)
  if (sampler.isOpen) sampler.note(request, Use.Touch, outcome === Outcome.Touched, 0)
  text.answerOutcome(session, outcome)
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
