// Which move of a page an arena has under way, or is asked for: words that all threads read. Any thread may ask; one, that
// of the background work, does the moving (mover.ts) and writes the rest.
import { BusyStatus, PageOwner, ShardWord, Size } from '../../memory/layout.js'

export class Moves {
  /** @param shardWords word index of the ShardWords in `words` */
  constructor(private readonly words: Int32Array, private readonly shardWords: number) {}

  /** The page that is leaving its class, 0 for none. */
  get page(): number { return this.words[this.shardWords + ShardWord.Moving]! }

  /** Who is to have it: a class, or a PageOwner. */
  get to(): number { return this.words[this.shardWords + ShardWord.MovingTo]! }

  begin(page: number, to: number): void {
    this.words[this.shardWords + ShardWord.MovingTo] = to
    this.words[this.shardWords + ShardWord.Moving] = page
  }

  end(): void { this.words[this.shardWords + ShardWord.Moving] = 0 }

  /** What last held up a move. */
  get busyStatus(): BusyStatus { return this.words[this.shardWords + ShardWord.BusyStatus]! }
  set busyStatus(status: BusyStatus) { this.words[this.shardWords + ShardWord.BusyStatus] = status }

  /** Asks for a move from a class to another, or to PageOwner.Pool; false if another one is asked for. */
  ask(from: number, to: number): boolean {
    const asked = from * Size.Classes + (to === PageOwner.Pool ? 0 : to)
    return Atomics.compareExchange(this.words, this.shardWords + ShardWord.MoveAsked, 0, asked) === 0
  }

  /** The move that is asked for. */
  get asked(): { from: number, to: number } | undefined {
    const asked = this.words[this.shardWords + ShardWord.MoveAsked]!
    if (asked === 0) return undefined
    const to = asked % Size.Classes
    return { from: Math.floor(asked / Size.Classes), to: to === 0 ? PageOwner.Pool : to }
  }

  /** What was asked for has begun, or cannot be done. */
  forget(): void { Atomics.store(this.words, this.shardWords + ShardWord.MoveAsked, 0) }

  get isUnderWay(): boolean { return this.page !== 0 || this.words[this.shardWords + ShardWord.MoveAsked] !== 0 }
}
