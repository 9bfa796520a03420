// SASL for the binary protocol (-S), with its one mechanism PLAIN: a client names itself in one message
//
//   the identity to act as, or nothing | NUL | name | NUL | password
//
// which comes with AUTH, or, if AUTH brings none, with STEP. What is answered when is as with memcached and Cyrus SASL:
// also that asking for the mechanisms, or authenticating again, takes away what the client had been allowed.
import { Ascii } from '../../memory/ascii.js'
import { Counter } from '../../stats/counters.js'
import { UNFINISHED, type Session } from '../session.js'
import { type Packets } from './packets.js'
import { Status } from './reply.js'

const MECHANISM = 'PLAIN'
const MECHANISM_NAME_MAX = 32
/** The longest message; no client needs a longer one. */
const MESSAGE_BYTES_MAX = 16 * 1024

const MECHANISMS = Buffer.from(MECHANISM)
const AUTHENTICATED = Buffer.from('Authenticated')
const NO_CHALLENGE = new Uint8Array(0)

export class Sasl {
  /** The sessions that were told to go on with STEP. */
  private readonly begun = new WeakSet<Session>()

  constructor(private readonly packets: Packets) {}

  /** The opcode that asks for the mechanisms. */
  list(session: Session): void {
    const { packets } = this
    if (!packets.host.options.sasl) return packets.error(session, Status.Unknown)
    session.forgetUser()
    packets.reply.body(Status.Success, MECHANISMS)
  }

  auth(session: Session, end: number): number { return this.take(session, false, end) }

  step(session: Session, end: number): number { return this.take(session, true, end) }

  /** Waits for the message of AUTH or STEP, and answers it. */
  private take(session: Session, isStep: boolean, end: number): number {
    const { packets } = this
    const { host, parser } = packets
    if (!host.options.sasl) return packets.unknown(session)
    if (parser.keyBytes > MECHANISM_NAME_MAX) return packets.errorAfterValue(session, Status.Invalid)
    if (parser.valueBytes > MESSAGE_BYTES_MAX) {
      this.countRefusal()
      return packets.errorAfterValue(session, Status.AuthFailure)
    }
    const messageEnd = parser.keyEnd + parser.valueBytes
    if (messageEnd > end) return UNFINISHED
    session.forgetUser()
    if (isStep) this.goOn(session)
    else this.authenticate(session)
    return messageEnd
  }

  private authenticate(session: Session): void {
    const { parser, reply } = this.packets
    this.begun.delete(session)
    if (parser.keyText.toUpperCase() !== MECHANISM) return this.deny(session)
    if (parser.valueBytes > 0) return this.judge(session)
    this.begun.add(session)
    reply.body(Status.AuthContinue, NO_CHALLENGE)
  }

  /** A wrong message may be followed by another. */
  private goOn(session: Session): void {
    if (this.begun.has(session)) this.judge(session)
    else this.deny(session)
  }

  private judge(session: Session): void {
    const { host, parser, reply } = this.packets
    if (!this.isUser(parser.bytes.subarray(parser.keyEnd, parser.keyEnd + parser.valueBytes))) return this.deny(session)
    this.begun.delete(session)
    session.isAuthenticated = true
    host.store.counters.add(Counter.AuthCmds)
    reply.body(Status.Success, AUTHENTICATED)
  }

  private isUser(message: Uint8Array): boolean {
    const nameStart = message.indexOf(Ascii.Nul) + 1
    const nameEnd = message.indexOf(Ascii.Nul, nameStart)
    if (nameStart === 0 || nameEnd < 0) return false
    const identity = message.subarray(0, nameStart - 1)
    const name = message.subarray(nameStart, nameEnd)
    const password = message.subarray(nameEnd + 1)
    // no user may act as another
    if (identity.length > 0 && Buffer.compare(identity, name) !== 0) return false
    if (password.includes(Ascii.Nul)) return false
    return this.packets.host.credentials?.accepts(name, password) ?? false
  }

  private deny(session: Session): void {
    this.countRefusal()
    this.packets.error(session, Status.AuthFailure)
  }

  private countRefusal(): void {
    const { counters } = this.packets.host.store
    counters.add(Counter.AuthCmds)
    counters.add(Counter.AuthErrors)
  }
}
