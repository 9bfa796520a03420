// The two operations on values that all protocols share. Retrieval answers a get with a value, which it copies or lends. Storage
// stores a value, which is complete, or comes in parts, or is refused. Each protocol renders its own replies, as RetrievalAnswers
// and StorageAnswers. The current request is that of the thread, see Input.
import { Ascii } from '../memory/ascii.js'
import { Outcome, type Failure } from '../store/outcome.js'
import { type Request } from '../store/request.js'
import { type Store } from '../store/store.js'
import { type ItemView, type Reader, type ValueLoan } from '../store/view.js'
import { type Host } from './host.js'
import { Copy, type Output } from './output.js'
import { type Session } from './session.js'
import { type Receiver } from './work/value.js'

// Retrieval

/** The form of the value in the reply to a get: not in it, copied or lent. */
export const enum ValueForm { None, Copied, Lent }

/** The result of a get. */
export const enum Retrieved {
  Miss,
  Answered,
  /** As Answered, with a value that was lent. */
  Lent,
  /** As Lent, but the rest of the value has to wait until the client has taken the part that was sent. */
  Sending,
  /** RetrievalAnswers.head has declined. */
  Declined,
}

export interface RetrievalAnswers {
  /** True if a line end follows the value. */
  readonly hasLineEnd: boolean
  /** True if the reply has the value. */
  hasValue(view: ItemView): boolean
  /**
   * Renders the bytes before the value, or the whole reply if it has no value. The protocol has made room for them, and for a
   * value of Copy.BytesMax. The item is locked meanwhile.
   * @param form if Lent, the bytes may be written to the client at once and not be taken back any more
   * @returns false if it has rendered nothing, because of an error
   */
  head(view: ItemView, form: ValueForm): boolean
}

/** Answers gets. It copies a value of up to Copy.BytesMax into the output, and lends a larger one to it. */
export class Retrieval implements Reader {
  private readonly store: Store
  private readonly output: Output
  private readonly request: Request
  private loan: ValueLoan | undefined
  private came = Retrieved.Answered

  constructor({ store, output, input }: Host, private readonly answers: RetrievalAnswers) {
    this.store = store
    this.output = output
    this.request = input.request
  }

  /** Answers the current request with the item of its key. The protocol answers a miss and the errors. */
  get(session: Session): Retrieved {
    if (!this.store.get(this.request, this)) return Retrieved.Miss
    const { loan } = this
    if (loan === undefined) return this.came
    this.loan = undefined
    return session.send(loan, this.answers.hasLineEnd) ? Retrieved.Lent : Retrieved.Sending
  }

  /** @internal */
  read(view: ItemView): boolean {
    const { answers, output } = this
    const hasValue = answers.hasValue(view)
    if (hasValue && view.valueBytes > Copy.BytesMax) return this.lend(view)
    if (!answers.head(view, hasValue ? ValueForm.Copied : ValueForm.None)) {
      this.came = Retrieved.Declined
      return false
    }
    this.came = Retrieved.Answered
    if (!hasValue) return true
    output.at = view.copyValue(output.memory, output.at)
    if (answers.hasLineEnd) output.lineEnd()
    return true
  }

  private lend(view: ItemView): boolean {
    this.came = Retrieved.Declined
    if (!this.answers.head(view, ValueForm.Lent)) return false
    this.loan = view.lend()
    return true
  }
}

// Storage

export interface StorageAnswers {
  /** Answers a request whose value the store has taken, with the outcome of its mode. */
  stored(session: Session, outcome: Outcome): void
  /** Has the session discard the value, for which there is no room, and its line end, and then answers. */
  failed(session: Session, outcome: Failure): void
  /** Answers that no line end followed the value. */
  badDataChunk(session: Session): void
  /**
   * Keeps the fields of the request that the reply needs, as its value comes in parts. Returns a function that restores them and
   * then calls `answer`.
   */
  hold(session: Session): (answer: () => void) => void
}

/** Stores the values of requests. */
export class Storage {
  private readonly store: Store
  private readonly request: Request

  /** @param endBytes 2 if a line end follows each value, otherwise 0 */
  constructor({ store, input }: Host, private readonly answers: StorageAnswers, private readonly endBytes: 0 | 2) {
    this.store = store
    this.request = input.request
  }

  /** Stores the value at `at` if all of it has come, or else begins to receive it. Returns where the session goes on. */
  take(session: Session, at: number, end: number): number {
    const { answers, endBytes, request } = this
    const { valueBytes } = request
    session.expectValue(valueBytes)
    if (!this.isWhole(at + valueBytes, end)) return this.begin(session, at)
    const outcome = this.store.set(request, at)
    if (outcome === Outcome.TooLarge || outcome === Outcome.NoMemory) {
      answers.failed(session, outcome)
      return at
    }
    answers.stored(session, outcome)
    return at + valueBytes + endBytes
  }

  /** True if a value that ends at `stop` has come completely, with its line end if it has one. */
  private isWhole(stop: number, end: number): boolean {
    if (this.endBytes === 0) return stop <= end
    const { bytes } = this.request
    return stop + 2 <= end && bytes[stop] === Ascii.CarriageReturn && bytes[stop + 1] === Ascii.LineEnd
  }

  private begin(session: Session, at: number): number {
    const filling = this.store.begin(this.request)
    if (typeof filling === 'number') this.answers.failed(session, filling)
    else session.beginValue(filling, this.receiverFor(session), this.endBytes)
    return at
  }

  private receiverFor(session: Session): Receiver {
    const { answers, request } = this
    const whenWhole = answers.hold(session)
    return (filling, hasLineEnd) => whenWhole(() => {
      if (hasLineEnd) return answers.stored(session, filling.commit(request))
      filling.reject()
      answers.badDataChunk(session)
    })
  }
}
