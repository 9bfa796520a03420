// The places of HTTP: at one time all threads together answer only so many requests, and send only so many event streams.
import { assert } from '../errors.js'

/** What needs a place: a request while it is answered, and an event stream. */
export const enum Place { Request, Stream }

/** The number of places, by Place. */
const MOST = [8, 16] as const

export class Places {
  static readonly BYTES = MOST.length * Int32Array.BYTES_PER_ELEMENT

  /** Those that are taken, by all threads and by this one. */
  private readonly taken: Int32Array
  private readonly own = [0, 0]

  /** @param start the index of BYTES in `memory`, which are 0 at the start */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, start: number) {
    this.taken = new Int32Array(memory, start, MOST.length)
  }

  /** Takes a place. Returns false if there is none. */
  take(place: Place): boolean {
    if (Atomics.add(this.taken, place, 1) >= MOST[place]) {
      Atomics.sub(this.taken, place, 1)
      return false
    }
    this.own[place]!++
    return true
  }

  /** Gives back a place that this thread has taken. */
  giveBack(place: Place): void {
    assert(this.own[place]! > 0, 'a place is given back that was not taken')
    this.own[place]!--
    Atomics.sub(this.taken, place, 1)
  }
}
