// One request of a random stream, as a generator makes it, the tables of
// differences judge it, and the two servers get it; and what a generator is.

import type { Prng } from '../support/prng.js'

export interface Request {
  /** Of a text command: its line up to the \n, a \r before that included. */
  readonly line?: string
  /** What is sent, all of it. CAS stands for a number that the server gave. */
  readonly text: string
  /** The key whose number, as it was seen last, takes the place of CAS; for a binary request, the key that it is about. */
  readonly casKey?: string
  /** For a text command with a data block: whether that is as long as announced and ends as it should. */
  readonly isWhole?: boolean
  /** What is left of `text` when a data block of the announced length has been taken from it. */
  readonly leftover?: string
  /** The server must close the connection. */
  readonly closes?: boolean
  /** It sends values, or changes a counter: the two do not go well together, see compare.ts. */
  readonly does?: 'read' | 'count'
  /** Of a binary request: the number that its answers bear, too. */
  readonly opaque?: number
}

/** Makes random requests of one protocol. */
export interface Generator {
  readonly prng: Prng
  next(): Request
}

/** In `text`; no byte, so it cannot be meant literally. */
export const CAS = '\u{2713}'
