// `slabs`: pages moved between classes by hand, and how they move by themselves.
import { Reassigned } from '../../store/rebalance.js'
import { NOT_A_NUMBER } from '../line.js'
import { type Session } from '../session.js'
import { type LineHandler, type TextProtocol } from './execute.js'
import { TEXT } from './reply.js'

/** The least that `slabs automove window` takes, in seconds. */
const WINDOW_MIN = 3
const MODE_MAX = 2

const ANSWERS: Record<Reassigned, Uint8Array> = {
  [Reassigned.Ok]: TEXT.ok,
  [Reassigned.Disabled]: TEXT.moveDisabled,
  [Reassigned.Busy]: TEXT.moveBusy,
  [Reassigned.Same]: TEXT.moveSame,
  [Reassigned.BadClass]: TEXT.moveBadClass,
  [Reassigned.NoSpare]: TEXT.moveNoSpare,
  [Reassigned.Unsafe]: TEXT.moveUnsafe,
}

export function slabs(text: TextProtocol, session: Session): void {
  const { parser } = text
  const word = parser.token(1)
  if (word === 'reassign' && parser.tokenCount === 4) return reassign(text, session)
  if (word === 'automove' && parser.tokenCount > 2) return automove(text, session)
  // without `noreply` among what it takes, memcached answers
  if (word === 'reassign') session.isQuiet = false
  text.answer(session, TEXT.error)
}

function reassign(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  session.isQuiet = false
  const from = parser.int32(parser.tokenStart(2), parser.tokenEnd(2))
  const to = parser.int32(parser.tokenStart(3), parser.tokenEnd(3))
  const isBad = from === NOT_A_NUMBER || to === NOT_A_NUMBER
  text.answer(session, isBad ? TEXT.badFormat : ANSWERS[host.store.rebalance.reassign(from, to)])
}

/** What follows `automove` if it is not a mode. */
const TUNINGS: ReadonlyMap<string, LineHandler> = new Map([
  ['ratio', (text, session) => tune(text, session, ratio => { text.host.store.automove.ratio = ratio })],
  ['freeratio', (text, session) => tune(text, session, ratio => { text.host.store.automove.freeRatio = ratio })],
  ['window', automoveWindow],
])

function automove(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  const tuning = TUNINGS.get(parser.token(2))
  if (tuning !== undefined) return tuning(text, session)
  const mode = parser.uint32(parser.tokenStart(2), parser.tokenEnd(2))
  if (mode < 0) return text.answer(session, TEXT.badFormat)
  if (mode > MODE_MAX) return text.answer(session, TEXT.error)
  host.store.automove.mode = mode
  text.answer(session, TEXT.ok)
}

function tune(text: TextProtocol, session: Session, set: (value: number) => void): void {
  const value = decimal(text.parser.token(3))
  if (value === undefined) return text.answer(session, TEXT.error)
  set(value)
  text.answer(session, TEXT.ok)
}

function automoveWindow(text: TextProtocol, session: Session): void {
  const { parser, host } = text
  const seconds = parser.tokenCount < 4 ? -1 : parser.uint32(parser.tokenStart(3), parser.tokenEnd(3))
  if (seconds < WINDOW_MIN) return text.answer(session, TEXT.badFormat)
  host.store.automove.window = seconds
  text.answer(session, TEXT.ok)
}

/** A number as C reads it, of any sign; undefined if it is none. */
function decimal(token: string): number | undefined {
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(token) ? Number(token) : undefined
}
