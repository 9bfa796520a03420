// The memory that all threads of a cache share beside its store.

/** The state of a cache. */
export const enum State { Open, Closed, Died }

const enum Word { State, End = 16 }

export class CacheMemory {
  /** The bytes that a CacheMemory needs, all 0 at the start. */
  static readonly BYTES = Word.End * 4

  private readonly words: Int32Array

  /** @param memory of BYTES bytes, shared if there are several threads */
  constructor(readonly memory: ArrayBuffer | SharedArrayBuffer) { this.words = new Int32Array(memory) }

  /** The state of the cache in all threads. A plain load, as each operation asks. */
  get state(): State { return this.words[Word.State]! }

  /** A cache that has died stays so. */
  set state(state: State) {
    Atomics.compareExchange(this.words, Word.State, state === State.Died ? this.state : State.Open, state)
  }
}
