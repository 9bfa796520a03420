// The protocols of a thread, put together. This is the one file that knows all three: the text protocol with the meta commands
// in its lines, the binary one, and what a connection begins with where it may speak either or has to authenticate first.
import { type ProtocolName } from '../options/options.js'
import { KeysAhead } from './ahead.js'
import { AsciiAuthentication } from './authentication.js'
import { BinaryProtocol } from './binary/execute.js'
import { Magic } from './binary/parse.js'
import { type Host } from './host.js'
import { LineParser } from './line.js'
import { MetaCommands } from './meta/execute.js'
import { Negotiation } from './negotiate.js'
import { type Protocol } from './session.js'
import { TextProtocol } from './text/execute.js'

export class Protocols {
  private readonly text: Protocol
  private readonly binary: Protocol
  private readonly either: Protocol

  constructor(host: Host) {
    const parser = new LineParser(host.input.bytes, host.store.context.hash)
    parser.ahead = new KeysAhead(host, parser)
    const text = new TextProtocol(host, parser, new MetaCommands(host, parser))
    this.text = host.asksText ? new AsciiAuthentication(host, text) : text
    const binary = new BinaryProtocol(host)
    this.binary = binary
    this.either = new Negotiation(host, this.text, binary, Magic.Request)
  }

  /** The protocol that a connection begins with where it is to speak `name`. */
  for(name: ProtocolName): Protocol {
    switch (name) {
      case 'auto': return this.either
      case 'ascii': return this.text
      case 'binary': return this.binary
    }
  }
}
