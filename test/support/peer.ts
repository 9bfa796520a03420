// The near end of one connection to a server, whatever it goes through: a
// socket (client.ts), or calls into a bare session (session.ts). An Expected
// is what an answer has to be: exact bytes, or a pattern where they vary.

import { differsAt, escape, excerpt, toBuffer } from './bytes.js'
import type { Bytes } from './bytes.js'

export interface Peer {
  send(bytes: Uint8Array): Promise<void>
  /** Takes what was answered, once it is decided whether it is what was expected or no more comes. */
  answer(expected: Expected): Promise<Buffer>
  /** What has been answered and not been taken yet. */
  waiting(): Buffer
  /** True once the server has closed this connection; waits for it if it can still come. */
  closed(): Promise<boolean>
  /** Leaves answers lying, as a client that does not read, until `resume`. */
  pause(): void
  resume(): void
  /** Ends the connection from this side. Resolves with what had not been taken. */
  hangUp(): Promise<Buffer>
}

/** 'incomplete' while more bytes could still make it right. */
export type Verdict = 'met' | 'incomplete' | 'wrong'

export interface Expected {
  /** No shorter answer can do. */
  readonly bytesMin: number
  judge(received: Buffer): Verdict
  /** Why `received` will not do, for a failure's text. */
  complain(received: Buffer): string
}

/** Exactly these bytes. */
export class ExactBytes implements Expected {
  private readonly bytes: Buffer

  constructor(bytes: Bytes) {
    this.bytes = toBuffer(bytes)
  }

  get bytesMin(): number {
    return this.bytes.length
  }

  judge(received: Buffer): Verdict {
    if (received.length >= this.bytes.length) return received.equals(this.bytes) ? 'met' : 'wrong'
    return received.equals(this.bytes.subarray(0, received.length)) ? 'incomplete' : 'wrong'
  }

  complain(received: Buffer): string {
    const at = Math.max(0, differsAt(this.bytes, received))
    return [
      `expected ${this.bytes.length} bytes:`, `    ${excerpt(this.bytes, at)}`,
      `received ${received.length} bytes:`, `    ${excerpt(received, at)}`,
      `they differ from byte ${at} on`,
    ].join('\n')
  }
}

/** Anything that the pattern matches as a whole, read as Latin-1. */
export class Matching implements Expected {
  readonly bytesMin = 1

  constructor(private readonly pattern: RegExp) {}

  judge(received: Buffer): Verdict {
    return this.pattern.test(received.toString('latin1')) ? 'met' : 'incomplete'
  }

  complain(received: Buffer): string {
    const lines = escape(this.pattern.source).replaceAll('\\\\n', '\\n\n    ').trimEnd()
    return [
      'expected what this matches:', `    ${lines}`,
      `received ${received.length} bytes:`, `    ${excerpt(received)}`,
    ].join('\n')
  }
}

/** What a server did that it should not have done. The message is for people. */
export class Mismatch extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'Mismatch'
  }
}
