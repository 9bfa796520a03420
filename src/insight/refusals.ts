// Refusals: the writes that were refused last, each with its key, its size, its client and its time. A thread records the writes
// that it refuses in a ring of its own, without a lock, whether their clients want an answer or not. Any thread may read all
// rings.
//
//   tickets | ring | ring ...      ring     | count | (to the next cache line) | entry | entry ...     a power of two of them
//    16 words                      entry    ticket   second   reason   valueBytes   lengths   order   generation   key   address
//                                           a word each ...                                                        63    28
//
// A thread takes a ticket for each entry, so that entries of all threads have an order. It writes the entry first and then the
// new count of its ring, modulo 2^32. So all entries except the one at the count's own place are complete, and a reader that sees
// that the count has grown knows which entries may have been overwritten while it read.
import { Size } from '../memory/layout.js'
import { type StoreContext, type RefusalSink } from '../store/context.js'
import { type Refusal } from '../store/outcome.js'

/** A write that was refused. */
export interface Refused {
  readonly reason: Refusal
  /** The key, or the first 250 bytes of a longer one. */
  readonly key: Uint8Array
  /** The length of the value in bytes; 0 if it is not known. */
  readonly valueBytes: number
  /** The address of the client, as `stats conns` shows it; `program` for the program that has the server. */
  readonly client: string
  /** In store time. */
  readonly second: number
  /** See Departures; 0 if the key cannot have been in the store. */
  readonly order: number
  /** That of the store. */
  readonly generation: number
}

const enum EntryWord {
  Ticket, Second, Reason, ValueBytes, Lengths, Order, Generation, Key, Address = Key + 63, Stride = Address + 28,
}

/** The words before the rings, and those of a ring before its entries. */
const HEADER_WORDS = 16
/** The bytes for an address. The longest is that of a Unix socket: 107 bytes behind 'unix:'. */
const ADDRESS_BYTES = 112
const LENGTH_BITS = 8
const LENGTH_MASK = (1 << LENGTH_BITS) - 1
/** The entries in all rings together, if there are not very many threads. */
const ENTRIES = 256
/** The least entries of a ring. One of them may be half written at any time. */
const ENTRIES_MIN = 8

export class Refusals implements RefusalSink {
  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly capacity: number
  private readonly ringWords: number
  /** The word index of this thread's ring. */
  private readonly own: number

  /** A power of two, so that counts may come round. */
  private static capacityFor(threads: number): number {
    return 1 << (31 - Math.clz32(Math.max(ENTRIES_MIN, Math.floor(ENTRIES / threads))))
  }

  /** The bytes of memory that Refusals need, zeroed at the start. */
  static bytesFor(threads: number): number {
    return (HEADER_WORDS + threads * (HEADER_WORDS + Refusals.capacityFor(threads) * EntryWord.Stride)) * 4
  }

  /**
   * @param at byte index of `bytesFor(threads)` bytes, a multiple of 4
   * @param context that of this thread; @param thread the number of this thread, below `threads`
   */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, at: number, private readonly context: StoreContext,
    private readonly threads: number, thread: number) {
    this.capacity = Refusals.capacityFor(threads)
    this.ringWords = HEADER_WORDS + this.capacity * EntryWord.Stride
    this.words = new Int32Array(memory, at, Refusals.bytesFor(threads) >> 2)
    this.bytes = Buffer.from(memory, at, Refusals.bytesFor(threads))
    this.own = this.ringOf(thread)
  }

  refused(reason: Refusal, bytes: Uint8Array, start: number, end: number, valueBytes: number, order: number): void {
    const { words, own, capacity, context } = this
    const count = words[own]!
    const entry = own + HEADER_WORDS + (count & (capacity - 1)) * EntryWord.Stride
    const key = bytes.subarray(start, Math.min(end, start + Size.KeyMax))
    this.bytes.set(key, (entry + EntryWord.Key) << 2)
    const addressBytes = this.bytes.write(context.client.address, (entry + EntryWord.Address) << 2, ADDRESS_BYTES, 'latin1')
    words[entry + EntryWord.Ticket] = Atomics.add(words, 0, 1)
    words[entry + EntryWord.Second] = context.now
    words[entry + EntryWord.Reason] = reason
    words[entry + EntryWord.ValueBytes] = valueBytes
    words[entry + EntryWord.Order] = order
    words[entry + EntryWord.Generation] = context.generation
    words[entry + EntryWord.Lengths] = key.length | (addressBytes << LENGTH_BITS)
    Atomics.store(words, own, count + 1)
  }

  /** Forgets all entries. No thread may write meanwhile. */
  clear(): void { this.words.fill(0) }

  /** The entries that can be read now, the newest first. */
  get newest(): readonly Refused[] {
    const found: { ticket: number, refused: Refused }[] = []
    for (let thread = 0; thread < this.threads; thread++) found.push(...this.entriesOf(this.ringOf(thread)))
    return found.sort((a, b) => (b.ticket - a.ticket) | 0).map(({ refused }) => refused)
  }

  private ringOf(thread: number): number { return HEADER_WORDS + thread * this.ringWords }

  private entriesOf(ring: number): { ticket: number, refused: Refused }[] {
    const { words, capacity } = this
    const count = Atomics.load(words, ring)
    const found: { number: number, ticket: number, refused: Refused }[] = []
    for (let left = capacity - 1, number = (count - 1) | 0; left > 0; left--, number = (number - 1) | 0) {
      const entry = ring + HEADER_WORDS + (number & (capacity - 1)) * EntryWord.Stride
      // the ring is not full yet, and this is behind its oldest entry
      if (words[entry + EntryWord.Second] === 0) break
      found.push({ number, ticket: words[entry + EntryWord.Ticket]!, refused: this.entryAt(entry) })
    }
    const after = Atomics.load(words, ring)
    return found.filter(({ number }) => ((after - number) | 0) < capacity)
  }

  private entryAt(entry: number): Refused {
    const { words, bytes } = this
    const lengths = words[entry + EntryWord.Lengths]!
    const keyAt = (entry + EntryWord.Key) << 2
    const addressAt = (entry + EntryWord.Address) << 2
    return {
      reason: words[entry + EntryWord.Reason]!,
      key: Uint8Array.from(bytes.subarray(keyAt, keyAt + (lengths & LENGTH_MASK))),
      valueBytes: words[entry + EntryWord.ValueBytes]!,
      client: bytes.toString('latin1', addressAt, addressAt + (lengths >>> LENGTH_BITS)),
      second: words[entry + EntryWord.Second]!,
      order: words[entry + EntryWord.Order]!,
      generation: words[entry + EntryWord.Generation]!,
    }
  }
}
