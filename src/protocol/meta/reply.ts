// The replies of the meta commands: their codes, and what their flags show.
import { Ascii } from '../../memory/ascii.js'
import { Outcome } from '../../store/outcome.js'
import { type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { Copy, type Output } from '../output.js'
import { encodeBase64 } from './base64.js'
import { Flag, type Returns } from './parse.js'

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
  constructor(private readonly output: Output) {}

  line(bytes: Uint8Array): void {
    this.output.ensure(bytes.length)
    this.output.copy(bytes, 0, bytes.length)
  }

  /** Makes room for a first line and a value that is copied, so that nothing is written while an item is locked. */
  ensureValue(): void { this.output.ensure(HEADER_MAX + Copy.BytesMax) }

  ensureLine(): void { this.output.ensure(HEADER_MAX) }

  // The parts of a first line, for which there must be room.

  hit(): void { this.code(Code.HD) }

  miss(): void { this.code(Code.EN) }

  outcome(outcome: Outcome): void { this.code(BY_OUTCOME[outcome]!) }

  /** What an answer with a value of so many bytes begins with. */
  value(valueBytes: number): void {
    this.code(Code.VA)
    this.output.byte(Ascii.Space)
    this.output.number(valueBytes)
  }

  private code(code: Code): void {
    this.output.byte(code & 0xff)
    this.output.byte(code >>> 8)
  }

  flag(flag: Flag): void {
    this.output.byte(Ascii.Space)
    this.output.byte(flag)
  }

  number(flag: Flag, number: number): void {
    this.flag(flag)
    this.output.number(number)
  }

  cas(high: number, low: number): void {
    this.flag(Flag.c)
    this.output.uint64(high, low)
  }

  opaque({ opaque, opaqueBytes }: Returns): void {
    this.output.byte(Ascii.Space)
    this.output.copy(opaque, 0, opaqueBytes)
  }

  /** The key as it is known to clients; one in base64 says so. */
  key(bytes: Uint8Array, start: number, end: number, isBinary: boolean): void {
    const { output } = this
    this.flag(Flag.k)
    if (!isBinary) return output.copy(bytes, start, end - start)
    output.at = encodeBase64(bytes, start, end, output.bytes, output.at)
    this.flag(Flag.b)
  }

  /** The rest of a first line about no item: it repeats what the client sent. */
  repeat(request: Request, returns: Returns): void {
    for (let i = 0; i < returns.count; i++) this.repeated(returns.flags[i]!, request, returns)
    this.output.lineEnd()
  }

  /** The rest of a first line of ms: what was stored, too. */
  stored(request: Request, returns: Returns): void {
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      if (flag === Flag.c) this.cas(request.casAfter.high, request.casAfter.low)
      else if (flag === Flag.s) this.number(flag, request.valueBytes)
      else this.repeated(flag, request, returns)
    }
    this.output.lineEnd()
  }

  /** What a flag shows of the command itself: its opaque, its key. */
  repeated(flag: Flag, request: Request, returns: Returns): void {
    if (flag === Flag.O) this.opaque(returns)
    else if (flag === Flag.k) this.key(request.bytes, request.keyStart, request.keyEnd, returns.isBinaryKey)
  }

  itemKey(view: ItemView): void {
    this.key(view.bytes, view.keyStart, view.keyStart + view.keyBytes, view.isBinaryKey)
  }

  /** The seconds until an item ends, -1 for never. */
  timeToLive(expiresAt: number, now: number): void {
    this.flag(Flag.t)
    // in 32 bits, as memcached prints an item that has just been given an end in the past
    if (expiresAt !== 0) return this.output.number((expiresAt - now) >>> 0)
    this.output.byte(Ascii.Minus)
    this.output.byte(Ascii.One)
  }

  /** What a flag of mg shows of an item; nothing for most. */
  itemFlag(flag: Flag, view: ItemView): void {
    switch (flag) {
      case Flag.s: return this.number(flag, view.valueBytes)
      case Flag.c: return this.cas(view.casHigh, view.casLow)
      case Flag.f: return this.number(flag, view.flags)
      case Flag.l: return this.number(flag, view.age)
      case Flag.h: return this.number(flag, view.isFetched ? 1 : 0)
      case Flag.k: return this.itemKey(view)
    }
  }
}
