// The errors that this package throws on purpose. A leaf: any file may import it.
//
// A failure that a client may cause is never an error: it is returned as an Outcome. A failure with a cause outside the package,
// such as a wrong option or a port in use, is a MemslabError with a `code` to branch on. A failure that only a bug can cause is
// an InvariantError, thrown by `assert`.

/**
 * The codes that memslab itself gives a MemslabError, and their meanings. If the system refused something, the code is the
 * system's instead, as Node.js spells it: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`, `ENOTFOUND`, `ENOENT` ...
 */
export const ERROR_CODES = {
  EUSAGE: 'an option is wrong, or a certificate that it names; `problems` says everything that is',
  EALREADY: '`listen` was called a second time, or after `close`',
  ECANCELED: 'the server was closed while it opened',
  EDIED: 'a thread has died of a bug, or was terminated while it changed a cache, so nothing in the cache can be trusted',
  ENOMEM: 'the system does not give as much memory as the options ask for',
  EINVAL: 'the file of users has a line that is not name:password, has no users, or cannot be read again as it is not a file',
  EFBIG: 'the file of users is too large to be one',
  EIO: 'something could not be opened, and the system has not said why',
  ESTOPPED: 'the TestServer does not run: `start` was not called, or `stop` was',
  ENOUSER: 'the command line names a user that the system does not know (-u)',
  ECLOSED: 'the cache, or the server that it belongs to, is closed',
  EKEY: 'a key of a cache is not a string or a Uint8Array of 1 to 250 bytes',
  EVALUE: 'a value has no form that the cache can store',
  ETOOLARGE: 'an item is larger than `itemSizeMax` allows',
  EFULL: 'a cache without `evictions` is full, or all of its items are in use',
  ENOTNUMBER: 'the value that `incr` or `decr` should change is not a number from 0 to 2^64 - 1',
  EHANDLE: 'what `Cache.attach` was given is not the handle of a cache',
  EVERSION: 'the handle of a cache was made by another version of memslab',
  ENOPLACE: 'a cache has no place for one more thread',
  EBUSY: 'another thread or client lists the keys of the cache',
  ETIMEDOUT: 'a call that `waitForCall` of a TestServer waits for has not come in time',
  EMFILE: 'the process may not open as many files as the command needs to start one thread (ulimit -n)',
} as const

/** A code of memslab's own. */
export type MemslabErrorCode = keyof typeof ERROR_CODES

/** An error with a cause outside this package. Branch on `code`, show `message`. */
export class MemslabError extends Error {
  /** One of ERROR_CODES, or the system's code for what it refused. */
  readonly code: string
  /** With code 'EUSAGE': one sentence for each thing that is wrong. Otherwise empty. */
  readonly problems: readonly string[]

  constructor(code: MemslabErrorCode, message: string, problems: readonly string[] = []) {
    super(message)
    this.name = 'MemslabError'
    this.code = code
    this.problems = problems
  }
}

/** Makes a MemslabError for a refusal of the system. @param code the system's code */
export function systemError(code: string, message: string): MemslabError {
  return new MemslabError(code as MemslabErrorCode, message)
}

/** A broken invariant: a bug in memslab, which no client can cause. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`broken invariant: ${message}`)
    this.name = 'InvariantError'
  }
}

/** Throws an error again if it is an InvariantError: for a `catch` that handles errors of other kinds. */
export function rethrowInvariant(error: unknown): void { if (error instanceof InvariantError) throw error }

/**
 * Throws an InvariantError unless a condition holds. It stays on in production, as stopping is better than serving from memory
 * that may be half written.
 */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
