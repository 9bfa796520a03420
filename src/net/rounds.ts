// Rounds: requests that come together are read, served and answered together. In each turn of the event loop Node reads the
// sockets that have something, one after the other. While there are several in each turn, what they bring is only kept at first;
// at the end of the turn all of it is served, and then all answers are written. So the processor goes through the same code many
// times before the next: the kernel's reads, the requests, the kernel's writes. Otherwise it goes through all three for each
// client, and no cache of instructions holds them all.
//
// The end of a turn costs as much as some of this saves. So a thread with few requests in a turn serves each at once. So do the
// threads of a server with several: each has fewer in a turn, and as their clients then come and wait together, threads sleep and
// wake more often. With two threads on two cores that took 5 % more processor time.
import { type Memory } from '../memory/bytes.js'
import { type Host } from '../protocol/host.js'
import { type AnswerKeeper, type Sink } from '../protocol/output.js'
import { setImmediate } from '../timers.js'

const enum Bound {
  /** The most reads of a round. */
  Reads = 64,
  /** The most bytes of a read that is kept. A larger one is served at once. */
  ReadBytes = 1024,
  /** The most bytes of an answer that is kept. A larger one is written at once. */
  AnswerBytes = 2048,
  /** The least reads in a turn that are worth a round. */
  Least = 8,
  /** The reads that are served at once after a turn of fewer, before a turn is tried again. */
  AtOnce = 64,
}

/** The bytes that the rounds of a thread need. */
export const ROUNDS_BYTES = Bound.Reads * (Bound.ReadBytes + Bound.AnswerBytes)

/** A client of a round: a connection. */
export interface RoundClient extends Sink {
  /** True while the round keeps what was read. */
  hasKeptRead: boolean
  /** Serves `count` bytes that lie in the input. */
  serveKept(count: number): void
  /** Writes an answer. It calls `takeBack` of the rounds with its slot when the memory may be used again. */
  writeKept(answer: Uint8Array, slot: number): void
}

/** The rounds of a thread. */
export class Rounds implements AnswerKeeper {
  private readonly readers: RoundClient[] = []
  private readonly counts = new Int32Array(Bound.Reads)
  private reads = 0
  /** The reads of this turn that were kept, also those of rounds that were served before its end. */
  private turnReads = 0
  /** The client that is being served; undefined between rounds. */
  private served: RoundClient | undefined
  private readonly answersStart: number
  private readonly writers: RoundClient[] = []
  private readonly answers = new Int32Array(Bound.Reads)
  private writes = 0
  /** The slots for answers that are free: the first `freeCount`. */
  private readonly free = Int32Array.from({ length: Bound.Reads }, (_, slot) => slot)
  private freeCount: number = Bound.Reads
  /** The last answer of each slot. Most have the same length. */
  private readonly views: (Uint8Array | undefined)[] = new Array<undefined>(Bound.Reads).fill(undefined)
  /** True if the end of this turn is waited for. */
  private isDue = false
  /** The reads that are still served at once. */
  private atOnce: number = Bound.AtOnce

  /** @param start the index of ROUNDS_BYTES in `memory`, in which the host's input and output lie, too */
  constructor(private readonly host: Host, private readonly memory: Memory, private readonly start: number) {
    this.answersStart = start + Bound.Reads * Bound.ReadBytes
  }

  /** Keeps the `count` bytes in the input that a client has sent. Returns false if they are to be served at once. */
  keepRead(client: RoundClient, count: number): boolean {
    if (count > Bound.ReadBytes) return false
    if (this.atOnce > 0) {
      this.atOnce--
      return false
    }
    const read = this.reads++
    this.turnReads++
    this.memory.move(this.host.input.batchStart, this.start + read * Bound.ReadBytes, count)
    client.hasKeptRead = true
    this.readers[read] = client
    this.counts[read] = count
    if (this.reads === Bound.Reads) this.serve()
    else if (!this.isDue) this.waitForEnd()
    return true
  }

  private waitForEnd(): void {
    this.isDue = true
    setImmediate(this.turnEnds)
  }

  private readonly turnEnds = (): void => {
    this.isDue = false
    if (this.turnReads < Bound.Least) this.atOnce = Bound.AtOnce
    this.turnReads = 0
    this.serve()
  }

  /** Serves what is kept, and then writes the answers. */
  serve(): void {
    const { reads, host: { output, store, signals } } = this
    this.reads = 0
    output.keeper = this
    try {
      store.refreshTime()
      for (let read = 0; read < reads; read++) this.serveOne(read)
    } catch (error) { signals.failed(error) }
    output.keeper = this.served = undefined
    this.write()
  }

  private serveOne(read: number): void {
    const client = this.served = this.readers[read]!
    const count = this.counts[read]!
    this.memory.move(this.start + read * Bound.ReadBytes, this.host.input.batchStart, count)
    client.hasKeptRead = false
    client.serveKept(count)
  }

  keepAnswer(sink: Sink, at: number, count: number): boolean {
    // a stream within this process may be served between two clients of the round, such as one that takes lines of the log
    if (sink !== this.served || count > Bound.AnswerBytes || this.freeCount === 0) return false
    const slot = this.free[--this.freeCount]!
    this.memory.move(at, this.answersStart + slot * Bound.AnswerBytes, count)
    if (this.views[slot]?.length !== count) this.views[slot] = this.viewOf(slot, count)
    this.writers[this.writes] = this.served
    this.answers[this.writes++] = slot
    return true
  }

  private viewOf(slot: number, count: number): Uint8Array {
    const at = this.answersStart + slot * Bound.AnswerBytes
    return this.memory.bytes.subarray(at, at + count)
  }

  /** Writes the answers that are kept. Called before anything else is written or closed, too, so that answers come in order. */
  write(): void {
    const { writers, answers, views, writes } = this
    this.writes = 0
    for (let write = 0; write < writes; write++) {
      const slot = answers[write]!
      writers[write]!.writeKept(views[slot]!, slot)
    }
  }

  /** Takes the memory of an answer back. */
  takeBack(slot: number): void { this.free[this.freeCount++] = slot }
}
