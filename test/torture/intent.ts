// What a client wants done and what it is told, whatever the protocol: classic.ts, meta.ts and binary.ts write an Intent as
// a request and read its Answer.

export type Intent =
  | { readonly does: 'get', readonly keys: readonly string[], readonly isQuiet?: boolean }
  | { readonly does: 'gat', readonly key: string, readonly exptime: number, readonly isQuiet?: boolean }
  | { readonly does: 'touch', readonly key: string, readonly exptime: number }
  | Store
  | Join
  | Count
  | { readonly does: 'delete', readonly key: string, readonly token?: string | undefined, readonly isQuiet?: boolean }
  | { readonly does: 'flush', readonly isQuiet?: boolean }
  /** Something that is always answered. */
  | { readonly does: 'nothing' }

export interface Store {
  readonly does: 'set' | 'add' | 'replace'
  readonly key: string
  readonly value: Buffer
  readonly flags: number
  readonly exptime: number
  /** With this cas number only; for `set`. */
  readonly token?: string | undefined
  readonly isQuiet?: boolean
}

export interface Join {
  readonly does: 'append' | 'prepend'
  readonly key: string
  readonly value: Buffer
  readonly token?: string | undefined
  readonly isQuiet?: boolean
}

export interface Count {
  readonly does: 'incr' | 'decr'
  readonly key: string
  readonly amount: number
  /** What a missing item begins with; only meta and binary have it. */
  readonly initial?: number | undefined
  readonly token?: string | undefined
  readonly isQuiet?: boolean
}

export interface Item {
  readonly key: string
  readonly value: Buffer
  readonly flags: number
  readonly token: string | undefined
}

export type Answer =
  /** For each key what was there. */
  | { readonly is: 'items', readonly items: readonly (Item | undefined)[] }
  /** @param number what a count came to */
  | { readonly is: 'done', readonly token?: string | undefined, readonly number?: number }
  | { readonly is: 'absent' | 'exists' | 'unstored' }
  /** No memory. */
  | { readonly is: 'full' }
  /** Nobody said anything, and that may mean either. */
  | { readonly is: 'unknown' }

export interface Reply {
  readonly answer: Answer
  /** Where the next answer begins. */
  readonly end: number
}

export interface Request {
  readonly bytes: Buffer
  /**
   * Reads the answer that begins at `at`, or finds that there is none and that another's begins there.
   * @returns how many bytes from `at` on are needed at least, if there are too few
   * @throws if it cannot be an answer
   */
  read(bytes: Buffer, at: number): Reply | number
}

export interface Dialect {
  readonly name: string
  /** Whether it can say this. */
  knows(intent: Intent): boolean
  encode(intent: Intent): Request
}

/** Where a line of an answer ends, before its CR LF; -1 if it is not all there. */
export function lineEnd(bytes: Buffer, at: number): number {
  return bytes.indexOf('\r\n', at, 'latin1')
}

export function unexpected(request: Buffer, bytes: Buffer, at: number): Error {
  const sent = request.toString('latin1', 0, Math.min(100, request.length))
  return new Error(`unexpected answer ${JSON.stringify(bytes.toString('latin1', at, at + 100))} to ${JSON.stringify(sent)}`)
}
