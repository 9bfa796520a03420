// The slots that connections take, those of all threads: as many as -c allows, and what `stats conns` shows of each. They
// lie in memory that may be shared; zeroed, it is an empty table. A connection belongs to one thread, which alone takes,
// describes, notes and releases its slot.
//
//   | control | slot 0 | slot 1 ...        slot   next  id  state  second  described  lengths  address  listenAddress
//    16 words                                        a word each ...                              112 bytes each
//
// Free slots are a list through `next`, whose links are a slot's number + 1; those never used come behind it, lowest
// first, so that no more memory is touched than was ever needed at once. One lock guards the list and the texts, and
// whoever holds it takes no other. `state` and `second`, which change with every request, are stored without it.
import { assert } from '../errors.js'
import { type Lives } from '../memory/lives.js'
import { Locks } from '../memory/lock.js'
import { STATE_NAMES, type ConnectionState } from '../protocol/work/state.js'
import { type ConnectionFacts } from '../stats/report.js'

/** The answer of `take` where all slots are taken. */
export const NO_SLOT = -1

/** More cannot be taken, whatever -c says: a process on Linux may open 2^20 files. */
const SLOTS_MAX = 1 << 20
const SLOT_MASK = SLOTS_MAX - 1
/** How many slots are looked at in one part of `facts`, and how many are told of. */
const SLOTS_PER_RUN = 2048
const FACTS_PER_PART = 32

/** Words at the start. `Used` is how many slots were ever taken at once. */
const enum Word { Lock, FreeHead, Used, Taken, Waiting, Rows = 16 }

/** Words of a slot, each slot on cache lines of its own. */
const enum Row { Next, Id, State, Second, IsDescribed, AddressBytes, ListenBytes, Texts = 8, Stride = 64 }

/** The longest is a Unix socket's: 107 bytes behind 'unix:'. */
const TEXT_BYTES = 112
/** The `next` of a slot that is not free. */
const TAKEN = -1

export class Slots {
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly locks: Locks
  private readonly count: number

  /** How much memory `count` slots need. */
  static bytesFor(count: number): number { return (Word.Rows + Math.min(count, SLOTS_MAX) * Row.Stride) * 4 }

  /**
   * @param memory `bytesFor(count)` of it
   * @param count how many may be taken, see -c
   * @param lives of the threads that share it; none: this is the only one
   */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, count: number, lives?: Lives) {
    this.words = new Int32Array(memory)
    this.bytes = Buffer.from(memory)
    this.locks = new Locks(this.words, memory instanceof SharedArrayBuffer, lives)
    this.count = Math.min(count, SLOTS_MAX)
  }

  /** Takes a free slot; NO_SLOT if there is none. */
  take(): number {
    this.locks.take(Word.Lock)
    const slot = this.unlinkLocked()
    if (slot !== NO_SLOT) {
      const row = rowOf(slot)
      this.words[row + Row.Next] = TAKEN
      this.words[row + Row.IsDescribed] = 0
      this.words[Word.Taken]!++
    }
    this.locks.release(Word.Lock)
    return slot
  }

  /** Gives back a slot that was taken. */
  release(slot: number): void {
    const row = rowOf(slot)
    // without the lock: while a slot is taken, its connection's thread alone changes this word
    assert(this.words[row + Row.Next] === TAKEN, 'a slot is given back once')
    this.locks.take(Word.Lock)
    this.words[row + Row.Next] = this.words[Word.FreeHead]!
    this.words[Word.FreeHead] = slot + 1
    this.words[Word.Taken]!--
    this.locks.release(Word.Lock)
  }

  /** Takes a slot out of the free ones; NO_SLOT if there is none. */
  private unlinkLocked(): number {
    const { words } = this
    const head = words[Word.FreeHead]!
    if (head !== 0) {
      words[Word.FreeHead] = words[rowOf(head - 1) + Row.Next]!
      return head - 1
    }
    const used = words[Word.Used]!
    if (used === this.count) return NO_SLOT
    words[Word.Used] = used + 1
    return used
  }

  /** How many are taken. */
  get taken(): number { return Atomics.load(this.words, Word.Taken) }

  /** How many accepted sockets wait for a slot, see -o no_maxconns_fast. */
  get waiting(): number { return Atomics.load(this.words, Word.Waiting) }

  addWaiting(change: number): void { Atomics.add(this.words, Word.Waiting, change) }

  /** Says who has a slot; `note` has said what it does. From now on `facts` tells of it. */
  describe(slot: number, id: number, address: string, listenAddress: string): void {
    const row = rowOf(slot)
    this.locks.take(Word.Lock)
    this.words[row + Row.Id] = id
    this.words[row + Row.AddressBytes] = this.write(address, textAt(row))
    this.words[row + Row.ListenBytes] = this.write(listenAddress, textAt(row) + TEXT_BYTES)
    this.words[row + Row.IsDescribed] = 1
    this.locks.release(Word.Lock)
  }

  /** What a connection does, and the second of its last request. */
  note(slot: number, state: ConnectionState, second: number): void {
    const row = rowOf(slot)
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
    for (let first = 0; first < used; first += SLOTS_PER_RUN) {
      if (first > 0) yield []
      runs.push(this.sortedRun(first, Math.min(first + SLOTS_PER_RUN, used)))
    }
    let part: ConnectionFacts[] = []
    for (const key of merged(runs)) {
      const facts = this.factsOf(rowOf(key & SLOT_MASK), now())
      // who has the slot by now would be out of order
      if (facts?.id !== Math.floor(key / SLOTS_MAX)) continue
      if (part.push(facts) < FACTS_PER_PART) continue
      yield part
      part = []
    }
    yield part
  }

  /** Of some slots those with somebody to tell of, in order of id: each as `id * SLOTS_MAX + slot`. */
  private sortedRun(first: number, end: number): Float64Array {
    const { words } = this
    const run = new Float64Array(end - first)
    let count = 0
    for (let slot = first; slot < end; slot++) {
      const row = rowOf(slot)
      if (words[row + Row.Next] === TAKEN && words[row + Row.IsDescribed] !== 0) run[count++] = words[row + Row.Id]! * SLOTS_MAX + slot
    }
    return run.subarray(0, count).sort()
  }

  private factsOf(row: number, now: number): ConnectionFacts | undefined {
    this.locks.take(Word.Lock)
    const facts = this.factsLocked(row, now)
    this.locks.release(Word.Lock)
    return facts
  }

  private factsLocked(row: number, now: number): ConnectionFacts | undefined {
    const { words } = this
    if (words[row + Row.Next] !== TAKEN || words[row + Row.IsDescribed] === 0) return undefined
    return {
      id: words[row + Row.Id]!,
      address: this.text(textAt(row), words[row + Row.AddressBytes]!),
      listenAddress: this.text(textAt(row) + TEXT_BYTES, words[row + Row.ListenBytes]!),
      state: STATE_NAMES[words[row + Row.State]! as ConnectionState],
      // the clock of the thread that asks may be behind that of the one that serves
      idleSeconds: Math.max(0, now - words[row + Row.Second]!),
    }
  }

  /** Writes a text, cut if need be; answers how long it is. */
  private write(text: string, at: number): number { return this.bytes.write(text, at, TEXT_BYTES, 'latin1') }

  private text(at: number, length: number): string { return this.bytes.toString('latin1', at, at + length) }
}

/** The first word of a slot. */
function rowOf(slot: number): number { return Word.Rows + slot * Row.Stride }

/** The first byte of a slot's texts. */
function textAt(row: number): number { return (row + Row.Texts) * 4 }

/** All numbers of some sorted runs, in order. There are few runs: 512 for as many slots as there may be. */
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
