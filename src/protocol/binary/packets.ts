// What the handlers of opcodes work with: the packet at work, and the ways to answer it. A thread has one, for all its sessions.
// A failure is always answered, even to a quiet opcode; only a success is not, and a miss of a quiet get.
import { Size } from '../../memory/layout.js'
import { type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type Host } from '../host.js'
import { printable } from '../log.js'
import { type Session } from '../session.js'
import { BinaryParser, HEADER_BYTES } from './parse.js'
import { BinaryReply, Status, textOf } from './reply.js'

export class Packets {
  readonly store: Store
  readonly request: Request
  readonly parser: BinaryParser
  readonly reply: BinaryReply

  constructor(readonly host: Host) {
    this.store = host.store
    this.request = host.input.request
    this.parser = new BinaryParser(host.input.bytes, host.store.context.hash)
    this.reply = new BinaryReply(host.output)
  }

  /** True if what is said of packets is logged, with -vv. */
  get isLogged(): boolean { return this.host.verbosity > 1 }

  /** Answers with an error, of a packet that has no value or whose value is there. */
  error(session: Session, status: Status, text = textOf(status)): void {
    this.reply.error(status, text)
    if (this.isLogged) this.logError(session, text)
  }

  /** Answers with an error once the value is there, which is thrown away. Returns where the session goes on. */
  errorAfterValue(session: Session, status: Status): number {
    const packet = this.reply.errorPacket(status)
    session.swallow(this.parser.valueBytes, packet)
    if (this.isLogged) {
      this.logError(session, textOf(status))
      this.logHeader(session, packet)
    }
    return this.parser.keyEnd
  }

  /** Answers an opcode that the server does not have. */
  unknown(session: Session): number { return this.errorAfterValue(session, Status.Unknown) }

  // Lines of -vv, in memcached's form

  /** Logs a packet, once its key is there too. @param name what the log calls its opcode, if it has a name */
  logRequest(session: Session, name: string | undefined, at: number, end: number): void {
    const { host, parser } = this
    if (parser.isRequest && parser.keyEnd > end && parser.keyBytes <= Size.KeyMax) return
    const { id } = session.peer
    host.log(`<${id} Read binary protocol data:`)
    for (const row of hexRows(parser.bytes.subarray(at, at + HEADER_BYTES))) host.log(`<${id}   ${row}`)
    if (name === undefined || parser.keyBytes === 0 || parser.keyEnd > end) return
    const key = printable(parser.bytes.subarray(parser.keyStart, parser.keyEnd))
    host.log(`<${id} ${name} ${key}${parser.valueBytes > 0 ? ` Value len is ${parser.valueBytes}` : ''}`)
  }

  /** Carries out what answers, and logs the header of the first packet of the answer if there is one. */
  logAnswer<Result>(session: Session, answer: () => Result): Result {
    const { output } = this.host
    output.begin()
    const result = answer()
    if (output.begun.length >= HEADER_BYTES) this.logHeader(session, output.begun)
    return result
  }

  private logHeader(session: Session, packet: Uint8Array): void {
    const { id } = session.peer
    this.host.log(`>${id} Writing bin response:`)
    for (const row of hexRows(packet.subarray(0, HEADER_BYTES))) this.host.log(`>${id}  ${row}`)
  }

  private logError(session: Session, text: Uint8Array): void {
    this.host.log(`>${session.peer.id} Writing an error: ${Buffer.from(text).toString('latin1')}`)
  }
}

/** ` 0x80 0x01 0x00 0x03`, a row for each four bytes. */
function hexRows(bytes: Uint8Array): string[] {
  const words = Array.from(bytes, byte => ` 0x${hex(byte)}`)
  return words.flatMap((_, index) => index % 4 === 0 ? [words.slice(index, index + 4).join('')] : [])
}

export function hex(byte: number): string { return byte.toString(16).padStart(2, '0') }
