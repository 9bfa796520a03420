// A large value that is being sent. It is not copied but lent to the output, in contiguous runs of bytes, as fast as the client
// takes them. The loan ends when the last run has been written, and the memory does not change until then.
import { Ascii } from '../../memory/ascii.js'
import { type ValueLoan } from '../../store/view.js'
import { type Output } from '../output.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

const LINE_END = Uint8Array.of(Ascii.CarriageReturn, Ascii.LineEnd)

export class Sending implements Work {
  readonly wait = Wait.Output
  readonly state = ConnectionState.Mwrite
  next: Work | undefined = undefined
  isDone = false
  private sentBytes = 0

  /**
   * @param loan the value, whose loan this ends
   * @param runBytesMax the most bytes that the peer writes at once
   * @param hasLineEnd true if a line end follows the value
   */
  constructor(private readonly output: Output, private readonly loan: ValueLoan, private readonly runBytesMax: number,
    private readonly hasLineEnd: boolean) {}

  /** Lends runs until the client does not take them at once, or the value ends. */
  resume(at: number): number {
    while (!this.isDone && !this.output.isBlocked) this.lendRun()
    return at
  }

  private lendRun(): void {
    const { loan, output, sentBytes } = this
    const run = loan.bytesAt(sentBytes, this.runBytesMax)
    output.ensureLent(run.length)
    if (output.isBlocked) return
    this.sentBytes += run.length
    loan.share()
    output.lend(run, loan)
    if (this.sentBytes === loan.valueBytes) this.finish()
  }

  private finish(): void {
    this.isDone = true
    this.loan.end()
    if (this.hasLineEnd) this.output.text(LINE_END)
  }

  drop(): void { this.loan.end() }
}
