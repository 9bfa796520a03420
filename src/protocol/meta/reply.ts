// The replies of the meta commands: their codes, and what flags show. The rows of flags.ts say which flag shows what.
import { Ascii } from '../../memory/ascii.js'
import { Outcome } from '../../store/outcome.js'
import { type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { type Host } from '../host.js'
import { Copy, type Output } from '../output.js'
import { encodeBase64 } from './base64.js'
import { Flag, type Returns } from './letters.js'

/** The two letters that an answer begins with, the first in the low byte. */
const enum Code { HD = 0x4448, VA = 0x4156, EN = 0x4e45, NF = 0x464e, NS = 0x534e, EX = 0x5845 }

const CODES: Partial<Record<Outcome, Code>> = {
  [Outcome.Stored]: Code.HD,
  [Outcome.Deleted]: Code.HD,
  [Outcome.NotStored]: Code.NS,
  [Outcome.Exists]: Code.EX,
  [Outcome.NotFound]: Code.NF,
}
const BY_OUTCOME = Array.from({ length: Outcome.NoMemory + 1 }, (_, outcome) => CODES[outcome as Outcome] ?? Code.NS)

/** A first line with all that flags can show: a key in base64, an opaque, and numbers. */
const HEADER_MAX = 640

export class MetaReply {
  readonly request: Request
  /** The end of the item that the flag t shows, in store time. */
  end = 0
  private readonly output: Output

  constructor(private readonly host: Host) {
    this.output = host.output
    this.request = host.input.request
  }

  line(bytes: Uint8Array): void {
    this.output.ensure(bytes.length)
    this.output.copy(bytes, 0, bytes.length)
  }

  /** Makes room for a first line and a value, so that nothing is written while an item is locked. */
  ensureValue(): void { this.output.ensure(HEADER_MAX + Copy.RoomBytes) }

  ensureLine(): void { this.output.ensure(HEADER_MAX) }

  // The parts of a first line, for which there must be room

  hit(): void { this.code(Code.HD) }

  miss(): void { this.code(Code.EN) }

  outcome(outcome: Outcome): void { this.code(BY_OUTCOME[outcome]!) }

  /** The beginning of an answer with a value of so many bytes. */
  value(valueBytes: number): void {
    this.code(Code.VA)
    this.output.byte(Ascii.Space)
    this.output.number(valueBytes)
  }

  private code(code: Code): void {
    this.output.byte(code & 0xff)
    this.output.byte(code >>> 8)
  }

  flag(flag: number): void {
    this.output.byte(Ascii.Space)
    this.output.byte(flag)
  }

  number(flag: number, number: number): void {
    this.flag(flag)
    this.output.number(number)
  }

  cas(high: number, low: number): void {
    this.flag(Flag.c)
    this.output.uint64(high, low)
  }

  /** The cas number of what was stored. */
  casAfter(): void {
    const { casAfter } = this.request
    this.cas(casAfter.high, casAfter.low)
  }

  opaque({ opaque, opaqueBytes }: Returns): void {
    this.output.byte(Ascii.Space)
    this.output.copy(opaque, 0, opaqueBytes)
  }

  requestKey({ isBinaryKey }: Returns): void {
    const { bytes, keyStart, keyEnd } = this.request
    this.key(bytes, keyStart, keyEnd, isBinaryKey)
  }

  itemKey(view: ItemView): void {
    this.key(view.bytes, view.keyStart, view.keyStart + view.keyBytes, view.isBinaryKey)
  }

  /** The key as it is known to clients; one in base64 says so. */
  private key(bytes: Uint8Array, start: number, end: number, isBinary: boolean): void {
    const { output } = this
    this.flag(Flag.k)
    if (!isBinary) return output.copy(bytes, start, end - start)
    output.at = encodeBase64(bytes, start, end, output.bytes, output.at)
    this.flag(Flag.b)
  }

  /** The seconds until `end`, -1 for never. */
  timeToLive(): void {
    const { end, host, output } = this
    this.flag(Flag.t)
    // in 32 bits, as memcached prints an item that has just been given an end in the past
    if (end !== 0) return output.number((end - host.store.context.now) >>> 0)
    output.byte(Ascii.Minus)
    output.byte(Ascii.One)
  }
}
