// The errors that this package throws on purpose. A leaf: anyone may import it.
//
// What a client may cause is never an error but an Outcome, which is returned. What the world does (bad options, a port in
// use) is a MemslabError with a `code` to branch on. What only a bug can cause is an InvariantError, thrown by assert.

/**
 * The codes that memslab itself gives a MemslabError, and what each says. Where the system refused something, the code is the
 * system's name for that instead, as Node.js spells it: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`, `ENOENT` ...
 */
export const ERROR_CODES = {
  EUSAGE: 'an option is wrong, or a certificate that it names; `problems` says everything that is',
  EALREADY: '`listen` was called a second time, or after `close`',
  ECANCELED: 'the server was closed while it opened',
  EDIED: 'a thread of the server has died of a bug, so nothing that the server held can be trusted',
  ENOMEM: 'the system does not give as much memory as the options ask for',
  EINVAL: 'the file of users has a line that is not name:password, or names nobody, or is no file that can be read again',
  EFBIG: 'the file of users is too large to be one',
  EIO: 'something could not be opened, and the system has not said why',
  ENOUSER: 'the command line names a user that the system does not know (-u)',
  EMFILE: 'the process may not open as many files as the command needs to start one thread (ulimit -n)',
} as const

/** A code of memslab's own. */
export type MemslabErrorCode = keyof typeof ERROR_CODES

/** An error with a cause outside this package. Branch on `code`, show `message`. */
export class MemslabError extends Error {
  /** One of ERROR_CODES, or the system's name for what it refused. */
  readonly code: string
  /** With code 'EUSAGE': everything that is wrong, a sentence each. Otherwise empty. */
  readonly problems: readonly string[]

  constructor(code: MemslabErrorCode, message: string, problems: readonly string[] = []) {
    super(message)
    this.name = 'MemslabError'
    this.code = code
    this.problems = problems
  }
}

/** Makes a MemslabError of what the system refused. @param code as the system calls it */
export function systemError(code: string, message: string): MemslabError { return new MemslabError(code as MemslabErrorCode, message) }

/** A broken invariant: a bug in memslab, never a client's doing. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`broken invariant: ${message}`)
    this.name = 'InvariantError'
  }
}

/** Throws an InvariantError unless a condition holds. It stays on in production: stopping is better than serving from half-written memory. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
