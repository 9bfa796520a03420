// One request of a random stream, as the generator makes it, the table of
// differences judges it, and the two servers get it.

export interface Request {
  /** The command line up to its \n, a \r before that included. */
  readonly line: string
  /** What is sent: line, \n, and what follows it. CAS stands for a number that the server gave. */
  readonly text: string
  /** The key whose number, as `gets` showed it last, takes the place of CAS. */
  readonly casKey?: string
  /** For a command with a data block: whether that is as long as announced and ends as it should. */
  readonly isWhole?: boolean
  /** What is left of `text` when a data block of the announced length has been taken from it. */
  readonly leftover?: string
  /** The server must close the connection. */
  readonly closes?: boolean
}

/** In `text`; no byte, so it cannot be meant literally. */
export const CAS = '\u{2713}'
