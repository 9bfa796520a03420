// How the protocols answer a get with a value, which is copied into the output or lent to it. Each protocol brings the bytes of
// its answers, as RetrievalAnswers. The request is the thread's, see Input.
import { Use, type Sampler } from '../insight/sampler.js'
import { type Request } from '../store/request.js'
import { type Store } from '../store/store.js'
import { type ItemView, type Reader, type ValueLoan } from '../store/view.js'
import { type Host } from './host.js'
import { Copy, type Output } from './output.js'
import { type Session } from './session.js'

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
   * value of Copy.RoomBytes. The item is locked meanwhile.
   * @param form if Lent, the bytes may be written to the client at once and not be taken back any more
   * @returns false if it has rendered nothing, because of an error
   */
  head(view: ItemView, form: ValueForm): boolean
}

/** The most bytes of a reply beside its value, in any protocol. */
const BESIDE_VALUE_MAX = 1024

/** Answers gets. It copies a value of up to Copy.BytesMax into the output if that has room for it, and else lends it. */
export class Retrieval implements Reader {
  private readonly store: Store
  private readonly output: Output
  private readonly request: Request
  private readonly sampler: Sampler
  /** The bytes of the value that was found last, if the request is sampled. */
  private valueBytes = 0
  private loan: ValueLoan | undefined
  private came = Retrieved.Answered

  constructor({ store, output, input, insight }: Host, private readonly answers: RetrievalAnswers) {
    this.store = store
    this.output = output
    this.request = input.request
    this.sampler = insight.sampler
  }

  /** Answers the current request with the item of its key. The protocol answers a miss and the errors. */
  get(session: Session): Retrieved {
    const isHit = this.store.get(this.request, this)
    if (this.sampler.isOpen) this.sampler.note(this.request, Use.Read, isHit, isHit ? this.valueBytes : 0)
    if (!isHit) return Retrieved.Miss
    const { loan } = this
    if (loan === undefined) return this.came
    this.loan = undefined
    return session.send(loan, this.answers.hasLineEnd) ? Retrieved.Lent : Retrieved.Sending
  }

  /** @internal */
  read(view: ItemView): boolean {
    const { answers, output } = this
    if (this.sampler.isOpen) this.valueBytes = view.valueBytes
    const hasValue = answers.hasValue(view)
    if (hasValue && view.valueBytes > Copy.RoomBytes && !this.canCopy(view.valueBytes)) return this.lend(view)
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

  private canCopy(valueBytes: number): boolean {
    return valueBytes <= Copy.BytesMax && this.output.hasRoom(BESIDE_VALUE_MAX + valueBytes)
  }

  private lend(view: ItemView): boolean {
    this.came = Retrieved.Declined
    if (!this.answers.head(view, ValueForm.Lent)) return false
    this.loan = view.lend()
    return true
  }
}
