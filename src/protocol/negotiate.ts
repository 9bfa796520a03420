// The protocol of a connection that has sent nothing yet: it waits for the first byte, which tells which protocol the client
// speaks, and hands the session over to that.
import { type Host } from './host.js'
import { type Protocol, type Session } from './session.js'

export class Negotiation implements Protocol {
  readonly name = 'auto-negotiate'
  readonly asksWho: boolean

  /** @param binaryMark the first byte of a binary request, with which no line begins */
  constructor(private readonly host: Host, private readonly text: Protocol, private readonly binary: Protocol,
    private readonly binaryMark: number) {
    this.asksWho = text.asksWho || binary.asksWho
  }

  serve(session: Session, at: number, end: number): number {
    session.protocol = this.host.input.bytes[at] === this.binaryMark ? this.binary : this.text
    if (this.host.verbosity > 1) this.host.log(`${session.peer.id}: Client using the ${session.protocol.name} protocol`)
    return session.protocol.serve(session, at, end)
  }
}
