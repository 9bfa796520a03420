// The key and the flags of a meta command, read in place and in one pass: `mg key flag flag ...`. A flag is a letter, for
// some with an argument behind it; what follows any other letter is ignored, as in memcached. They are named as protocol.txt
// names them.
import { Ascii } from '../../memory/ascii.js'
import { parseUint64, type Uint64 } from '../../memory/numbers.js'
import { Want, type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type Input } from '../input.js'
import { NOT_A_NUMBER, type LineParser } from '../line.js'
import { META } from './answers.js'
import { decodeBase64 } from './base64.js'
import { byLetter, codeOf, FLAGS, isPlaced, type Arguments } from './flags.js'
import {
  FIRST_CAPITAL, FIRST_SMALL, Flag, flagSet, LAST_LETTER, OPAQUE_MAX, Returns, TOKENS_MAX, type FlagSet,
} from './letters.js'

const KNOWN = flagSet(FLAGS.map(codeOf))
/** The flags whose places in the line count. */
const PLACED = flagSet(FLAGS.filter(isPlaced).map(codeOf))
const READERS = byLetter(({ read }) => read)
const VALUES = byLetter(({ value }) => value)

export class MetaParser implements Arguments {
  readonly request: Request
  readonly returns = new Returns()
  /** The index behind the key, or within one that is too long. */
  keyStop = 0
  /** True if there is a key, even one that is too long. */
  hasKey = false
  /** The answer to an opaque that is too long. It stands apart, as ma does its work before it looks at the opaque. */
  opaqueError: Uint8Array | undefined
  /** The end of the line: beyond the input if that has no end yet, and then nothing else here counts. */
  lineEnd = 0
  /** True if the line has something that is no flag at all: memcached then knows neither the command nor the value behind it. */
  isMalformed = false
  /** True if the key was to be base64, and is not. */
  isKeyWrong = false
  /** The answer to flags that are wrong. */
  error: Uint8Array | undefined
  /** The arguments that are numbers, by letter. */
  private readonly values = new Float64Array(128)
  private small = 0
  private capitals = 0
  private tokens = 0
  /** True once `error` is final; that of a wrong argument is not, as something worse may follow. */
  private isFinal = false

  constructor(private readonly parser: LineParser, private readonly input: Input, private readonly store: Store) {
    this.request = input.request
  }

  has(flag: number): boolean {
    const set = flag < FIRST_SMALL ? this.capitals : this.small
    return (set & 1 << (flag & 31)) !== 0
  }

  hasAny({ small, capitals }: FlagSet): boolean { return ((this.capitals & capitals) | (this.small & small)) !== 0 }

  /** True if `flag` stands before `other`. Both are there, and their rows say that their places count. */
  isBefore(flag: Flag, other: Flag): boolean {
    const { flags } = this.returns
    return flags.indexOf(flag) < flags.indexOf(other)
  }

  /** True of a flag that is there, and not behind an opaque that is too long: what follows that is not obeyed. */
  isObeyed(flag: Flag): boolean {
    return this.has(flag) && (this.opaqueError === undefined || this.isBefore(flag, Flag.O))
  }

  /** Reads the key at or after `at` into the request, and leaves `keyStop` behind it; false if there is none, or one too long. */
  readKey(at: number): boolean {
    const { parser, request } = this
    const isShort = parser.readKey(parser.skipSpaces(at))
    request.keyStart = parser.keyStart
    // of a key that is too long nothing may be read
    request.keyEnd = isShort ? parser.keyEnd : parser.keyStart
    request.hash = parser.hash
    this.keyStop = parser.stop
    this.hasKey = !isShort || parser.keyEnd > parser.keyStart
    return isShort && this.hasKey
  }

  /**
   * Reads the flags from `at` on. The arguments of C, D, E, J and a key in base64 go to the request.
   * @param tokens what the line has before the flags
   */
  readFlags(at: number, tokens: number): void {
    const { bytes } = this.parser
    this.reset(tokens)
    for (;;) {
      while (bytes[at] === Ascii.Space) at++
      const start = at
      while (bytes[at] !== Ascii.Space && bytes[at] !== Ascii.LineEnd) at++
      const end = bytes[at] === Ascii.LineEnd && at > start && bytes[at - 1] === Ascii.CarriageReturn ? at - 1 : at
      if (end > start) this.take(bytes[start]!, start, end)
      if (bytes[at] === Ascii.LineEnd) break
    }
    this.lineEnd = at
    if (this.isMalformed) this.error = META.badFormat
    else if (this.tokens > TOKENS_MAX) this.error = META.tooManyFlags
  }

  private reset(tokens: number): void {
    this.small = this.capitals = 0
    this.isMalformed = this.isFinal = this.isKeyWrong = false
    this.error = this.opaqueError = undefined
    this.tokens = tokens
    const { returns } = this
    returns.count = returns.opaqueBytes = 0
    returns.isBinaryKey = returns.isQuiet = false
  }

  private take(flag: number, start: number, end: number): void {
    this.tokens++
    if (flag < Ascii.Zero || flag > LAST_LETTER) this.isMalformed = true
    if (this.isMalformed || this.isFinal || this.tokens > TOKENS_MAX) return
    const bit = 1 << (flag & 31)
    if (flag >= FIRST_SMALL) {
      if ((KNOWN.small & bit) === 0) return this.fail(META.invalidFlag)
      if ((this.small & bit) !== 0) return this.fail(META.duplicateFlag)
      this.small |= bit
      if ((PLACED.small & bit) !== 0) this.place(flag)
    } else {
      if (flag < FIRST_CAPITAL || (KNOWN.capitals & bit) === 0) return this.fail(META.invalidFlag)
      if ((this.capitals & bit) !== 0) return this.fail(META.duplicateFlag)
      this.capitals |= bit
      if ((PLACED.capitals & bit) !== 0) this.place(flag)
    }
    const value = VALUES[flag]
    if (value !== undefined) this.values[flag] = value(this, start + 1, end)
    else READERS[flag]?.(this, start + 1, end)
  }

  private place(flag: Flag): void {
    const { returns } = this
    returns.flags[returns.count++] = flag
  }

  // Arguments, for the rows of flags.ts

  valueOf(flag: number): number { return this.has(flag) ? this.values[flag]! : 0 }

  readByte(at: number, end: number): number { return at < end ? this.parser.bytes[at]! : 0 }

  readClientFlags(at: number, end: number): number {
    const flags = this.parser.uint32(at, end)
    // it has no words of its own, and leaves those of a wrong argument before it
    if (flags < 0) this.error ??= META.badFormat
    return flags
  }

  readUint32(at: number, end: number): number {
    const number = this.parser.uint32(at, end)
    this.check(number >= 0)
    return number
  }

  readUint64(at: number, end: number, into: Uint64, error = META.badToken): void {
    this.check(parseUint64(this.parser.bytes, at, end, into), error)
  }

  /** Keeps an opaque with its letter, which stands before `at`. */
  readOpaque(at: number, end: number): void {
    const { returns } = this
    const start = at - 1
    if (end - start > OPAQUE_MAX) {
      this.opaqueError = META.opaqueTooLong
      return
    }
    returns.opaqueBytes = end - start
    for (let i = 0; i < returns.opaqueBytes; i++) returns.opaque[i] = this.parser.bytes[start + i]!
  }

  readTime(at: number, end: number): number {
    const exptime = this.parser.int32(at, end)
    this.check(exptime !== NOT_A_NUMBER)
    return this.store.expiryFor(exptime)
  }

  decodeKey(): void {
    const { parser, input, request } = this
    this.returns.isBinaryKey = true
    const length = decodeBase64(parser.bytes, request.keyStart, request.keyEnd, input.bytes, input.keyStart)
    this.isKeyWrong = length === 0
    if (this.isKeyWrong) {
      this.error = META.badKey
      return
    }
    request.keyStart = input.keyStart
    request.keyEnd = input.keyStart + length
    request.hash = parser.hashOf(request.keyStart, request.keyEnd)
  }

  /** Of several wrong arguments the last one has its error answered. */
  private check(isRight: boolean, error: Uint8Array = META.badToken): void {
    if (!isRight) this.error = error
  }

  private fail(error: Uint8Array): void {
    this.error = error
    this.isFinal = true
  }
}

/** What any command that stores wants by its flags, as bits of Want. */
export function storeWants(flags: MetaParser): number {
  return (flags.has(Flag.E) ? Want.NewCas : 0) | (flags.returns.isBinaryKey ? Want.BinaryKey : 0)
}
