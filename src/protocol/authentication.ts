// The door of a server with users (-Y) for the text protocol: until a client has shown a name and a password, nothing is
// taken but a `set` whose value is "name password". Its key, flags and exptime mean nothing, and nothing is stored. Then
// the protocol proper takes over, beginning with whatever follows. See authentication in protocol.txt, and memcached's
// try_read_command_asciiauth, which has the same words and bounds.
//
// As there, all that a batch is answered before its client is known shares one place, in which the last answer stays. A
// line that ends the conversation takes along what is in it.
import { assert } from '../errors.js'
import { Ascii } from '../memory/ascii.js'
import { Counter } from '../stats/counters.js'
import { type Authenticator, type Host } from './host.js'
import { UNFINISHED_LINE_MAX } from './line.js'
import { UNFINISHED, type Protocol, type Session } from './session.js'
import { line } from './answers.js'

/** A line that is shorter, its \r included and its \n not, ends the conversation: `quit` is one. */
const LINE_BYTES_MIN = 6
/** What a line may have, and what name, password and line end may have: in memcached they must fit into its read buffer. */
const BUFFER_BYTES = 16 * 1024

const UINT32_MAX = 0xffffffff

/** The command that is a `set`, however it goes on, with four more words, the last a number. Others may follow. */
const SET = /^set[^ ]*(?: +[^ ]+){3} +(\d{1,11})(?: |\r?$)/

const STORED = line('STORED')
const UNAUTHENTICATED = line('CLIENT_ERROR unauthenticated')
const FAILURE = line('CLIENT_ERROR authentication failure')
const TOO_LONG = line('CLIENT_ERROR auth token too long')
const BAD_FORMAT = line('CLIENT_ERROR bad authentication token format')
const BAD_END = line('CLIENT_ERROR bad command line termination')

export class AsciiAuthentication implements Protocol {
  readonly name: string
  readonly asksWho = true
  private readonly users: Authenticator

  /** @param next what a client speaks once it is known */
  constructor(private readonly host: Host, private readonly next: Protocol) {
    assert(host.credentials !== undefined, 'nobody may be asked for a password where there are no users')
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

  /** How many bytes of name and password the line announces; -1 if it is another command. */
  private tokenBytes(at: number, lineEnd: number): number {
    const { bytes } = this.host.input
    const text = Buffer.from(bytes.subarray(at, lineEnd)).toString('latin1')
    const tokenBytes = Number(SET.exec(text)?.[1] ?? -1)
    return tokenBytes > UINT32_MAX ? -1 : tokenBytes
  }

  /** Says at once what is wrong, and nothing tells where the next command would begin. */
  private denyToken(session: Session, next: number): number {
    session.end()
    return this.answer(TOO_LONG, next)
  }

  /** Looks at "name password" and its line end. The name ends at the first space. */
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
