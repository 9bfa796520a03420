// The two things that the protocols do alike with values: answer a get with one, which is copied or lent, and store one, which is
// there or comes in parts or is refused. A protocol brings what differs, the bytes of its answers, as RetrievalAnswers and
// StorageAnswers. The request at work is the thread's, see Input.
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

/** The part that the value has in the answer to a get. */
export const enum ValueForm { None, Copied, Lent }

/** What came of a get. */
export const enum Retrieved {
  Miss,
  Answered,
  /** As Answered, with a value that was lent. */
  Lent,
  /** The same, but the rest of the value has to wait until the client takes what was sent. */
  Sending,
  /** RetrievalAnswers.head has declined. */
  Declined,
  /** So many clients read the value already that one more cannot be counted. */
  TooManyReaders,
}

export interface RetrievalAnswers {
  /** Whether a line end follows the value. */
  readonly hasLineEnd: boolean
  /** True if the answer has the value. */
  hasValue(view: ItemView): boolean
  /**
   * Writes what comes before the value, or the whole answer if it has none, for which the protocol has made room, with that for
   * a value of Copy.BytesMax. The item is locked meanwhile.
   * @param form if the value is lent, what is written may go out at once, and can then no longer be taken back
   * @returns false if it has written nothing, as something is wrong
   */
  head(view: ItemView, form: ValueForm): boolean
}

/** Answers gets. A value of up to Copy.BytesMax is copied into the output, a larger one lent to it. */
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

  /** Answers the request with the item of its key; a miss is left to the protocol. */
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
    const { output } = this
    const start = output.at
    this.came = Retrieved.Declined
    if (!this.answers.head(view, ValueForm.Lent)) return false
    this.loan = view.lend()
    if (this.loan !== undefined) return true
    output.at = start
    this.came = Retrieved.TooManyReaders
    return false
  }
}

// Storage

export interface StorageAnswers {
  /** Answers when the value has been stored, or not, as its mode says. */
  stored(session: Session, outcome: Outcome): void
  /** Has the session throw the value away as it comes, with what follows it, and then answers. There is no room for it. */
  failed(session: Session, outcome: Failure): void
  /** Answers that something other than a line end followed the value. */
  badDataChunk(session: Session): void
  /** Keeps what the answer needs of the request while its value comes in parts; gives what then has it answered. */
  hold(session: Session): (answer: () => void) => void
}

/** Stores the values of requests. */
export class Storage {
  private readonly store: Store
  private readonly request: Request

  /** @param endBytes 2 if a line end follows a value, 0 if nothing does */
  constructor({ store, input }: Host, private readonly answers: StorageAnswers, private readonly endBytes: 0 | 2) {
    this.store = store
    this.request = input.request
  }

  /** Stores the value at `at` if all of it is there before `end`, or begins to. Returns where the session goes on. */
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

  /** True if the value ends at `stop` and what must follow it is there too. */
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
