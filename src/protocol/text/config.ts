// `config get|set|delete cluster`: the commands by which clients discover the nodes of a cluster. memcached does not have them.
// Their form is that of ElastiCache, with the replies of get, set and delete:
//
//   config get cluster                             CONFIG cluster <flags> <bytes>, the list and END; without a list END alone
//   config set cluster <flags> <bytes> [noreply]   STORED
//   config delete cluster [noreply]                DELETED or NOT_FOUND
//
// There is no list but `cluster`. A set of another name is refused once its bytes have come.
import { Ascii } from '../../memory/ascii.js'
import { Outcome } from '../../store/outcome.js'
import { type Cluster, CLUSTER_BYTES_MAX, isClusterKey } from '../cluster.js'
import { logReply } from '../log.js'
import { UNFINISHED, type Session } from '../session.js'
import { endsWithNoreply, uint32Of } from './parse.js'
import { TEXT } from './reply.js'
import { type Text } from './text.js'

/** The tokens of a set: `config set cluster <flags> <bytes>`. */
const enum Token { Command = 1, Key, Flags, Bytes }

/** The bytes of the line end behind a list. */
const END_BYTES = 2

export class Config {
  constructor(private readonly text: Text) {}

  /** Carries out the line that begins at `start`, before `end`. */
  run(session: Session, start: number, end: number): number {
    const { parser, host } = this.text
    const lineEnd = parser.findLineEnd(start)
    if (lineEnd >= end) return UNFINISHED
    parser.split(start, lineEnd)
    const hasNoreply = endsWithNoreply(parser)
    session.isQuiet = hasNoreply
    const words = parser.tokenCount - (hasNoreply ? 1 : 0)
    const command = parser.token(Token.Command)
    const cluster = host.cluster!
    if (command === 'set' && words === Token.Bytes + 1) this.set(session, cluster)
    else if (command === 'get' && words === Token.Key + 1) this.get(session, cluster)
    else if (command === 'delete' && words === Token.Key + 1) this.delete(session, cluster)
    else this.text.answer(session, TEXT.error)
    return lineEnd + 1
  }

  /** A get is always answered. */
  private get(session: Session, cluster: Cluster): void {
    session.isQuiet = false
    const list = this.isKey ? cluster.get() : undefined
    if (list === undefined) this.text.answer(session, TEXT.end)
    else this.text.host.output.text(list.config)
  }

  private delete(session: Session, cluster: Cluster): void {
    this.text.answerOutcome(session, this.isKey && cluster.delete() ? Outcome.Deleted : Outcome.NotFound)
  }

  private set(session: Session, cluster: Cluster): void {
    const { text } = this
    const { parser } = text
    const flags = uint32Of(parser, Token.Flags)
    const count = parser.length(parser.tokenStart(Token.Bytes), parser.tokenEnd(Token.Bytes))
    if (count < 0) {
      // nothing says where the list ends, so the error is always sent
      session.isQuiet = false
      return text.answer(session, TEXT.badFormat)
    }
    if (flags < 0 || !this.isKey) return this.answerAfter(session, count, TEXT.badFormat)
    if (count > CLUSTER_BYTES_MAX) return this.answerAfter(session, count, TEXT.tooLarge)
    session.gather(count + END_BYTES, bytes => {
      const hasLineEnd = bytes[count] === Ascii.CarriageReturn && bytes[count + 1] === Ascii.LineEnd
      if (!hasLineEnd) return text.answer(session, TEXT.badDataChunk)
      cluster.set(flags, bytes.subarray(0, count))
      text.answerOutcome(session, Outcome.Stored)
    })
  }

  /** Has the session discard the list as it comes, and then answers. */
  private answerAfter(session: Session, count: number, line: Uint8Array): void {
    const { host } = this.text
    session.swallow(count + END_BYTES, session.isQuiet ? undefined : line)
    if (host.verbosity > 1) logReply(host, session, line, session.isQuiet)
  }

  private get isKey(): boolean {
    const { parser } = this.text
    return isClusterKey(parser.bytes, parser.tokenStart(Token.Key), parser.tokenEnd(Token.Key))
  }
}
