// The protocol of a connection on which no byte has come yet. The first byte shows which protocol the client speaks, and the
// session gets that protocol instead of this one.
import { type Host } from './host.js'
import { type Protocol, type Session } from './session.js'

export class Negotiation implements Protocol {
  readonly name = 'auto-negotiate'
  readonly isUndecided = true
  readonly needsAuthentication: boolean

  /**
   * @param binary returns the binary protocol, once a client speaks it
   * @param binaryMark the first byte of every binary request, with which no text command begins
   */
  constructor(private readonly host: Host, private readonly text: Protocol, private readonly binary: () => Protocol,
    private readonly binaryMark: number) {
    this.needsAuthentication = text.needsAuthentication || host.options.sasl
  }

  serve(session: Session, at: number, end: number): number {
    session.protocol = this.host.input.bytes[at] === this.binaryMark ? this.binary() : this.text
    if (this.host.verbosity > 1) this.host.log(`${session.peer.id}: Client using the ${session.protocol.name} protocol`)
    return session.protocol.serve(session, at, end)
  }
}
