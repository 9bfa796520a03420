// Keys in lines of text: "URI encoded", as protocol.txt says of metadump and watch, so that no byte of a key ends a line.
import { Ascii } from './ascii.js'

const HEX = Buffer.from('0123456789ABCDEF')
/** 1 for each byte that is written as it is: letters, digits and `-_.~`. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => /[\w.~-]/.test(String.fromCharCode(byte)) ? 1 : 0)

/** The most bytes that a byte of a key takes. */
export const ENCODED_BYTES_MAX = 3

/** The text of the key `[start, end)` of `bytes`. */
export function encodeKey(bytes: Uint8Array, start: number, end: number): string {
  const to = Buffer.allocUnsafe((end - start) * ENCODED_BYTES_MAX)
  return to.toString('latin1', 0, writeEncodedKey(to, 0, bytes, start, end))
}

/** Writes that text at `at`, where there is room for it; returns the index behind it. */
export function writeEncodedKey(to: Uint8Array, at: number, bytes: Uint8Array, start: number, end: number): number {
  for (let from = start; from < end; from++) {
    const byte = bytes[from]!
    if (IS_PLAIN[byte] === 1) to[at++] = byte
    else {
      to[at++] = Ascii.Percent
      to[at++] = HEX[byte >>> 4]!
      to[at++] = HEX[byte & 15]!
    }
  }
  return at
}
