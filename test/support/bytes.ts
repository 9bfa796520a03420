// Bytes as people read them: the notation of the .wire files, both ways, and
// the text that says where an answer differs from what was expected.
// In tests a string stands for bytes, one character a byte (Latin-1).

export type Bytes = string | Uint8Array

export function toBuffer(bytes: Bytes): Buffer {
  return typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

const ESCAPES: Readonly<Record<string, string>> = { r: '\r', n: '\n', t: '\t', '\\': '\\' }

/** What `\r \n \t \\ \xHH` and `\*N{text}` stand for; any other backslash is a mistake in the file. */
export function unescape(text: string): string {
  return text.replace(/\\(?:\*(\d+)\{([^}]*)\}|x([0-9a-fA-F]{2})|([^]))/g,
    (whole, count?: string, part?: string, hex?: string, letter?: string) => {
    if (part !== undefined) return unescape(part).repeat(Number(count))
    if (hex !== undefined) return String.fromCharCode(parseInt(hex, 16))
    const character = ESCAPES[letter ?? '']
    if (character === undefined) throw new Error(`unknown escape ${whole}`)
    return character
  })
}

/** Bytes on one line: `unescape` undoes it. Runs of one byte are shortened. */
export function escape(bytes: Bytes): string {
  const text = toBuffer(bytes).toString('latin1')
  return text
    .replace(/[\\\r\n\t\x00-\x1f\x7f-\xff]/g, escapeCharacter)
    .replace(/((?:\\x[0-9a-f]{2}|\\?[^\\]))\1{19,}/g, (run, unit: string) => `\\*${run.length / unit.length}{${unit}}`)
}

function escapeCharacter(character: string): string {
  switch (character) {
    case '\r': return '\\r'
    case '\n': return '\\n'
    case '\t': return '\\t'
    case '\\': return '\\\\'
    default: return '\\x' + character.charCodeAt(0).toString(16).padStart(2, '0')
  }
}

const SHOWN = 600

/** At most a screenful of `bytes`, the part around `at` if they are longer, a line of theirs a line. */
export function excerpt(bytes: Bytes, at = 0): string {
  const all = toBuffer(bytes)
  if (all.length === 0) return '(nothing)'
  const start = all.length <= SHOWN ? 0 : Math.max(0, Math.min(at - SHOWN / 3, all.length - SHOWN))
  const part = all.subarray(start, start + SHOWN)
  const before = start > 0 ? `(${Math.floor(start)} bytes) ` : ''
  const after = start + SHOWN < all.length ? ` (${all.length - Math.floor(start) - SHOWN} bytes more)` : ''
  return before + escape(part).replaceAll('\\n', '\\n\n').trimEnd() + after
}

/** Index of the first byte that differs, or -1 when the two are the same. */
export function differsAt(one: Uint8Array, other: Uint8Array): number {
  if (Buffer.compare(one, other) === 0) return -1
  const shorter = Math.min(one.length, other.length)
  let at = 0
  while (at < shorter && one[at] === other[at]) at++
  return at
}
