// Clients: the connections that removed items lately, so that a record of a removal can name the one that asked for it. Each
// thread has a table of its own, in which it notes a client when that removes its first item. Any thread may read all tables.
//
//   table    | last | (to the next cache line) | row | row ...     a power of two of them, the same in each table
//   row      number   id   length   address, 112 bytes             28 words, and a spare one
//
// The number of a client is unique among the last 4 million that its thread noted, and chooses the row. When the row is another
// client's, the client is forgotten; if it removes an item again, it gets a new number. A thread sets the number of a row to 0
// before it writes the rest, so a reader that finds the same number before and after it has read has read what belongs together.
import { type Client } from './request.js'

/** The bits of a client's number. 0 stands for none. */
export const CLIENT_BITS = 22
const NUMBER_MASK = (1 << CLIENT_BITS) - 1
/** The words before the rows, which begin on a cache line of their own. */
const HEADER_WORDS = 16
/** The longest address is that of a Unix socket: 107 bytes behind 'unix:'. */
const ADDRESS_BYTES = 112

const enum RowWord { Number, Id, Length, Address, Stride = 32 }

/** A client as it was when it was noted. */
export interface KnownClient { readonly id: number, readonly address: string }

export class Clients {
  private readonly tableWords: number
  /** The word index of this thread's table. */
  private readonly own: number
  private readonly bytes: Buffer
  /** The client that was noted last, whose next datagram comes as another Client. */
  private last: KnownClient | undefined

  /** The bytes of memory that `threads` tables of so many rows need, zeroed at the start. */
  static bytesFor(rows: number, threads: number): number {
    return rows === 0 ? 0 : threads * (HEADER_WORDS + rows * RowWord.Stride) * 4
  }

  /**
   * @param at word index of `bytesFor(rows, threads)` bytes
   * @param rows a power of two, or 0: then clients are not noted
   * @param thread the number of this thread
   */
  constructor(private readonly words: Int32Array, private readonly at: number, private readonly rows: number, thread: number) {
    this.tableWords = HEADER_WORDS + rows * RowWord.Stride
    this.own = at + thread * this.tableWords
    this.bytes = Buffer.from(words.buffer, words.byteOffset, words.byteLength)
  }

  /** The number of a client of this thread, by which `at` finds it; 0 if there is no table. */
  numberOf(client: Client): number {
    const number = client.clientNumber
    return number !== 0 && this.words[this.rowOf(this.own, number)] === number ? number : this.note(client)
  }

  private rowOf(table: number, number: number): number {
    return table + HEADER_WORDS + (number & (this.rows - 1)) * RowWord.Stride
  }

  private note(client: Client): number {
    const { words, own, last } = this
    if (this.rows === 0) return 0
    const { id, address } = client
    const lastNumber = words[own]!
    if (last?.id === id && last.address === address && words[this.rowOf(own, lastNumber)] === lastNumber) {
      return client.clientNumber = lastNumber
    }
    this.last = { id, address }
    const number = lastNumber === NUMBER_MASK ? 1 : lastNumber + 1
    const row = this.rowOf(own, number)
    Atomics.store(words, row, 0)
    words[row + RowWord.Id] = id
    words[row + RowWord.Length] = this.bytes.write(address, (row + RowWord.Address) << 2, ADDRESS_BYTES, 'latin1')
    Atomics.store(words, row, number)
    words[own] = number
    return client.clientNumber = number
  }

  /** The client of a thread with this number; undefined if it is forgotten. */
  find(thread: number, number: number): KnownClient | undefined {
    const { words } = this
    if (this.rows === 0 || number === 0) return undefined
    const row = this.rowOf(this.at + thread * this.tableWords, number)
    if (Atomics.load(words, row) !== number) return undefined
    const start = (row + RowWord.Address) << 2
    const address = this.bytes.toString('latin1', start, start + words[row + RowWord.Length]!)
    const known = { id: words[row + RowWord.Id]!, address }
    return Atomics.load(words, row) === number ? known : undefined
  }
}
