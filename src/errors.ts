// The errors this package throws on purpose. A leaf: anyone may import it.
//
// What a client may cause is never an error but an Outcome, returned. What the
// world does (bad options, a port in use) is a MemslabError with a `code` to
// branch on. What only a bug can cause is an InvariantError, thrown by assert.

/** An error with a cause outside this program; branch on `code`, show `message`. */
export class MemslabError extends Error {
  /**
   * @param code 'EUSAGE' for bad options, otherwise the system's name for what
   *   happened: 'EADDRINUSE', 'EACCES', 'EADDRNOTAVAIL', 'ENOTFOUND' ...
   * @param problems for EUSAGE: everything that is wrong, one sentence each
   */
  constructor(readonly code: string, message: string, readonly problems: readonly string[] = []) {
    super(message)
    this.name = 'MemslabError'
  }
}

/** A broken invariant: a bug in memslab, never a client's doing. */
export class InvariantError extends Error {
  constructor(message: string) {
    super(`broken invariant: ${message}`)
    this.name = 'InvariantError'
  }
}

/** Stays on in production: stopping is better than serving from half-written memory. */
export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new InvariantError(message)
}
