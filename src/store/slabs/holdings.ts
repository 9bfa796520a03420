// What each thread holds of a shard while it holds no lock: the item that it last reserved and has not stored or freed yet, and
// the items whose values it has lent. If a thread ends, which may happen anywhere, another one frees them: see Store.takeBack.
//
//   a thread's words   0      1     2       3     4 - 31
//                      taken  head  pieces  pins  items that are lent
//
// `taken` is the chunk that was allocated last, and `head` the chunk of a large item, of whose pieces so many have been
// allocated. A word is written while the thread has the lock that its change belongs to: a chunk is noted, or forgotten, under
// the lock of the class that it is taken from, or given back to, and an item is forgotten under the stripe under which it is
// linked. So whenever the thread holds no lock, the words say exactly what would be lost. If it ends with a lock held, nothing
// of the store is used any more.
//
// A thread of a server may hold more than that, as it serves many clients. It never ends while the store is used.
import { type ItemId, NO_ITEM } from '../items/items.js'

const enum Word { Taken, Head, Pieces, Pins, FirstPin, Stride = 32 }

/** The most items that are noted as lent. */
const PINS_MAX = Word.Stride - Word.FirstPin

export class Holdings {
  static bytesFor(threads: number): number { return threads * Word.Stride * 4 }

  private readonly own: number

  /** @param at word index of `bytesFor(threads)`, zeroed at the start; @param thread the number of this thread */
  constructor(private readonly words: Int32Array, private readonly at: number, thread: number) {
    this.own = at + thread * Word.Stride
  }

  /** Notes the chunk that this thread takes. */
  takeClassLocked(chunk: ItemId): void { this.words[this.own + Word.Taken] = chunk }

  /** Notes that the chunk that was taken is a large item, whose pieces follow. */
  beginPieces(item: ItemId): void {
    this.words[this.own + Word.Pieces] = 0
    this.words[this.own + Word.Head] = item
  }

  /** Notes how many pieces of that item have been allocated. */
  countPieces(count: number): void { this.words[this.own + Word.Pieces] = count }

  /** Forgets a chunk that is linked, or given back under the lock of its class. */
  forgetLocked(chunk: ItemId): void {
    const { words, own } = this
    if (words[own + Word.Taken] === chunk) words[own + Word.Taken] = NO_ITEM
    else if (words[own + Word.Head] !== chunk) return
    if (words[own + Word.Head] !== chunk) return
    // the chunk that was taken last is a piece of this item
    words[own + Word.Taken] = words[own + Word.Head] = NO_ITEM
  }

  /** True if `pinStripeLocked` notes one more item. */
  get hasRoom(): boolean { return this.words[this.own + Word.Pins]! < PINS_MAX }

  pinStripeLocked(item: ItemId): void {
    if (this.hasRoom) this.words[this.own + Word.FirstPin + this.words[this.own + Word.Pins]!++] = item
  }

  unpinStripeLocked(item: ItemId): void {
    const { words, own } = this
    const first = own + Word.FirstPin
    const last = first + words[own + Word.Pins]! - 1
    for (let at = last; at >= first; at--) {
      if (words[at] !== item) continue
      words[at] = words[last]!
      words[own + Word.Pins]!--
      return
    }
  }

  // What a thread that has ended held

  takenBy(thread: number): ItemId { return this.words[this.at + thread * Word.Stride + Word.Taken]! as ItemId }
  headOf(thread: number): ItemId { return this.words[this.at + thread * Word.Stride + Word.Head]! as ItemId }
  piecesOf(thread: number): number { return this.words[this.at + thread * Word.Stride + Word.Pieces]! }

  pinsOf(thread: number): ItemId[] {
    const { words } = this
    const own = this.at + thread * Word.Stride
    const first = own + Word.FirstPin
    return Array.from(words.subarray(first, first + words[own + Word.Pins]!)) as ItemId[]
  }

  clear(thread: number): void {
    const first = this.at + thread * Word.Stride
    this.words.fill(0, first, first + Word.Stride)
  }
}
