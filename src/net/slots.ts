// The slots of the connections of all threads: as many as -c allows, with the facts that `stats conns` shows. They lie in memory
// that may be shared; zeroed memory is an empty table. A connection belongs to one thread at a time, and only this thread takes,
// describes, notes and releases its slot.
//
//   | control | slot 0 | slot 1 ...        slot   next  id  state  second  described  lengths  address  listenAddress
//    16 words                                        a word each ...                              112 bytes each
//
// Free slots are a list through `next`, whose links are a slot's number + 1. When the list is empty, the lowest slot that was
// never used is taken, so that no more memory is touched than was ever needed at once. One lock guards the list and the texts,
// and a thread that holds it takes no other lock. `state` and `second`, which change with every request, are stored without it.
import { assert } from '../errors.js'
import { type Lives } from '../memory/lives.js'
import { Locks } from '../memory/lock.js'
import { STATE_NAMES, type ConnectionState } from '../protocol/work/state.js'
import { type ConnectionFacts } from '../stats/report.js'

/** The result of `take` if all slots are taken. */
export const NO_SLOT = -1

/** The most slots, whatever -c says: a process on Linux may open 2^20 files. */
const SLOTS_MAX = 1 << 20
const SLOT_MASK = SLOTS_MAX - 1
/** The number of slots that are sorted in one step of `facts`. */
const SLOTS_PER_RUN = 2048
/** The most connections in one part of `facts`. */
const FACTS_PER_PART = 32

/** The words at the start. `Used` is the most slots that were ever taken at once. */
const enum Word { Lock, FreeHead, Used, Taken, Waiting, Rows = 16 }

/** The words of a slot. Each slot has cache lines of its own. */
const enum Row { Next, Id, State, Second, IsDescribed, AddressBytes, ListenBytes, Texts = 8, Stride = 64 }

/** The bytes for an address. The longest is that of a Unix socket: 107 bytes behind 'unix:'. */
const TEXT_BYTES = 112
/** The `next` of a slot that is not free. */
const TAKEN = -1

export class Slots {
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly locks: Locks
  private readonly count: number

  /** The bytes of memory that `count` slots need. */
  static bytesFor(count: number): number { return (Word.Rows + Math.min(count, SLOTS_MAX) * Row.Stride) * 4 }

  /**
   * @param memory of `bytesFor(count)` bytes
   * @param count the number of slots, see -c
   * @param lives the record of the threads that share the memory; without it, this is the only one
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

  /** Releases a slot that was taken. */
  release(slot: number): void {
    const row = rowOf(slot)
    // without the lock: while a slot is taken, only its connection's thread changes this word
    assert(this.words[row + Row.Next] === TAKEN, 'a slot is released twice')
    this.locks.take(Word.Lock)
    this.words[row + Row.Next] = this.words[Word.FreeHead]!
    this.words[Word.FreeHead] = slot + 1
    this.words[Word.Taken]!--
    this.locks.release(Word.Lock)
  }

  /** Removes a slot from the free ones, and returns it; NO_SLOT if there is none. */
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

  /** The number of slots that are taken. */
  get taken(): number { return Atomics.load(this.words, Word.Taken) }

  /** The number of accepted sockets that wait for a slot, see -o no_maxconns_fast. */
  get waiting(): number { return Atomics.load(this.words, Word.Waiting) }

  addWaiting(change: number): void { Atomics.add(this.words, Word.Waiting, change) }

  /** Stores the descriptor and the addresses of a connection, after `note`. From now on `facts` includes the connection. */
  describe(slot: number, id: number, address: string, listenAddress: string): void {
    const row = rowOf(slot)
    this.locks.take(Word.Lock)
    this.words[row + Row.Id] = id
    this.words[row + Row.AddressBytes] = this.write(address, textAt(row))
    this.words[row + Row.ListenBytes] = this.write(listenAddress, textAt(row) + TEXT_BYTES)
    this.words[row + Row.IsDescribed] = 1
    this.locks.release(Word.Lock)
  }

  /** Stores the state of a connection, and the second of its last request. */
  note(slot: number, state: ConnectionState, second: number): void {
    const row = rowOf(slot)
    this.words[row + Row.State] = state
    this.words[row + Row.Second] = second
  }

  /**
   * The facts for `stats conns`, in order of id, in parts that take some 0.1 ms each; some parts are empty. Other threads may
   * open and close connections between two parts. Such a connection may be included or not.
   * @param now returns the present second
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
      // another connection may have the slot by now, which would be out of order
      if (facts?.id !== Math.floor(key / SLOTS_MAX)) continue
      if (part.push(facts) < FACTS_PER_PART) continue
      yield part
      part = []
    }
    yield part
  }

  /** The slots in `[first, end)` whose connections are described, in order of id, each as `id * SLOTS_MAX + slot`. */
  private sortedRun(first: number, end: number): Float64Array {
    const { words } = this
    const run = new Float64Array(end - first)
    let count = 0
    for (let slot = first; slot < end; slot++) {
      const row = rowOf(slot)
      if (words[row + Row.Next] !== TAKEN || words[row + Row.IsDescribed] === 0) continue
      run[count++] = words[row + Row.Id]! * SLOTS_MAX + slot
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
      // the time of this thread may be behind that of the thread that serves the connection
      idleSeconds: Math.max(0, now - words[row + Row.Second]!),
    }
  }

  /** Writes a text, cut to TEXT_BYTES. Returns the number of bytes written. */
  private write(text: string, at: number): number { return this.bytes.write(text, at, TEXT_BYTES, 'latin1') }

  private text(at: number, length: number): string { return this.bytes.toString('latin1', at, at + length) }
}

/** The index of the first word of a slot. */
function rowOf(slot: number): number { return Word.Rows + slot * Row.Stride }

/** The index of the first byte of a slot's texts. */
function textAt(row: number): number { return (row + Row.Texts) * 4 }

/** The numbers of several sorted runs, in order. There are at most 512 runs. */
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
