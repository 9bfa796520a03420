// What the operations of simulated threads answered, in memory that they share: a row for each thread, its length first.

import { THREADS_MAX } from './turns.js'
import { digest } from './operations.js'

const ROW_BYTES = 16 * 1024

export class Answers {
  private readonly bytes: Buffer

  constructor(memory: SharedArrayBuffer) { this.bytes = Buffer.from(memory) }

  static allocate(): SharedArrayBuffer { return new SharedArrayBuffer(ROW_BYTES * THREADS_MAX) }

  write(thread: number, answer: string): void {
    const short = answer.startsWith('thrown') ? answer : digest(answer)
    const length = this.bytes.write(short, thread * ROW_BYTES + 4, ROW_BYTES - 4, 'latin1')
    this.bytes.writeUInt32LE(length, thread * ROW_BYTES)
  }

  read(thread: number): string {
    const at = thread * ROW_BYTES
    return this.bytes.toString('latin1', at + 4, at + 4 + this.bytes.readUInt32LE(at))
  }
}
