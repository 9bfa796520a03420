// incr and decr: the commands that change a number in its place.
import { Use } from '../../insight/sampler.js'
import { Ascii } from '../../memory/ascii.js'
import { Outcome } from '../../store/outcome.js'
import { Want } from '../../store/request.js'
import { logReply } from '../log.js'
import { UNFINISHED, type Session } from '../session.js'
import { endsWithNoreply, readUint64, skipNoreply } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

export class Numbers {
  constructor(private readonly text: Text) {}

  /**
   * Carries out the line that begins at `start` and whose name ends at `at`. The usual form is read in one pass: a key, a short
   * number, perhaps noreply. Anything else goes the long way.
   */
  change(session: Session, start: number, at: number, end: number, isDecrement: boolean): number {
    const { parser, request } = this.text
    const { bytes } = parser
    request.isDecrement = isDecrement
    if (bytes[at] !== Ascii.Space || !parser.readKey(at + 1) || parser.keyEnd === parser.keyStart) {
      return this.changeTokens(session, start, end)
    }
    if (bytes[parser.stop] !== Ascii.Space) return this.changeTokens(session, start, end)
    this.text.takeKey(Want.None)
    if (!parser.readDigits(parser.stop + 1)) return this.changeTokens(session, start, end)
    let lineEnd = skipNoreply(bytes, parser.stop)
    session.isQuiet = lineEnd !== parser.stop
    if (bytes[lineEnd] === Ascii.CarriageReturn) lineEnd++
    if (bytes[lineEnd] !== Ascii.LineEnd) return this.changeTokens(session, start, end)
    if (lineEnd >= end) return UNFINISHED
    request.number.set(0, parser.value)
    parser.lookAhead(lineEnd + 1, end)
    this.answer(session)
    return lineEnd + 1
  }

  /** Carries out a line of any form. */
  private changeTokens(session: Session, start: number, end: number): number {
    const { text } = this
    const { parser, request } = text
    const lineEnd = parser.findLineEnd(start)
    if (lineEnd >= end) return UNFINISHED
    parser.split(start, lineEnd)
    session.isQuiet = endsWithNoreply(parser)
    if (parser.tokenCount < 3 || !parser.keyFrom(1)) text.answer(session, TEXT.badFormat)
    else if (!readUint64(parser, 2, request.number)) text.answer(session, TEXT.badDelta)
    else {
      text.takeKey(Want.None)
      this.answer(session)
    }
    return lineEnd + 1
  }

  private answer(session: Session): void {
    const { text } = this
    const { request, sampler } = text
    const outcome = text.store.arithmetic(request)
    if (sampler.isOpen) sampler.note(request, Use.Arithmetic, outcome !== Outcome.NotFound, 0)
    if (outcome === Outcome.NoMemory) text.answer(session, TEXT.noMemory)
    else if (outcome !== Outcome.Number) text.answerOutcome(session, outcome)
    else this.answerNumber(session)
  }

  private answerNumber(session: Session): void {
    const { host, reply, request } = this.text
    if (!session.isQuiet) reply.number(request)
    if (host.verbosity > 1) logReply(host, session, Buffer.from(String(request.digits)), session.isQuiet)
  }
}
