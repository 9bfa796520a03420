// The letters of the flags of meta commands, sets of them, and what an answer needs of them. The rows of the flags are in
// flags.ts.

/** The letters that commands and replies ask for. W, X and Z only answers have. */
export const enum Flag {
  C = 0x43, D, E, F, I = 0x49, J, M = 0x4d, N, O, R = 0x52, T = 0x54, W = 0x57, X, Z = 0x5a,
  b = 0x62, c, k = 0x6b, t = 0x74, u, v, x = 0x78,
}

export const FIRST_CAPITAL = 0x41
export const FIRST_SMALL = 0x61
export const LAST_LETTER = 0x7a

/** Some of the flags: a bit for each letter. */
export interface FlagSet { readonly capitals: number, readonly small: number }

export function flagSet(flags: readonly number[]): FlagSet {
  const bits = (some: readonly number[]): number => some.reduce((set, flag) => set | 1 << (flag & 31), 0)
  return { capitals: bits(flags.filter(flag => flag < FIRST_SMALL)), small: bits(flags.filter(flag => flag >= FIRST_SMALL)) }
}

/** The most tokens of a line, the command included. */
export const TOKENS_MAX = 20
/** The most bytes of an opaque, the letter included. */
export const OPAQUE_MAX = 32

/** The part of a line that its answer repeats or shows: the flags for that in their order, and the opaque. */
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
