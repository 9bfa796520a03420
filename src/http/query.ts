// The target of a request: its path, and the fields behind the question mark.

/** The fields, in bytes, as a key of memcached need not be UTF-8. Of several with the same name, it is the first. */
export type Query = ReadonlyMap<string, Buffer>

export interface Target { readonly path: string, readonly query: Query }

export function readTarget(url: string): Target {
  const mark = url.indexOf('?')
  if (mark < 0) return { path: url, query: new Map() }
  const fields = new Map<string, Buffer>()
  for (const part of url.slice(mark + 1).split('&')) {
    const equals = part.indexOf('=')
    const name = decode(equals < 0 ? part : part.slice(0, equals)).toString('latin1')
    if (!fields.has(name)) fields.set(name, decode(equals < 0 ? '' : part.slice(equals + 1)))
  }
  return { path: url.slice(0, mark), query: fields }
}

/** The bytes of a text with `%xx` and with + for a space, as forms and URLSearchParams write it. */
function decode(text: string): Buffer {
  const byteOf = (_: string, digits: string): string => String.fromCharCode(parseInt(digits, 16))
  return Buffer.from(text.replace(/\+/g, ' ').replace(/%([0-9a-f]{2})/gi, byteOf), 'latin1')
}

/** A field as a whole number; `absent` if there is no such field, and undefined if it is no number. */
export function numberIn(query: Query, name: string, absent: number): number | undefined {
  const text = query.get(name)?.toString('latin1')
  if (text === undefined) return absent
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined
}
