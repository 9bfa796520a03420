// The near end of one connection to a server, whatever it goes through: a
// socket (client.ts), or calls into a bare session (session.ts). An Expected
// is what an answer has to be: exact bytes, or a pattern where they vary.

import { differsAt, excerpt, toBuffer } from './bytes.js'
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
  /** Why `received` will not do. */
  complain(received: Buffer): Complaint
}

/** What is said about a wrong answer: a line, and what to look at. */
export interface Complaint {
  readonly message: string
  readonly expected: string
  readonly received: string
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

  complain(received: Buffer): Complaint {
    const at = Math.max(0, differsAt(this.bytes, received))
    return {
      message: `answer of ${received.length} bytes instead of ${this.bytes.length}, wrong from byte ${at} on`,
      expected: excerpt(this.bytes, at),
      received: excerpt(received, at),
    }
  }
}

/** Anything that these patterns, one after the other, match as a whole, read as Latin-1. */
export class Matching implements Expected {
  readonly bytesMin = 1
  readonly whole: RegExp

  /** @param sources regular expressions without anchors */
  constructor(private readonly sources: readonly string[]) {
    this.whole = new RegExp(`^${sources.join('')}$`)
  }

  judge(received: Buffer): Verdict {
    return this.whole.test(received.toString('latin1')) ? 'met' : 'incomplete'
  }

  complain(received: Buffer): Complaint {
    const text = received.toString('latin1')
    const start = (count: number): RegExpExecArray | null => new RegExp(`^${this.sources.slice(0, count).join('')}`).exec(text)
    let good = this.sources.length
    while (good > 0 && start(good) === null) good--
    const goodBytes = start(good)?.[0].length ?? 0
    return {
      message: `answer of ${received.length} bytes that does not match, from about byte ${goodBytes} on`,
      expected: `from there on: ${this.sources.slice(good, good + 3).join(' ') || 'nothing'}`,
      received: excerpt(received.subarray(Math.max(0, goodBytes - 100))),
    }
  }
}

/** What a server did that it should not have done; `details` say what was sent, expected and received. */
export class Mismatch extends Error {
  constructor(message: string, details: Readonly<Record<string, string>> = {}) {
    super(message)
    this.name = 'Mismatch'
    Object.assign(this, details)
  }
}
