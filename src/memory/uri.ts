// Keys in lines of text: "URI encoded", as protocol.txt says of metadump and watch, so that no byte of a key ends a line.

const HEX = '0123456789ABCDEF'
/** 1 for each byte that is written as it is: letters, digits and `-_.~`. */
const IS_PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => /[\w.~-]/.test(String.fromCharCode(byte)) ? 1 : 0)

/** The text of the key `[start, end)` of `bytes`. */
export function encodeKey(bytes: Uint8Array, start: number, end: number): string {
  let text = ''
  for (let at = start; at < end; at++) {
    const byte = bytes[at]!
    text += IS_PLAIN[byte] === 1 ? String.fromCharCode(byte) : `%${HEX[byte >>> 4]}${HEX[byte & 15]}`
  }
  return text
}
