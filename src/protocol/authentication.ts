// The authentication of the text protocol, for a server with users (-Y). Until a client has authenticated, the only command that
// it may send is a `set` with the value "name password". The key, the flags and the exptime have no meaning, and nothing is
// stored. Then the session gets the text protocol, which serves the bytes that follow. See authentication in protocol.txt, and
// memcached's try_read_command_asciiauth, which has the same replies and bounds.
//
// As in memcached, only the last reply of a batch is written while the client has not authenticated. A line that ends the
// conversation discards the replies before it.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { Counter } from '../stats/counters.js'
import { type Authenticator, type Host } from './host.js'
import { UNFINISHED_LINE_MAX } from './line.js'
import { UNFINISHED, type Protocol, type Session } from './session.js'
import { line } from './answers.js'

/** The least bytes of a line with its \r but without its \n. A shorter line ends the conversation: `quit` is one. */
const LINE_BYTES_MIN = 6
/** The most bytes of a line, and of name, password and line end. memcached reads them into a buffer of this size. */
const BUFFER_BYTES = 16 * 1024

const UINT32_MAX = 0xffffffff

/** A command whose name begins with `set`, with four more tokens, the last of which is a number. More tokens may follow. */
const SET = /^set[^ ]*(?: +[^ ]+){3} +(\d{1,11})(?: |\r?$)/

const STORED = line('STORED')
const UNAUTHENTICATED = line('CLIENT_ERROR unauthenticated')
const FAILURE = line('CLIENT_ERROR authentication failure')
const TOO_LONG = line('CLIENT_ERROR auth token too long')
const BAD_FORMAT = line('CLIENT_ERROR bad authentication token format')
const BAD_END = line('CLIENT_ERROR bad command line termination')

export class AsciiAuthentication implements Protocol {
  readonly name: string
  readonly needsAuthentication = true
  private readonly users: Authenticator

  /** @param next the protocol of a client that has authenticated */
  constructor(private readonly host: Host, private readonly next: Protocol) {
    assert(host.credentials !== undefined, 'clients cannot authenticate, as there are no users')
    this.users = host.credentials
    this.name = next.name
  }

  serve(session: Session, at: number, end: number): number {
    const { bytes } = this.host.input
    const lineEnd = bytes.indexOf(Ascii.LineEnd, at)
    if (lineEnd >= end) return end - at > UNFINISHED_LINE_MAX ? this.end(session, end) : UNFINISHED
    const tokenStart = lineEnd + 1
    if (lineEnd - at > BUFFER_BYTES) return this.answer(UNAUTHENTICATED, tokenStart)
    if (lineEnd - at < LINE_BYTES_MIN) return this.end(session, tokenStart)
    const tokenBytes = this.tokenBytes(at, lineEnd)
    if (tokenBytes < 0) return this.answer(UNAUTHENTICATED, tokenStart)
    const tokenEnd = tokenStart + tokenBytes
    if (tokenBytes + 2 > BUFFER_BYTES) return this.denyToken(session, tokenStart)
    if (tokenEnd + 2 > end) return UNFINISHED
    return this.answer(this.judge(session, tokenStart, tokenEnd), tokenEnd + 2)
  }

  /** The bytes of name and password that the line announces; -1 if it is another command. */
  private tokenBytes(at: number, lineEnd: number): number {
    const { bytes } = this.host.input
    const text = Buffer.from(bytes.subarray(at, lineEnd)).toString('latin1')
    const tokenBytes = Number(SET.exec(text)?.[1] ?? -1)
    return tokenBytes > UINT32_MAX ? -1 : tokenBytes
  }

  /** Answers that the token is too long, and ends the conversation, as the next command cannot be found. */
  private denyToken(session: Session, next: number): number {
    session.end()
    return this.answer(TOO_LONG, next)
  }

  /** Checks "name password" and its line end, and returns the reply. The name ends at the first space. */
  private judge(session: Session, start: number, end: number): Uint8Array {
    const { input: { bytes }, store: { counters } } = this.host
    if (bytes[end] !== Ascii.CarriageReturn || bytes[end + 1] !== Ascii.LineEnd) return BAD_END
    const space = bytes.subarray(start, end).indexOf(Ascii.Space)
    if (space < 0) return BAD_FORMAT
    counters.add(Counter.AuthCmds)
    if (!this.users.accepts(bytes.subarray(start, start + space), bytes.subarray(start + space + 1, end))) {
      counters.add(Counter.AuthErrors)
      return FAILURE
    }
    session.isAuthenticated = true
    session.protocol = this.next
    return STORED
  }

  private answer(reply: Uint8Array, next: number): number {
    const { output } = this.host
    output.discard()
    output.text(reply)
    return next
  }

  private end(session: Session, next: number): number {
    this.host.output.discard()
    session.end()
    return next
  }
}
