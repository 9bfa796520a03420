// The first line of a connection on which clients may speak HTTP, too. If the whole line asks by HTTP, `GET /... HTTP/1.1` or
// HEAD, the connection leaves its session: node:http has it from then on, with all bytes that have come. Any other line is the
// protocol's that would have read it without HTTP, as soon as it cannot become such a line any more.
import { Ascii } from '../memory/ascii.js'
import { type Host } from './host.js'
import { UNFINISHED_LINE_MAX } from './line.js'
import { UNFINISHED, type Protocol, type Session } from './session.js'

const GET = Buffer.from('GET /')
const HEAD = Buffer.from('HEAD /')
const LINE = /^(?:GET|HEAD) \/[^ ]* HTTP\/1\.\d\r?$/

export class FirstLine implements Protocol {
  readonly name: string
  readonly isUndecided = true
  readonly needsAuthentication: boolean

  /** @param next the protocol of a client that does not speak HTTP */
  constructor(private readonly host: Host, private readonly next: Protocol) {
    this.name = next.name
    this.needsAuthentication = next.needsAuthentication
  }

  serve(session: Session, at: number, end: number): number {
    if (this.mayBeHttp(at, end)) {
      const { bytes } = this.host.input
      const lineEnd = bytes.indexOf(Ascii.LineEnd, at)
      // a longer line is one that the next protocol refuses
      if (lineEnd >= end && end - at <= UNFINISHED_LINE_MAX) return UNFINISHED
      if (lineEnd < end && LINE.test(Buffer.from(bytes.subarray(at, lineEnd)).toString('latin1'))) {
        session.handOff(at, end)
        return end
      }
    }
    session.protocol = this.next
    return this.next.serve(session, at, end)
  }

  /** True if the bytes so far are the beginning of a line of HTTP, or begin as one. */
  private mayBeHttp(at: number, end: number): boolean {
    const { bytes } = this.host.input
    const beginning = bytes[at] === GET[0] ? GET : HEAD
    const stop = Math.min(beginning.length, end - at)
    for (let i = 0; i < stop; i++) if (bytes[at + i] !== beginning[i]) return false
    return true
  }
}
