// How the protocols store the value of a request, which is there or comes in parts, or for which there is no room. Each protocol
// brings the bytes of its answers, as StorageAnswers. The request is the thread's, see Input.
import { Use, type Sampler } from '../insight/sampler.js'
import { Ascii } from '../memory/ascii.js'
import { Outcome, type Failure } from '../store/outcome.js'
import { type Request } from '../store/request.js'
import { type Store } from '../store/store.js'
import { type Host } from './host.js'
import { type Session } from './session.js'
import { type Receiver } from './work/value.js'

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
  private readonly sampler: Sampler

  /** @param endBytes 2 if a line end follows each value, otherwise 0 */
  constructor({ store, input, insight }: Host, private readonly answers: StorageAnswers, private readonly endBytes: 0 | 2) {
    this.store = store
    this.request = input.request
    this.sampler = insight.sampler
  }

  /** Stores the value at `at` if all of it has come, or else begins to receive it. Returns where the session goes on. */
  take(session: Session, at: number, end: number): number {
    const { answers, endBytes, request } = this
    const { valueBytes } = request
    if (this.sampler.isOpen) this.sampler.note(request, Use.Store, false, valueBytes)
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
    const { bytes } = request
    const whenWhole = answers.hold(session)
    return (filling, hasLineEnd) => whenWhole(() => {
      if (hasLineEnd) answers.stored(session, filling.commit(request))
      else {
        filling.reject(request)
        answers.badDataChunk(session)
      }
      // the filling has put a copy of the key there
      request.bytes = bytes
    })
  }
}
