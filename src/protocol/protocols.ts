// The protocols of a thread, put together. This is the one file that knows all three: the text protocol with the meta commands
// in its lines, the binary one, and what a connection begins with where it may speak either or has to authenticate first. The
// meta commands and the binary protocol are loaded when the first client speaks them, as many servers have none that does.
import { type ProtocolName } from '../options/options.js'
import { KeysAhead } from './ahead.js'
import { AsciiAuthentication } from './authentication.js'
import { Magic } from './binary/parse.js'
import { type Host } from './host.js'
import { LineParser } from './line.js'
import { Negotiation } from './negotiate.js'
import { type Protocol } from './session.js'
import { TextProtocol, type MetaLines } from './text/execute.js'

export class Protocols {
  /** The text protocol of a client that has said who it is, if it has to. */
  private readonly known: Protocol
  private readonly text: Protocol
  private madeBinary: Protocol | undefined
  private readonly either: Protocol

  constructor(private readonly host: Host) {
    const parser = new LineParser(host.input.bytes, host.store.context.hash)
    parser.ahead = new KeysAhead(host, parser)
    const text = new TextProtocol(host, parser, () => makeMeta(host, parser))
    this.known = text
    this.text = host.asksText ? new AsciiAuthentication(host, text) : text
    this.either = new Negotiation(host, this.text, () => this.binary, Magic.Request)
  }

  private get binary(): Protocol { return this.madeBinary ??= this.makeBinary() }

  private makeBinary(): Protocol {
    const { BinaryProtocol } = require('./binary/execute.js') as typeof import('./binary/execute.js')
    return new BinaryProtocol(this.host)
  }

  /**
   * The protocol that a connection begins with where it is to speak `name`.
   * @param isKnown true if its client has authenticated in another thread
   */
  for(name: ProtocolName, isKnown = false): Protocol {
    switch (name) {
      case 'auto': return this.either
      case 'ascii': return isKnown ? this.known : this.text
      case 'binary': return this.binary
    }
  }
}

function makeMeta(host: Host, parser: LineParser): MetaLines {
  const { MetaCommands } = require('./meta/execute.js') as typeof import('./meta/execute.js')
  return new MetaCommands(host, parser)
}
