// What the handlers of text commands work with: the line at work, and the ways to answer it. A thread has one Text, for all its
// sessions.
import { type Sampler } from '../../insight/sampler.js'
import { PROFILES, type Profile } from '../../options/profiles.js'
import { type Request } from '../../store/request.js'
import { type Outcome } from '../../store/outcome.js'
import { type Store } from '../../store/store.js'
import { type Host } from '../host.js'
import { type LineParser } from '../line.js'
import { logReply } from '../log.js'
import { type Session } from '../session.js'
import { TextReply } from './reply.js'

/** Carries out a command whose line has been split into tokens: `text.parser.token(1)` is the word behind its name. */
export type LineHandler = (text: Text, session: Session) => void

export class Text {
  readonly store: Store
  readonly request: Request
  readonly reply: TextReply
  readonly sampler: Sampler
  /** The profile of the server. */
  readonly profile: Profile

  constructor(readonly host: Host, readonly parser: LineParser) {
    this.store = host.store
    this.request = host.input.request
    this.reply = new TextReply(host.output)
    this.sampler = host.insight.sampler
    this.profile = PROFILES[host.options.profile]
  }

  /** Answers a line, unless the client wants no answer to it. */
  answer(session: Session, line: Uint8Array): void {
    if (!session.isQuiet) this.reply.line(line)
    if (this.host.verbosity > 1) logReply(this.host, session, line, session.isQuiet)
  }

  answerOutcome(session: Session, outcome: Outcome): void {
    if (this.host.verbosity > 1) return this.answer(session, this.reply.bytesOf(outcome))
    if (!session.isQuiet) this.reply.outcome(outcome)
  }

  /** Makes the key that the parser has read the one of the request. */
  takeKey(wants: number): void {
    const { parser, request } = this
    request.keyStart = parser.keyStart
    request.keyEnd = parser.keyEnd
    request.hash = parser.hash
    request.wants = wants
  }

  /** Returns the index behind the line of which `at` is a part. */
  skipLine(at: number): number { return this.parser.findLineEnd(at) + 1 }
}
