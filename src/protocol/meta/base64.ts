// Keys in base64, as memcached reads and writes them: what is not of the alphabet is skipped, and the padding is the end.

const ALPHABET = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/', 'latin1')
const PADDING = 0x3d
const UNKNOWN = 0xff

const VALUES = new Uint8Array(256).fill(UNKNOWN)
ALPHABET.forEach((letter, value) => { VALUES[letter] = value })
VALUES[PADDING] = 0

/** Decodes `[start, end)` to `toAt`; returns the number of bytes there, 0 if it is not base64. */
export function decodeBase64(bytes: Uint8Array, start: number, end: number, to: Uint8Array, toAt: number): number {
  if (countLetters(bytes, start, end) % 4 !== 0) return 0
  let at = toAt
  let group = 0
  let letters = 0
  let padding = 0
  for (let i = start; i < end; i++) {
    const value = VALUES[bytes[i]!]!
    if (value === UNKNOWN) continue
    if (bytes[i] === PADDING) padding++
    group = group << 6 | value
    if (++letters < 4) continue
    to[at] = group >>> 16
    to[at + 1] = group >>> 8
    to[at + 2] = group
    at += 3
    if (padding > 0) return padding > 2 ? 0 : at - padding - toAt
    group = letters = 0
  }
  return at - toAt
}

function countLetters(bytes: Uint8Array, start: number, end: number): number {
  let count = 0
  for (let i = start; i < end; i++) if (VALUES[bytes[i]!] !== UNKNOWN) count++
  return count
}

/** Encodes `[start, end)` to `toAt`, four letters for each three bytes; returns the index behind them. */
export function encodeBase64(bytes: Uint8Array, start: number, end: number, to: Uint8Array, toAt: number): number {
  let at = toAt
  for (let i = start; i < end; i += 3, at += 4) {
    const hasSecond = i + 1 < end
    const hasThird = i + 2 < end
    const group = bytes[i]! << 16 | (hasSecond ? bytes[i + 1]! << 8 : 0) | (hasThird ? bytes[i + 2]! : 0)
    to[at] = ALPHABET[group >>> 18]!
    to[at + 1] = ALPHABET[group >>> 12 & 63]!
    to[at + 2] = hasSecond ? ALPHABET[group >>> 6 & 63]! : PADDING
    to[at + 3] = hasThird ? ALPHABET[group & 63]! : PADDING
  }
  return at
}
