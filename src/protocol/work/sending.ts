// A large value on its way to the client: it is not copied but lent to the output, in runs of bytes that lie together, as fast
// as the client takes them. The item is pinned until the last run is written, so that its memory stays what it is.
import { Ascii } from '../../memory/ascii.js'
import { type ItemId } from '../../store/items/items.js'
import { type Shard } from '../../store/shard.js'
import { type Loan, type Output } from '../output.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

const LINE_END = Uint8Array.of(Ascii.CarriageReturn, Ascii.LineEnd)

/** It is the loan of each of its runs. */
export class Sending implements Work, Loan {
  readonly wait = Wait.Output
  readonly state = ConnectionState.Mwrite
  next: Work | undefined = undefined
  isDone = false
  private sentBytes = 0
  /** How many runs are on their way, and one while runs are to come: with the last of them the pin ends. */
  private holders = 1

  /**
   * @param item pinned, which this ends
   * @param runBytesMax how many bytes the client's connection writes at once
   * @param hasLineEnd whether a line end follows the value
   */
  constructor(private readonly output: Output, private readonly shard: Shard, private readonly item: ItemId,
    private readonly runBytesMax: number, private readonly hasLineEnd: boolean) {}

  /** Lends what the client takes. */
  resume(at: number): number {
    while (!this.isDone && !this.output.isBlocked) this.lendRun()
    return at
  }

  private lendRun(): void {
    const { item, output, sentBytes, shard: { items } } = this
    const leftBytes = items.valueBytes(item) - sentBytes
    const runBytes = Math.min(items.valueRun(item, sentBytes), leftBytes, this.runBytesMax)
    output.ensureLent(runBytes)
    if (output.isBlocked) return
    this.sentBytes += runBytes
    this.holders++
    output.lend(Buffer.from(items.bytes.buffer, items.valueAt(item, sentBytes), runBytes), this)
    if (runBytes === leftBytes) this.finish()
  }

  private finish(): void {
    this.isDone = true
    this.end()
    if (this.hasLineEnd) this.output.text(LINE_END)
  }

  /** One run is written, or none is to come. */
  end(): void { if (--this.holders === 0) this.shard.unpin(this.item) }

  abandon(): void { this.end() }
}
