// The places that connections take, those of all threads: as many as -c allows, and what `stats conns` shows of each. They
// lie in memory that may be shared; zeroed, it is an empty table. A connection belongs to one thread, which alone takes,
// describes, notes and releases its place.
//
//   | control | place 0 | place 1 ...        place   next  id  state  second  described  lengths  address  listenAddress
//    16 words                                        a word each ...                              112 bytes each
//
// Free places are a list through `next`, whose links are a place's number + 1; those never used come behind it, lowest
// first, so that no more memory is touched than was ever needed at once. One lock guards the list and the texts, and
// whoever holds it takes no other. `state` and `second`, which change with every request, are stored without it.
import { assert } from '../errors.js'
import { Locks } from '../memory/lock.js'
import { STATE_NAMES, type ConnectionState } from '../protocol/work/state.js'
import { type ConnectionFacts } from '../stats/report.js'

/** More cannot be taken, whatever -c says: a process on Linux may open 2^20 files. */
const PLACES_MAX = 1 << 20
const PLACE_MASK = PLACES_MAX - 1
/** How many places are looked at in one part of `facts`, and how many are told of. */
const PLACES_PER_RUN = 2048
const FACTS_PER_PART = 32

/** Words at the start. `Used` is how many places were ever taken at once. */
const enum Word { Lock, FreeHead, Used, Taken, Waiting, Rows = 16 }

/** Words of a place, each place on cache lines of its own. */
const enum Row { Next, Id, State, Second, IsDescribed, AddressBytes, ListenBytes, Texts = 8, Stride = 64 }

/** The longest is a Unix socket's: 107 bytes behind 'unix:'. */
const TEXT_BYTES = 112
/** The `next` of a place that is not free. */
const TAKEN = -1

export class Slots {
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly locks: Locks
  private readonly count: number

  /** How much memory `count` places need. */
  static bytesFor(count: number): number { return (Word.Rows + Math.min(count, PLACES_MAX) * Row.Stride) * 4 }

  /** @param memory `bytesFor(count)` of it; @param count how many may be taken, see -c */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, count: number) {
    this.words = new Int32Array(memory)
    this.bytes = Buffer.from(memory)
    this.locks = new Locks(this.words, memory instanceof SharedArrayBuffer)
    this.count = Math.min(count, PLACES_MAX)
  }

  /** Takes a free place; -1 if there is none. */
  take(): number {
    this.locks.take(Word.Lock)
    try {
      const place = this.unlinkLocked()
      if (place === -1) return -1
      const row = rowOf(place)
      this.words[row + Row.Next] = TAKEN
      this.words[row + Row.IsDescribed] = 0
      this.words[Word.Taken]!++
      return place
    } finally {
      this.locks.release(Word.Lock)
    }
  }

  /** Gives back a place that was taken. */
  release(place: number): void {
    this.locks.take(Word.Lock)
    try {
      const row = rowOf(place)
      assert(this.words[row + Row.Next] === TAKEN, 'a place is given back once')
      this.words[row + Row.Next] = this.words[Word.FreeHead]!
      this.words[Word.FreeHead] = place + 1
      this.words[Word.Taken]!--
    } finally {
      this.locks.release(Word.Lock)
    }
  }

  private unlinkLocked(): number {
    const { words } = this
    const head = words[Word.FreeHead]!
    if (head !== 0) {
      words[Word.FreeHead] = words[rowOf(head - 1) + Row.Next]!
      return head - 1
    }
    const used = words[Word.Used]!
    if (used === this.count) return -1
    words[Word.Used] = used + 1
    return used
  }

  /** How many are taken. */
  get taken(): number { return Atomics.load(this.words, Word.Taken) }

  /** How many accepted sockets wait for a place, see -o no_maxconns_fast. */
  get waiting(): number { return Atomics.load(this.words, Word.Waiting) }

  addWaiting(change: number): void { Atomics.add(this.words, Word.Waiting, change) }

  /** Says who has a place; `note` has said what it does. From now on `facts` tells of it. */
  describe(place: number, id: number, address: string, listenAddress: string): void {
    const row = rowOf(place)
    this.locks.take(Word.Lock)
    try {
      this.words[row + Row.Id] = id
      this.words[row + Row.AddressBytes] = this.write(address, textAt(row))
      this.words[row + Row.ListenBytes] = this.write(listenAddress, textAt(row) + TEXT_BYTES)
      this.words[row + Row.IsDescribed] = 1
    } finally {
      this.locks.release(Word.Lock)
    }
  }

  /** What a connection does, and the second of its last request. */
  note(place: number, state: ConnectionState, second: number): void {
    const row = rowOf(place)
    this.words[row + Row.State] = state
    this.words[row + Row.Second] = second
  }

  /**
   * What `stats conns` shows, in order of id, in parts that take some 0.1 ms each; some are empty. Nobody who comes or goes
   * meanwhile waits for more than one of them; such a one may be among them or not.
   * @param now the second of the moment in which a part is asked for
   */
  *facts(now: () => number): Iterable<ConnectionFacts[]> {
    const used = Atomics.load(this.words, Word.Used)
    const runs: Float64Array[] = []
    for (let first = 0; first < used; first += PLACES_PER_RUN) {
      if (first > 0) yield []
      runs.push(this.sortedRun(first, Math.min(first + PLACES_PER_RUN, used)))
    }
    let part: ConnectionFacts[] = []
    for (const key of merged(runs)) {
      const facts = this.factsOf(rowOf(key & PLACE_MASK), now())
      // who has the place by now would be out of order
      if (facts?.id !== Math.floor(key / PLACES_MAX)) continue
      if (part.push(facts) < FACTS_PER_PART) continue
      yield part
      part = []
    }
    yield part
  }

  /** Of some places those with somebody to tell of, in order of id: each as `id * PLACES_MAX + place`. */
  private sortedRun(first: number, end: number): Float64Array {
    const { words } = this
    const run = new Float64Array(end - first)
    let count = 0
    for (let place = first; place < end; place++) {
      const row = rowOf(place)
      if (words[row + Row.Next] === TAKEN && words[row + Row.IsDescribed] !== 0) run[count++] = words[row + Row.Id]! * PLACES_MAX + place
    }
    return run.subarray(0, count).sort()
  }

  private factsOf(row: number, now: number): ConnectionFacts | undefined {
    const { words } = this
    this.locks.take(Word.Lock)
    try {
      if (words[row + Row.Next] !== TAKEN || words[row + Row.IsDescribed] === 0) return undefined
      return {
        id: words[row + Row.Id]!,
        address: this.text(textAt(row), words[row + Row.AddressBytes]!),
        listenAddress: this.text(textAt(row) + TEXT_BYTES, words[row + Row.ListenBytes]!),
        state: STATE_NAMES[words[row + Row.State]! as ConnectionState],
        // the clock of the thread that asks may be behind that of the one that serves
        idleSeconds: Math.max(0, now - words[row + Row.Second]!),
      }
    } finally {
      this.locks.release(Word.Lock)
    }
  }

  /** Writes a text, cut if need be; answers how long it is. */
  private write(text: string, at: number): number { return this.bytes.write(text, at, TEXT_BYTES, 'latin1') }

  private text(at: number, length: number): string { return this.bytes.toString('latin1', at, at + length) }
}

/** The first word of a place. */
function rowOf(place: number): number { return Word.Rows + place * Row.Stride }

/** The first byte of a place's texts. */
function textAt(row: number): number { return (row + Row.Texts) * 4 }

/** All numbers of some sorted runs, in order. There are few runs: 512 for as many places as there may be. */
function* merged(runs: readonly Float64Array[]): Iterable<number> {
  const at = new Int32Array(runs.length)
  for (;;) {
    let least = Infinity
    let from = 0
    for (const [index, run] of runs.entries()) {
      const next = run[at[index]!]
      if (next === undefined || next >= least) continue
      least = next
      from = index
    }
    if (least === Infinity) return
    at[from]!++
    yield least
  }
}
