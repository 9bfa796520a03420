// The key and the flags of a meta command, read in place and in one pass: `mg key flag flag ...`. A flag is a letter, for
// some with an argument behind it; what follows any other letter is ignored, as in memcached. They are named as protocol.txt
// names them.
import { Ascii } from '../../memory/ascii.js'
import { parseUint64 } from '../../memory/numbers.js'
import { Want, type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type Input } from '../input.js'
import { NOT_A_NUMBER, type LineParser } from '../line.js'
import { META } from './answers.js'
import { decodeBase64 } from './base64.js'

/** The letters: of what commands ask for, and W, X and Z, which only answers have. */
export const enum Flag {
  C = 0x43, D, E, F, I = 0x49, J, L = 0x4c, M, N, O, P, R = 0x52, T = 0x54, W = 0x57, X, Z = 0x5a,
  b = 0x62, c, f = 0x66, h = 0x68, k = 0x6b, l, q = 0x71, s = 0x73, t, u, v, x = 0x78,
}

/** Some of the flags, as bits: a bit a letter. */
export interface FlagSet { readonly capitals: number, readonly small: number }

const KNOWN = flagSet([Flag.C, Flag.D, Flag.E, Flag.F, Flag.I, Flag.J, Flag.L, Flag.M, Flag.N, Flag.O, Flag.P, Flag.R, Flag.T,
  Flag.b, Flag.c, Flag.f, Flag.h, Flag.k, Flag.l, Flag.q, Flag.s, Flag.t, Flag.u, Flag.v, Flag.x])

/** Those that an answer shows, or that work where they stand among these. */
const SHOWN = flagSet([Flag.N, Flag.O, Flag.R, Flag.T, Flag.c, Flag.f, Flag.h, Flag.k, Flag.l, Flag.s, Flag.t])

/** Tokens that a line may have, the command included. */
const TOKENS_MAX = 20
/** Bytes of an opaque, the letter included. */
const OPAQUE_MAX = 32

/** What the answer of a command repeats or shows: the flags for that in their order, and its opaque. */
export class Returns {
  readonly flags = new Uint8Array(TOKENS_MAX)
  count = 0
  readonly opaque = new Uint8Array(OPAQUE_MAX)
  opaqueBytes = 0
  isBinaryKey = false
  isQuiet = false

  copy(): Returns {
    return Object.assign(new Returns(), this, { flags: this.flags.slice(), opaque: this.opaque.slice() })
  }
}

export class MetaParser {
  readonly returns = new Returns()
  /** Where the reading of the key ended: behind it, or within one that is too long. */
  keyStop = 0
  /** Whether there is a key, if perhaps one that is too long. */
  hasKey = false
  /** Store times: of T, of N, of R. */
  expiresAt = 0
  vivifiedUntil = 0
  recacheBefore = 0
  clientFlags = 0
  /** The byte behind M, 0 if there is none. */
  mode = 0
  /** Told apart from other errors, as ma does its work before it looks at the opaque. */
  opaqueError: Uint8Array | undefined
  /** The end of the line: beyond the input if that has no end yet, and then nothing else here counts. */
  lineEnd = 0
  /** What cannot be read as flags at all: then memcached does not know the command, nor the value that follows. */
  isMalformed = false
  /** Whether the key was to be base64, and is not. */
  isKeyWrong = false
  /** What is wrong with the flags. */
  error: Uint8Array | undefined
  private small = 0
  private capitals = 0
  private tokens = 0
  /** Whether `error` is final; a wrong argument is, only if nothing worse follows. */
  private isFinal = false

  constructor(private readonly line: LineParser, private readonly input: Input, private readonly cache: Store) {}

  has(flag: Flag): boolean {
    const set = flag < Flag.b ? this.capitals : this.small
    return (set & 1 << (flag & 31)) !== 0
  }

  hasAny({ small, capitals }: FlagSet): boolean { return ((this.capitals & capitals) | (this.small & small)) !== 0 }

  /** True if `flag` stands before `other`. Both are among those that an answer shows, and there. */
  isBefore(flag: Flag, other: Flag): boolean {
    const { flags } = this.returns
    return flags.indexOf(flag) < flags.indexOf(other)
  }

  /** Reads the key at or after `at` into the request, and leaves `keyStop` behind it; false if there is none, or one too long. */
  readKey(at: number, request: Request): boolean {
    const { line } = this
    const isShort = line.scanKey(line.skipSpaces(at))
    request.keyStart = line.keyStart
    // of a key that is too long nobody may read anything
    request.keyEnd = isShort ? line.keyEnd : line.keyStart
    request.hash = line.hash
    this.keyStop = line.stop
    this.hasKey = !isShort || line.keyEnd > line.keyStart
    return isShort && this.hasKey
  }

  /**
   * Reads the flags from `at` on. The arguments of C, D, E, J and a key in base64 go to the request.
   * @param tokens what the line has before the flags
   */
  readFlags(at: number, tokens: number, request: Request): void {
    const { bytes } = this.line
    this.reset(tokens)
    for (;;) {
      while (bytes[at] === Ascii.Space) at++
      const start = at
      while (bytes[at] !== Ascii.Space && bytes[at] !== Ascii.LineEnd) at++
      const end = bytes[at] === Ascii.LineEnd && at > start && bytes[at - 1] === Ascii.CarriageReturn ? at - 1 : at
      if (end > start) this.take(bytes[start]!, start, end, request)
      if (bytes[at] === Ascii.LineEnd) break
    }
    this.lineEnd = at
    if (this.isMalformed) this.error = META.badFormat
    else if (this.tokens > TOKENS_MAX) this.error = META.tooManyFlags
  }

  private reset(tokens: number): void {
    this.small = this.capitals = 0
    this.expiresAt = this.vivifiedUntil = this.recacheBefore = this.clientFlags = this.mode = 0
    this.isMalformed = this.isFinal = this.isKeyWrong = false
    this.error = this.opaqueError = undefined
    this.tokens = tokens
    const { returns } = this
    returns.count = returns.opaqueBytes = 0
    returns.isBinaryKey = returns.isQuiet = false
  }

  private take(flag: number, start: number, end: number, request: Request): void {
    this.tokens++
    if (flag < Ascii.Zero || flag > LAST_LETTER) this.isMalformed = true
    if (this.isMalformed || this.isFinal || this.tokens > TOKENS_MAX) return
    const bit = 1 << (flag & 31)
    if (flag >= FIRST_SMALL) {
      if ((KNOWN.small & bit) === 0) return this.fail(META.invalidFlag)
      if ((this.small & bit) !== 0) return this.fail(META.duplicateFlag)
      this.small |= bit
      if ((SHOWN.small & bit) !== 0) this.show(flag)
    } else {
      if (flag < FIRST_CAPITAL || (KNOWN.capitals & bit) === 0) return this.fail(META.invalidFlag)
      if ((this.capitals & bit) !== 0) return this.fail(META.duplicateFlag)
      this.capitals |= bit
      if ((SHOWN.capitals & bit) !== 0) this.show(flag)
    }
    this.readArgument(flag, start, end, request)
  }

  private show(flag: Flag): void {
    const { returns } = this
    returns.flags[returns.count++] = flag
  }

  private readArgument(flag: Flag, start: number, end: number, request: Request): void {
    const { line, returns } = this
    const at = start + 1
    switch (flag) {
      case Flag.q: returns.isQuiet = true; break
      case Flag.O: this.readOpaque(start, end); break
      case Flag.b: this.decodeKey(request); break
      case Flag.M: this.mode = at < end ? line.bytes[at]! : 0; break
      case Flag.T: this.expiresAt = this.readTime(at, end); break
      case Flag.N: this.vivifiedUntil = this.readTime(at, end); break
      case Flag.R: this.recacheBefore = this.readTime(at, end); break
      case Flag.C: this.check(parseUint64(line.bytes, at, end, request.cas)); break
      case Flag.E: this.check(parseUint64(line.bytes, at, end, request.newCas)); break
      case Flag.D: this.check(parseUint64(line.bytes, at, end, request.number), META.badDelta); break
      case Flag.J: this.check(parseUint64(line.bytes, at, end, request.initial), META.badInitial); break
      case Flag.F:
        this.clientFlags = line.uint32(at, end)
        // it has no words of its own, and leaves those of a wrong argument before it
        if (this.clientFlags < 0) this.error ??= META.badFormat
    }
  }

  private readOpaque(start: number, end: number): void {
    const { returns } = this
    if (end - start > OPAQUE_MAX) {
      this.opaqueError = META.opaqueTooLong
      return
    }
    returns.opaqueBytes = end - start
    for (let i = 0; i < returns.opaqueBytes; i++) returns.opaque[i] = this.line.bytes[start + i]!
  }

  private readTime(start: number, end: number): number {
    const exptime = this.line.int32(start, end)
    this.check(exptime !== NOT_A_NUMBER)
    return this.cache.expiryFor(exptime)
  }

  private decodeKey(request: Request): void {
    const { line, input } = this
    this.returns.isBinaryKey = true
    const length = decodeBase64(line.bytes, request.keyStart, request.keyEnd, input.bytes, input.keyStart)
    this.isKeyWrong = length === 0
    if (this.isKeyWrong) {
      this.error = META.badKey
      return
    }
    request.keyStart = input.keyStart
    request.keyEnd = input.keyStart + length
    request.hash = line.hashOf(request.keyStart, request.keyEnd)
  }

  /** Of several wrong arguments the last is told of. */
  private check(isRight: boolean, error: Uint8Array = META.badToken): void {
    if (!isRight) this.error = error
  }

  private fail(error: Uint8Array): void {
    this.error = error
    this.isFinal = true
  }
}

/** What the flags say about how anything is stored. */
export function storeWants(flags: MetaParser): number {
  return (flags.has(Flag.E) ? Want.NewCas : 0) | (flags.returns.isBinaryKey ? Want.BinaryKey : 0)
}

const FIRST_CAPITAL = 0x41
const FIRST_SMALL = 0x61
const LAST_LETTER = 0x7a

export function flagSet(flags: readonly Flag[]): FlagSet {
  const bits = (some: readonly Flag[]): number => some.reduce((set, flag) => set | 1 << (flag & 31), 0)
  return { capitals: bits(flags.filter(flag => flag < Flag.b)), small: bits(flags.filter(flag => flag >= Flag.b)) }
}
