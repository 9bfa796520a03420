// A value or a line that was refused. The session discards its bytes as they come, and then answers.
import { Ascii } from '../../memory/ascii.js'
import { type Input } from '../input.js'
import { type Output } from '../output.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

export class Swallow implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Swallow
  readonly next = undefined
  isDone = false

  /** @param reply the reply; undefined if the client wants none */
  constructor(private readonly output: Output, private leftBytes: number, private readonly reply: Uint8Array | undefined) {}

  resume(at: number, end: number): number {
    const count = Math.min(end - at, this.leftBytes)
    this.leftBytes -= count
    if (this.leftBytes === 0) this.finish()
    return at + count
  }

  private finish(): void {
    this.isDone = true
    if (this.reply !== undefined) this.output.text(this.reply)
  }

  drop(): void {}
}

/** A line that is too long, of which the session discards the rest. */
export class SwallowLine implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Swallow
  readonly next = undefined
  isDone = false

  constructor(private readonly host: { readonly input: Input, readonly output: Output }, private readonly reply: Uint8Array) {}

  resume(at: number, end: number): number {
    const { input, output } = this.host
    const lineEnd = input.bytes.indexOf(Ascii.LineEnd, at)
    // a line end stands behind the input, too
    if (lineEnd >= end) return end
    this.isDone = true
    output.text(this.reply)
    return lineEnd + 1
  }

  drop(): void {}
}
