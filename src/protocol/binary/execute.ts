// The binary protocol: finds out what a packet asks for, and has it carried out. One of these serves all the sessions of a
// thread.
import { assert } from '../../errors.js'
import { Size } from '../../memory/layout.js'
import { type Host } from '../host.js'
import { UNFINISHED, type Protocol, type Session } from '../session.js'
import { commandsOf, type CommandRow } from './commands.js'
import { hex, Packets } from './packets.js'
import { HEADER_BYTES, type BinaryParser, type Form } from './parse.js'
import { Status } from './reply.js'

/** The largest body, in memcached the upper limit of -I. */
const BODY_BYTES_MAX = 1024 * 1024 * 1024

/** A row as the packets of one opcode need it. */
interface Command {
  readonly log: string
  readonly form: Form
  readonly isQuiet: boolean
  readonly isOpen: boolean
  /** Returns where the next bytes begin, or UNFINISHED. */
  readonly run: (session: Session, end: number) => number
}

export class BinaryProtocol implements Protocol {
  readonly name = 'binary'
  readonly needsAuthentication: boolean
  private readonly packets: Packets
  private readonly parser: BinaryParser
  /** By opcode. */
  private readonly commands = new Array<Command | undefined>(256).fill(undefined)

  constructor(private readonly host: Host) {
    this.needsAuthentication = host.options.sasl
    this.packets = new Packets(host)
    this.parser = this.packets.parser
    for (const row of commandsOf(this.packets)) {
      this.add(row.opcode, row, false)
      if (row.quiet !== undefined) this.add(row.quiet, row, true)
    }
  }

  private add(opcode: number, { form, isOpen, log, name, reads, run }: CommandRow, isQuiet: boolean): void {
    const { parser } = this
    assert(this.commands[opcode] === undefined, `${name} has the opcode of another row`)
    const runWhole = (session: Session): number => {
      run?.(session)
      return parser.keyEnd
    }
    this.commands[opcode] = { log, form, isQuiet, isOpen: isOpen === true, run: reads ?? runWhole }
  }

  serve(session: Session, at: number, end: number): number {
    const { packets, parser } = this
    if (end - at < HEADER_BYTES) return UNFINISHED
    parser.readHeader(at)
    packets.reply.answerTo(parser.opcode, parser.opaque)
    const command = this.commands[parser.opcode]
    const { isLogged } = packets
    if (isLogged) packets.logRequest(session, command?.log, at, end)
    if (!parser.isRequest) return this.endConversation(session, end, 'Invalid magic')
    const error = this.check(session, command)
    if (error !== Status.Success) {
      packets.error(session, error)
      return this.endConversation(session, end, 'Protocol error')
    }
    // an unfinished packet has at most its header, its extras and a short key: nothing more is waited for here
    if (parser.keyEnd > end) return UNFINISHED
    if (command === undefined) return packets.unknown(session)
    session.isQuiet = command.isQuiet
    return isLogged ? this.runLogged(command, session, end) : command.run(session, end)
  }

  /** By itself, as a closure in `serve` would cost each request something. */
  private runLogged(command: Command, session: Session, end: number): number {
    return this.packets.logAnswer(session, () => command.run(session, end))
  }

  /** Returns why a packet, by its header, ends the conversation; Success if it does not. */
  private check(session: Session, command: Command | undefined): Status {
    const { parser } = this
    if (parser.valueBytes < 0) return Status.Unknown
    if (parser.bodyBytes > BODY_BYTES_MAX) return Status.Invalid
    const mayRun = !this.needsAuthentication || session.isAuthenticated || (command !== undefined && command.isOpen)
    if (!mayRun) return Status.AuthFailure
    if (parser.keyBytes > Size.KeyMax) return Status.Invalid
    return command === undefined || parser.fits(command.form) ? Status.Success : Status.Invalid
  }

  private endConversation(session: Session, end: number, why: string): number {
    const { host, parser } = this
    if (host.verbosity > 0) host.log(`${why} (opcode ${hex(parser.opcode)}), close connection ${session.peer.id}`)
    session.end()
    return end
  }
}
