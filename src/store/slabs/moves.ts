// The move of a page that is under way in an arena, and the one that a client asks for: words that all threads read. Any thread
// may ask for a move. Only the thread of the background work moves pages (mover.ts) and writes the other words.
import { BusyStatus, PageOwner, ShardWord, Size } from '../../memory/layout.js'

export class Moves {
  /** @param shardWords word index of the ShardWords in `words` */
  constructor(private readonly words: Int32Array, private readonly shardWords: number) {}

  /** The page that is leaving its class, 0 for none. */
  get page(): number { return this.words[this.shardWords + ShardWord.Moving]! }

  /** The next owner of that page: a class, or a PageOwner. */
  get to(): number { return this.words[this.shardWords + ShardWord.MovingTo]! }

  begin(page: number, to: number): void {
    this.words[this.shardWords + ShardWord.MovingTo] = to
    this.words[this.shardWords + ShardWord.Moving] = page
  }

  end(): void { this.words[this.shardWords + ShardWord.Moving] = 0 }

  /** The reason that last held up a move. */
  get busyStatus(): BusyStatus { return this.words[this.shardWords + ShardWord.BusyStatus]! }
  set busyStatus(status: BusyStatus) { this.words[this.shardWords + ShardWord.BusyStatus] = status }

  /** Asks for a move from a class to another one or to PageOwner.Pool; false if another move is asked for already. */
  ask(from: number, to: number): boolean {
    const asked = from * Size.Classes + (to === PageOwner.Pool ? 0 : to)
    return Atomics.compareExchange(this.words, this.shardWords + ShardWord.MoveAsked, 0, asked) === 0
  }

  /** The move that is asked for; undefined if there is none. */
  get asked(): { from: number, to: number } | undefined {
    const asked = this.words[this.shardWords + ShardWord.MoveAsked]!
    if (asked === 0) return undefined
    const to = asked % Size.Classes
    return { from: Math.floor(asked / Size.Classes), to: to === 0 ? PageOwner.Pool : to }
  }

  /** Clears the move that was asked for, as it has begun or cannot be done. */
  forget(): void { Atomics.store(this.words, this.shardWords + ShardWord.MoveAsked, 0) }

  get isUnderWay(): boolean { return this.page !== 0 || this.words[this.shardWords + ShardWord.MoveAsked] !== 0 }
}
