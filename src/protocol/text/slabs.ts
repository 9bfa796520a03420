// `slabs`: pages moved between classes by hand, and how they move by themselves.
import { Reassigned } from '../../store/slabs/rebalance.js'
import { NOT_A_NUMBER } from '../line.js'
import { type Session } from '../session.js'
import { decimalOf, int32Of, isCutFrom, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { type LineHandler, type Text } from './text.js'

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

export function slabs(text: Text, session: Session): void {
  const { parser } = text
  if (parser.tokenCount === 4 && isCutFrom('reassign', parser, 1)) reassign(text, session)
  else if (parser.tokenCount > 2 && isCutFrom('automove', parser, 1)) automove(text, session)
  else text.answer(session, TEXT.error)
}

function reassign(text: Text, session: Session): void {
  const { parser, host } = text
  const from = int32Of(parser, 2)
  const to = int32Of(parser, 3)
  if (from === NOT_A_NUMBER || to === NOT_A_NUMBER) return text.answer(session, TEXT.badFormat)
  const reassigned = host.store.rebalance.reassign(from, to)
  if (reassigned === Reassigned.Ok) host.signals.moveAsked()
  text.answer(session, ANSWERS[reassigned])
}

/** The words that may follow `automove` in place of a mode; the first that fits counts. */
const TUNINGS: readonly (readonly [word: string, handler: LineHandler])[] = [
  ['ratio', (text, session) => tune(text, session, ratio => { text.host.store.automove.ratio = ratio })],
  ['freeratio', (text, session) => tune(text, session, ratio => { text.host.store.automove.freeRatio = ratio })],
  ['window', automoveWindow],
]

function automove(text: Text, session: Session): void {
  const { parser, host } = text
  const [, tuning] = TUNINGS.find(([word]) => isCutFrom(word, parser, 2)) ?? []
  if (tuning !== undefined) return tuning(text, session)
  const mode = uint32Of(parser, 2)
  if (mode < 0) return text.answer(session, TEXT.badFormat)
  if (mode > MODE_MAX) return text.answer(session, TEXT.error)
  host.store.automove.mode = mode
  text.answer(session, TEXT.ok)
}

function tune(text: Text, session: Session, set: (value: number) => void): void {
  const value = decimalOf(text.parser, 3)
  if (Number.isNaN(value)) return text.answer(session, TEXT.error)
  set(value)
  text.answer(session, TEXT.ok)
}

function automoveWindow(text: Text, session: Session): void {
  const { parser, host } = text
  const seconds = uint32Of(parser, 3)
  if (seconds < 0) return text.answer(session, TEXT.badFormat)
  if (seconds < WINDOW_MIN) return text.answer(session, TEXT.windowTooSmall)
  host.store.automove.window = seconds
  text.answer(session, TEXT.ok)
}
