// Items by named fields: only this file reads and writes ItemWord. An item is a number, the index of its first word in its arena.
// No method checks whether an item is alive. Unless a method says otherwise, the caller holds the lock of the item's stripe.
import { type Arena } from '../../memory/arena.js'
import { type Memory } from '../../memory/bytes.js'
import { ItemWord, PieceWord, Prev, Size, State } from '../../memory/layout.js'
import { assert } from '../../errors.js'
import { Counter, type Counters } from '../../stats/counters.js'

/** The index of an item's first word. NO_ITEM (0) stands for no item. */
export type ItemId = number & { readonly kind: 'item' }
export const NO_ITEM = 0 as ItemId

/** The most bytes in a large item's chunk beside its header and ids: flags, the longest key, and padding to the next word. */
const BESIDE_IDS = 4 + Size.KeyMax + 2

/** The four lists of a class, as memcached numbers them. */
export const enum Segment { Hot, Warm, Cold, Temp }

export class Items {
  private readonly words: Int32Array
  private readonly lastWord: number
  readonly bytes: Uint8Array
  readonly memory: Memory

  /** The number of ids that fit a piece. */
  private readonly idsPerPiece: number
  /** The number of ids that fit the chunk of a large item itself, whatever its key. */
  private readonly ownIds: number

  /**
   * @param pieceBytes the value bytes in each piece of a large item except the last
   * @param overhead the bytes that memcached counts for an item beside its key, flags and value
   */
  constructor(arena: Pick<Arena, 'words' | 'memory'>, readonly pieceBytes: number, private readonly overhead: number,
    private readonly counters: Counters) {
    this.words = arena.words
    this.lastWord = arena.words.length - 1
    this.idsPerPiece = pieceBytes >> 2
    this.ownIds = (pieceBytes - BESIDE_IDS) >> 2
    this.memory = arena.memory
    this.bytes = arena.memory.bytes
  }

  next(item: ItemId): ItemId { return this.words[item + ItemWord.Next]! as ItemId }
  setNext(item: ItemId, next: ItemId): void { this.words[item + ItemWord.Next] = next }
  prev(item: ItemId): ItemId { return (this.words[item + ItemWord.Prev]! & Prev.Mask) as ItemId }
  setPrev(item: ItemId, prev: ItemId): void {
    const word = item + ItemWord.Prev
    this.words[word] = (this.words[word]! & Prev.WasWarm) | prev
  }

  /** True if an item came to COLD from WARM. */
  wasWarm(item: ItemId): boolean { return this.words[item + ItemWord.Prev]! < 0 }
  /** Sets this, and no item as the one before. */
  setFirst(item: ItemId, wasWarm: boolean): void { this.words[item + ItemWord.Prev] = wasWarm ? Prev.WasWarm : NO_ITEM }
  chain(item: ItemId): ItemId { return this.words[item + ItemWord.Chain]! as ItemId }
  setChain(item: ItemId, chain: ItemId): void { this.words[item + ItemWord.Chain] = chain }

  usedAt(item: ItemId): number { return this.words[item + ItemWord.UsedAt]! }
  /** The seconds since an item was last used. 0 if the thread that used it has a later time than this one. */
  age(item: ItemId, now: number): number { return Math.max(0, now - this.usedAt(item)) }
  setUsedAt(item: ItemId, second: number): void { this.words[item + ItemWord.UsedAt] = second }
  expiresAt(item: ItemId): number { return this.words[item + ItemWord.ExpiresAt]! }
  setExpiresAt(item: ItemId, second: number): void { this.words[item + ItemWord.ExpiresAt] = second }
  valueBytes(item: ItemId): number { return this.words[item + ItemWord.ValueBytes]! }
  setValueBytes(item: ItemId, count: number): void { this.words[item + ItemWord.ValueBytes] = count }

  casLow(item: ItemId): number { return this.words[item + ItemWord.CasLow]! >>> 0 }
  casHigh(item: ItemId): number { return this.words[item + ItemWord.CasHigh]! >>> 0 }
  setCas(item: ItemId, high: number, low: number): void {
    this.words[item + ItemWord.CasLow] = low
    this.words[item + ItemWord.CasHigh] = high
  }

  state(item: ItemId): number { return this.words[item + ItemWord.State]! }
  has(item: ItemId, bits: number): boolean { return (this.words[item + ItemWord.State]! & bits) !== 0 }

  // An atomic operation takes ten times as long as a plain read, so a state that has the right bits already is not written.

  mark(item: ItemId, bits: number): void {
    if ((this.words[item + ItemWord.State]! & bits) !== bits) Atomics.or(this.words, item + ItemWord.State, bits)
  }

  unmark(item: ItemId, bits: number): void {
    if ((this.words[item + ItemWord.State]! & bits) !== 0) Atomics.and(this.words, item + ItemWord.State, ~bits)
  }

  refs(item: ItemId): number { return this.words[item + ItemWord.State]! & State.Refs }
  addRef(item: ItemId): void {
    const before = Atomics.add(this.words, item + ItemWord.State, 1)
    assert((before & State.Refs) !== State.Refs, 'an item has more references than can be counted')
    this.counters.add(Counter.RefsHeld)
  }

  dropRef(item: ItemId): void {
    const before = Atomics.sub(this.words, item + ItemWord.State, 1)
    assert((before & State.Refs) !== 0, 'a reference is dropped that no thread holds')
    this.counters.add(Counter.RefsHeld, -1)
  }

  /** Drops a reference of a thread that has ended, whose count is set right as a whole. Returns the references that are left. */
  forgetRef(item: ItemId): number { return (Atomics.sub(this.words, item + ItemWord.State, 1) & State.Refs) - 1 }

  segment(item: ItemId): Segment {
    return (this.words[item + ItemWord.State]! >>> State.SegmentShift) & State.SegmentMask
  }

  setSegment(item: ItemId, segment: Segment): void {
    const difference = this.segment(item) ^ segment
    if (difference !== 0) Atomics.xor(this.words, item + ItemWord.State, difference << State.SegmentShift)
  }

  /** The generation of an item as its page numbers it: see generations.ts. */
  generation(item: ItemId): number {
    return (this.words[item + ItemWord.State]! >>> State.GenerationShift) & State.GenerationMask
  }

  /** The same, by an atomic load: its value is not older than what this thread has read before. */
  loadGeneration(item: ItemId): number {
    return (Atomics.load(this.words, item + ItemWord.State) >>> State.GenerationShift) & State.GenerationMask
  }

  /** Needs the lock of the chunk's class: the generation of a linked item changes only under that lock. */
  setGeneration(item: ItemId, generation: number): void {
    const difference = this.generation(item) ^ generation
    if (difference !== 0) Atomics.xor(this.words, item + ItemWord.State, difference << State.GenerationShift)
  }

  /** Makes a reserved item, which no other thread has seen yet, a linked one. @param generation see generations.ts */
  link(item: ItemId, generation: number): void {
    const state = this.words[item + ItemWord.State]! & ~(State.GenerationMask << State.GenerationShift)
    assert((state & (State.Refs | State.Linked)) === 1, 'an item is linked that is not reserved')
    this.words[item + ItemWord.State] = (state - 1) | State.Linked | (generation << State.GenerationShift)
    this.counters.add(Counter.RefsHeld, -1)
  }

  keyBytes(item: ItemId): number {
    return (this.words[item + ItemWord.State]! >>> State.KeyShift) & State.KeyMask
  }

  keyStart(item: ItemId): number {
    const flagWords = (this.words[item + ItemWord.State]! & State.HasFlags) === 0 ? 0 : 1
    return (item + ItemWord.Header + flagWords) << 2
  }

  flags(item: ItemId): number {
    return this.has(item, State.HasFlags) ? this.words[item + ItemWord.Header]! >>> 0 : 0
  }

  /** The byte index of the value of an item that is not large. */
  valueStart(item: ItemId): number {
    return this.keyStart(item) + this.keyBytes(item)
  }

  hasKey(item: ItemId, bytes: Uint8Array, keyStart: number, keyBytes: number): boolean {
    return this.keyBytes(item) === keyBytes && this.memory.equals(this.keyStart(item), bytes, keyStart, keyBytes)
  }

  keyBeginsWith(item: ItemId, prefix: Uint8Array): boolean {
    return this.keyBytes(item) >= prefix.length && this.memory.equals(this.keyStart(item), prefix, 0, prefix.length)
  }

  /**
   * Prefetches the first three cache lines of a chunk, in which an item of 100 bytes lies as a whole; see Store.prefetch. The
   * smallest chunk has only two, and the third may be behind the end of memory.
   */
  prefetch(item: ItemId): number {
    const { words } = this
    return words[item]! ^ words[item + 16]! ^ words[Math.min(item + 32, this.lastWord)]!
  }

  /** Makes a chunk a reserved item: writes everything but its value. */
  reserve(item: ItemId, key: Uint8Array, keyStart: number, keyBytes: number, flags: number,
    expiresAt: number, valueBytes: number, isLarge: boolean): void {
    const words = this.words
    let state = 1 | (keyBytes << State.KeyShift)
    if (isLarge) state |= State.Large
    if (flags !== 0) {
      state |= State.HasFlags
      words[item + ItemWord.Header] = flags
    }
    words[item + ItemWord.Next] = NO_ITEM
    words[item + ItemWord.Prev] = NO_ITEM
    words[item + ItemWord.Chain] = NO_ITEM
    words[item + ItemWord.ExpiresAt] = expiresAt
    words[item + ItemWord.ValueBytes] = valueBytes
    words[item + ItemWord.State] = state
    this.counters.add(Counter.RefsHeld)
    this.memory.copyFrom(key, keyStart, this.keyStart(item), keyBytes)
  }

  /** Sets the flags and the expiration time of a stored item. Its header must have room for flags that are not 0. */
  rewrite(item: ItemId, flags: number, expiresAt: number): void {
    if (flags !== 0) this.words[item + ItemWord.Header] = flags
    this.words[item + ItemWord.ExpiresAt] = expiresAt
  }

  /** Makes a chunk a piece of a large item. */
  reservePiece(piece: ItemId, owner: ItemId): void {
    this.words[piece + PieceWord.Owner] = owner
    // atomically, so that a thread which sees that the chunk is a piece also sees its owner
    Atomics.store(this.words, piece + ItemWord.State, State.Piece)
  }

  /** A piece of a large item: the pieces of its value come first, then those with ids, see layout.ts. */
  piece(item: ItemId, index: number): ItemId { return this.words[this.idWord(item, index)]! as ItemId }
  /** Sets a piece. A piece with ids has to be set before the pieces whose ids it has. */
  setPiece(item: ItemId, index: number, piece: ItemId): void { this.words[this.idWord(item, index)] = piece }

  /** The index of the word with the id of a piece. */
  private idWord(item: ItemId, index: number): number {
    let start = 0
    let count = this.valuePieces(item)
    while (count > this.ownIds && index >= start + count) {
      start += count
      count = Math.ceil(count / this.idsPerPiece)
    }
    const at = index - start
    if (count <= this.ownIds) return this.ownIdsWord(item) + at
    const holder = this.piece(item, start + count + Math.floor(at / this.idsPerPiece))
    return holder + ItemWord.Header + at % this.idsPerPiece
  }

  private ownIdsWord(item: ItemId): number { return (this.valueStart(item) + 3) >> 2 }

  pieceOwner(piece: ItemId): ItemId { return this.words[piece + PieceWord.Owner]! as ItemId }
  /** True if a chunk is a piece. Loads atomically, so that `pieceOwner` is set even if the chunk became a piece just now. */
  isPiece(chunk: ItemId): boolean {
    const state = Atomics.load(this.words, chunk + ItemWord.State)
    return (state & State.Large) !== 0 && ((state >>> State.KeyShift) & State.KeyMask) === 0
  }

  /** The number of pieces that the value of a large item takes. */
  valuePieces(item: ItemId): number {
    const value = this.valueBytes(item)
    return Math.ceil((value + spareBytes(value)) / this.pieceBytes)
  }

  /** The number of all pieces of a large item: those of its value, and those with ids. */
  pieceCount(item: ItemId): number {
    let sum = 0
    let count = this.valuePieces(item)
    for (; count > this.ownIds; count = Math.ceil(count / this.idsPerPiece)) sum += count
    return sum + count
  }

  /** The number of ids in the chunk of a large item itself, if its value takes `valuePieces`. */
  ownIdCount(valuePieces: number): number {
    let count = valuePieces
    while (count > this.ownIds) count = Math.ceil(count / this.idsPerPiece)
    return count
  }

  /** The byte index of byte `offset` of the value. */
  valueAt(item: ItemId, offset: number): number {
    if (!this.has(item, State.Large)) return this.valueStart(item) + offset
    const index = Math.floor(offset / this.pieceBytes)
    return ((this.piece(item, index) + ItemWord.Header) << 2) + (offset - index * this.pieceBytes)
  }

  /** The number of contiguous bytes from `offset` on, of the value and the spare bytes behind it. */
  valueRun(item: ItemId, offset: number): number {
    const end = this.valueBytes(item) + spareBytes(this.valueBytes(item))
    if (!this.has(item, State.Large)) return end - offset
    return Math.min(end - offset, this.pieceBytes - (offset % this.pieceBytes))
  }

  /** Copies `count` value bytes, from `offset` on, to `to`. */
  readValue(item: ItemId, offset: number, to: Memory, toAt: number, count: number): void {
    if (!this.has(item, State.Large)) return to.copyFrom(this.bytes, this.valueStart(item) + offset, toAt, count)
    while (count > 0) {
      const run = Math.min(count, this.valueRun(item, offset))
      to.copyFrom(this.bytes, this.valueAt(item, offset), toAt, run)
      offset += run
      toAt += run
      count -= run
    }
  }

  /** Copies `count` bytes into the value and its spare bytes, from `offset` on. */
  writeValue(item: ItemId, offset: number, from: Uint8Array, fromAt: number, count: number): void {
    while (count > 0) {
      const run = Math.min(count, this.valueRun(item, offset))
      this.memory.copyFrom(from, fromAt, this.valueAt(item, offset), run)
      offset += run
      fromAt += run
      count -= run
    }
  }

  /** Copies the first `count` value bytes of an item into the value of another. */
  copyValue(source: ItemId, target: ItemId, targetOffset: number, count: number): void {
    let offset = 0
    while (offset < count) {
      const run = Math.min(count - offset, this.valueRun(source, offset))
      this.writeValue(target, targetOffset + offset, this.bytes, this.valueAt(source, offset), run)
      offset += run
    }
  }

  /** The bytes that an item uses of its own chunk, without its pieces. */
  ownBytes(item: ItemId): number {
    if (this.has(item, State.Large)) return (this.ownIdsWord(item) + this.ownIdCount(this.valuePieces(item)) - item) << 2
    const value = this.valueBytes(item)
    return this.valueStart(item) - (item << 2) + value + spareBytes(value)
  }

  /** Copies the first `byteCount` bytes of an item or a piece to another chunk, except its state and its neighbours in a list. */
  copyTo(item: ItemId, chunk: ItemId, byteCount: number): void {
    const { words } = this
    for (let word = ItemWord.Chain; word < ItemWord.State; word++) words[chunk + word] = words[item + word]!
    const from = ItemWord.CasLow
    this.memory.move((item + from) << 2, (chunk + from) << 2, byteCount - from * 4)
  }

  /**
   * Gives the copy of an item, to which there are no references, the item's state with another generation: see generations.ts.
   * Needs the locks of its stripe and of the class of its lists.
   */
  takeState(copy: ItemId, item: ItemId, generation: number): void {
    const state = this.state(item) & ~(State.GenerationMask << State.GenerationShift)
    Atomics.store(this.words, copy + ItemWord.State, state | (generation << State.GenerationShift))
  }

  /** The size of an item as memcached counts it, which lists and classes sum up. */
  bytesOf(item: ItemId): number {
    return this.overhead + (this.has(item, State.HasFlags) ? 4 : 0) + this.keyBytes(item) + this.valueBytes(item)
  }
}

/** The bytes for a line end behind a value that may be read straight from the socket. */
export function spareBytes(valueBytes: number): number {
  return valueBytes >= Size.DirectMin ? 2 : 0
}
