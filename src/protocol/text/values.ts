// set, add, replace, append, prepend and cas: the commands that bring a value.
import { Ascii } from '../../memory/ascii.js'
import { Refusal, type Failure, type Outcome } from '../../store/outcome.js'
import { Mode, Want, type Request } from '../../store/request.js'
import { NOT_A_NUMBER } from '../line.js'
import { logReply } from '../log.js'
import { UNFINISHED, type Session } from '../session.js'
import { Storage, type StorageAnswers } from '../storage.js'
import { endsWithNoreply, exptimeOf, flagsOf, readUint64, skipNoreply } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

export class Values implements StorageAnswers {
  private readonly bytes: Uint8Array
  private readonly request: Request
  private readonly storage: Storage

  constructor(private readonly text: Text) {
    this.bytes = text.host.input.bytes
    this.request = text.request
    this.storage = new Storage(text.host, this, 2)
  }

  /**
   * Carries out the line that begins at `start` and whose name ends at `at`. The usual form is read in one pass: a key, three
   * short numbers, perhaps noreply. Anything else goes the long way.
   */
  store(session: Session, mode: Mode, start: number, at: number, end: number): number {
    const { bytes, request, text } = this
    const { parser } = text
    request.mode = mode
    if (mode === Mode.Cas || bytes[at] !== Ascii.Space || !parser.readKey(at + 1) || parser.keyEnd === parser.keyStart) {
      return this.storeTokens(session, start, end)
    }
    if (bytes[parser.stop] !== Ascii.Space) return this.storeTokens(session, start, end)
    text.takeKey(Want.None)
    if (!parser.readDigits(parser.stop + 1) || bytes[parser.stop] !== Ascii.Space) return this.storeTokens(session, start, end)
    request.flags = parser.value
    if (!parser.readDigits(parser.stop + 1) || bytes[parser.stop] !== Ascii.Space) return this.storeTokens(session, start, end)
    const exptime = parser.value
    if (!parser.readDigits(parser.stop + 1)) return this.storeTokens(session, start, end)
    let lineEnd = skipNoreply(bytes, parser.stop)
    session.isQuiet = lineEnd !== parser.stop
    if (bytes[lineEnd] === Ascii.CarriageReturn) lineEnd++
    if (bytes[lineEnd] !== Ascii.LineEnd) return this.storeTokens(session, start, end)
    if (lineEnd >= end) return UNFINISHED
    request.expiresAt = text.store.expiryFor(exptime)
    request.valueBytes = parser.value
    parser.lookAhead(lineEnd + 1 + parser.value + 2, end)
    return this.take(session, lineEnd + 1, end)
  }

  /** Carries out a line of any form. The request has its mode. */
  private storeTokens(session: Session, start: number, end: number): number {
    const { request, text } = this
    const { parser } = text
    const lineEnd = parser.findLineEnd(start)
    if (lineEnd >= end) return UNFINISHED
    parser.split(start, lineEnd)
    session.isQuiet = false
    const length = parser.tokenCount < 5 ? -1 : parser.length(parser.tokenStart(4), parser.tokenEnd(4))
    if (length < 0) {
      // without a length nothing says where the value ends, so it is not skipped, and the error is always sent
      this.countRefused(0)
      text.answer(session, TEXT.badFormat)
      return lineEnd + 1
    }
    session.isQuiet = endsWithNoreply(parser)
    request.valueBytes = length
    if (!this.readTokens(request)) {
      this.countRefused(length)
      this.answerAfter(session, length + 2, TEXT.badFormat)
      return lineEnd + 1
    }
    return this.take(session, lineEnd + 1, end)
  }

  /** Counts a line that is wrong, if it has a key. @param valueBytes the length of its value, 0 if it has none */
  private countRefused(valueBytes: number): void {
    const { bytes, text: { parser, store } } = this
    if (parser.tokenCount < 2) return
    store.context.countRefused(Refusal.BadData, bytes, parser.tokenStart(1), parser.tokenEnd(1), valueBytes)
  }

  /** Reads the tokens around the length; false if one is wrong. */
  private readTokens(request: Request): boolean {
    const { text } = this
    const { parser } = text
    if (!parser.keyFrom(1)) return false
    text.takeKey(Want.None)
    request.flags = flagsOf(parser, 2)
    if (request.flags < 0) return false
    const exptime = exptimeOf(parser, 3)
    if (exptime === NOT_A_NUMBER) return false
    request.expiresAt = text.store.expiryFor(exptime)
    return request.mode !== Mode.Cas || (parser.tokenCount > 5 && readUint64(parser, 5, request.cas))
  }

  private take(session: Session, at: number, end: number): number {
    const { prefixes } = this.text.host
    if (prefixes.isOn) prefixes.recordSet(this.bytes, this.request.keyStart, this.request.keyEnd)
    return this.storage.take(session, at, end)
  }

  stored(session: Session, outcome: Outcome): void { this.text.answerOutcome(session, outcome) }

  failed(session: Session, outcome: Failure): void {
    this.answerAfter(session, this.request.valueBytes + 2, this.text.reply.bytesOf(outcome))
  }

  badDataChunk(session: Session): void { this.text.answer(session, TEXT.badDataChunk) }

  /** The answer needs no more than `session.isQuiet`, which stays as it is. */
  hold(): (answer: () => void) => void { return answer => answer() }

  /** Has the session throw `count` bytes away as they come, and then answers. */
  private answerAfter(session: Session, count: number, line: Uint8Array): void {
    const { host } = this.text
    session.swallow(count, session.isQuiet ? undefined : line)
    if (host.verbosity > 1) logReply(host, session, line, session.isQuiet)
  }
}
