// The protocols of a thread, put together: the text protocol with the meta commands in it, the binary one, and what a
// connection begins with: one of these, or what finds out which of them the client speaks, or what asks who it is.
import { AsciiAuthentication } from './authentication.js'
import { BinaryProtocol } from './binary/execute.js'
import { Magic } from './binary/parse.js'
import { type Host } from './host.js'
import { LineParser } from './line.js'
import { MetaCommands } from './meta/execute.js'
import { type Protocol, type Session } from './session.js'
import { TextProtocol } from './text/execute.js'
import { type ProtocolName } from '../options/options.js'

export class Protocols {
  private readonly text: Protocol
  private readonly binary: Protocol
  private readonly either: Protocol

  constructor(host: Host) {
    const line = new LineParser(host.input.bytes, host.store.context.hash)
    const text = new TextProtocol(host, line, new MetaCommands(host, line))
    this.text = host.asksText ? new AsciiAuthentication(host, text) : text
    this.binary = new BinaryProtocol(host)
    this.either = new Negotiation(host, this.text, this.binary)
  }

  /** What a connection begins with that is to speak this. */
  for(name: ProtocolName): Protocol {
    switch (name) {
      case 'auto': return this.either
      case 'ascii': return this.text
      case 'binary': return this.binary
    }
  }
}

/** Waits for the first byte of a conversation, which tells what it is to be, and hands over. */
class Negotiation implements Protocol {
  readonly name = 'auto-negotiate'
  readonly asksWho: boolean

  constructor(private readonly host: Host, private readonly text: Protocol, private readonly binary: Protocol) {
    this.asksWho = text.asksWho || binary.asksWho
  }

  request(session: Session, at: number, end: number): number {
    session.protocol = this.host.input.bytes[at] === Magic.Request ? this.binary : this.text
    if (this.host.verbosity > 1) this.host.log(`${session.peer.id}: Client using the ${session.protocol.name} protocol`)
    return session.protocol.request(session, at, end)
  }
}
