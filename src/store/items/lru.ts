// The lists of each class: HOT, WARM, COLD and TEMP, with the newest item at the head. A hit only sets bits in its item
// (`touchBits`). Items are moved by these bits when memory is needed, which is here, or in the background (maintainer.ts):
//
//   A new item starts in HOT (or in TEMP, if it is short-lived and TEMP is switched on).
//   When HOT is over its share, its tail goes to WARM if it was hit twice, else to COLD.
//   When WARM is over its share, its tail goes to its head again if it was hit since it came to WARM, else to COLD.
//   The tail of COLD is evicted, unless it was hit twice since it came to COLD: then it goes to WARM. (If all items are hit all
//   the time, one of them is evicted nevertheless.)
//   An item of TEMP stays there until it expires.
//
// With only one list, that list is COLD. When the mode changes to it, the items of HOT and WARM go to COLD, tails first. When it
// changes back, no item has to move.
//
// The rules and the default shares are memcached's. Unless a method says otherwise, it needs the lock of the class.
import { type Arena } from '../../memory/arena.js'
import { ClassWord, ListWord, State } from '../../memory/layout.js'
import { ClassCounter, type Counters } from '../../stats/counters.js'
import { NO_ITEM, Segment, type ItemId, type Items } from './items.js'
import { type Slabs } from '../slabs/slabs.js'
import { type LruTuning } from './tuning.js'

/** The least seconds between two moves of an item to the head of the flat list. */
const FLAT_UPDATE_SECONDS = 60

export class Lru {
  private readonly words: Int32Array

  constructor(arena: Arena, private readonly items: Items, private readonly slabs: Slabs,
    readonly settings: LruTuning, private readonly counters: Counters) {
    this.words = arena.words
  }

  private word(slabClass: number, segment: Segment, word: ListWord): number {
    return this.slabs.word(slabClass, ClassWord.Lists) + segment * ListWord.Stride + word
  }

  get(slabClass: number, segment: Segment, word: ListWord): number {
    return this.words[this.word(slabClass, segment, word)]!
  }

  tail(slabClass: number, segment: Segment): ItemId {
    return this.words[this.word(slabClass, segment, ListWord.Tail)]! as ItemId
  }

  bytesOf(slabClass: number): number {
    let sum = 0
    for (let segment = Segment.Hot; segment <= Segment.Temp; segment++) sum += this.get(slabClass, segment, ListWord.Bytes)
    return sum
  }

  link(slabClass: number, item: ItemId, segment: Segment): void {
    const { items, words } = this
    const head = this.word(slabClass, segment, ListWord.Head)
    const first = words[head]! as ItemId
    items.setSegment(item, segment)
    items.setPrev(item, NO_ITEM)
    items.setNext(item, first)
    if (first !== NO_ITEM) items.setPrev(first, item)
    else words[head + ListWord.Tail] = item
    words[head] = item
    words[head + ListWord.Count]!++
    words[head + ListWord.Bytes]! += items.bytesOf(item)
  }

  unlink(slabClass: number, item: ItemId): void {
    const { items, words } = this
    const head = this.word(slabClass, items.segment(item), ListWord.Head)
    const next = items.next(item)
    const prev = items.prev(item)
    if (next !== NO_ITEM) items.setPrev(next, prev)
    else words[head + ListWord.Tail] = prev
    if (prev !== NO_ITEM) items.setNext(prev, next)
    else words[head] = next
    words[head + ListWord.Count]!--
    words[head + ListWord.Bytes]! -= items.bytesOf(item)
  }

  /** Adds the change of an item's size to the bytes of its list. */
  resize(slabClass: number, segment: Segment, change: number): void {
    this.words[this.word(slabClass, segment, ListWord.Bytes)]! += change
  }

  move(slabClass: number, item: ItemId, segment: Segment): void {
    this.unlink(slabClass, item)
    this.link(slabClass, item, segment)
  }

  /** Puts a copy of an item, which has the same state, in the item's place. */
  replace(slabClass: number, item: ItemId, copy: ItemId): void {
    const { items, words } = this
    const head = this.word(slabClass, items.segment(item), ListWord.Head)
    const next = items.next(item)
    const prev = items.prev(item)
    items.setNext(copy, next)
    items.setPrev(copy, prev)
    if (next !== NO_ITEM) items.setPrev(next, copy)
    else words[head + ListWord.Tail] = copy
    if (prev !== NO_ITEM) items.setNext(prev, copy)
    else words[head] = copy
  }

  /** The list in which a new item starts. */
  segmentFor(item: ItemId, now: number): Segment {
    if (this.isShortLived(this.items.expiresAt(item), now)) return Segment.Temp
    return this.settings.lruSegmented ? Segment.Hot : Segment.Cold
  }

  /** True if an item that expires at `expiresAt` belongs in TEMP. */
  isShortLived(expiresAt: number, now: number): boolean {
    const { settings } = this
    return settings.tempLru && expiresAt !== 0 && expiresAt - now <= settings.temporaryTtl
  }

  /**
   * Records a hit: the first marks the item as fetched, the second as active. Needs the item's stripe, not the class. Returns
   * true if the item should be moved to the head of the flat list.
   */
  touchBits(item: ItemId, now: number): boolean {
    const items = this.items
    const state = items.state(item)
    if (!this.settings.lruSegmented) {
      if ((state & State.Fetched) === 0) items.mark(item, State.Fetched)
      return this.refreshFlat(item, now)
    }
    if ((state & State.Fetched) === 0) items.mark(item, State.Fetched)
    else if ((state & State.Active) === 0) {
      items.mark(item, State.Active)
      items.setUsedAt(item, now)
    }
    return false
  }

  /**
   * Records a use by incr or decr, or by an add that finds the key: the item is active, though not fetched. Needs the item's
   * stripe, not the class. Returns as `touchBits`.
   */
  promote(item: ItemId, now: number): boolean {
    if (!this.settings.lruSegmented) return this.refreshFlat(item, now)
    if (this.items.segment(item) === Segment.Cold) this.items.mark(item, State.Active)
    this.items.setUsedAt(item, now)
    return false
  }

  private refreshFlat(item: ItemId, now: number): boolean {
    if (this.items.usedAt(item) >= now - FLAT_UPDATE_SECONDS) return false
    this.items.setUsedAt(item, now)
    return this.items.segment(item) !== Segment.Temp
  }

  /** Brings HOT and WARM back to their shares, with at most `stepsMax` moves of one item. Returns the number of moves. */
  balance(slabClass: number, now: number, stepsMax: number): number {
    const { settings } = this
    if (!settings.lruSegmented) return this.flatten(slabClass, stepsMax)
    const bytes = this.bytesOf(slabClass)
    const cold = this.tail(slabClass, Segment.Cold)
    const coldAge = cold === NO_ITEM ? 0 : this.items.age(cold, now)
    let steps = 0
    while (steps < stepsMax &&
      this.pullTail(slabClass, Segment.Hot, (bytes * settings.hotLruPct) / 100, coldAge * settings.hotMaxFactor, now)) steps++
    while (steps < stepsMax &&
      this.pullTail(slabClass, Segment.Warm, (bytes * settings.warmLruPct) / 100, coldAge * settings.warmMaxFactor, now)) steps++
    return steps
  }

  /** Moves the items of HOT and WARM to COLD, at most `stepsMax` of them. Returns their number. */
  flatten(slabClass: number, stepsMax: number): number {
    let steps = 0
    for (; steps < stepsMax; steps++) {
      const hot = this.tail(slabClass, Segment.Hot)
      const item = hot !== NO_ITEM ? hot : this.tail(slabClass, Segment.Warm)
      if (item === NO_ITEM) break
      this.items.unmark(item, State.Active)
      this.moveToCold(slabClass, item)
    }
    return steps
  }

  /** Moves the tail of HOT or WARM to the list where it belongs; false if it may stay. */
  private pullTail(slabClass: number, from: Segment, bytesMax: number, ageMax: number, now: number): boolean {
    const { items } = this
    const item = this.tail(slabClass, from)
    if (item === NO_ITEM) return false
    const isOver = this.get(slabClass, from, ListWord.Bytes) > bytesMax
    const isOld = ageMax > 0 && items.age(item, now) > ageMax
    if (!isOver && !isOld) return false
    if (items.has(item, State.Active)) this.moveToWarm(slabClass, item)
    else this.moveToCold(slabClass, item)
    return true
  }

  /** Moves an active item to the head of WARM, and clears its bit, so that it has to be hit again for the next such move. */
  moveToWarm(slabClass: number, item: ItemId): void {
    const isWarm = this.items.segment(item) === Segment.Warm
    this.items.unmark(item, State.Active)
    this.counters.addClass(slabClass, isWarm ? ClassCounter.MovesWithinLru : ClassCounter.MovesToWarm)
    this.move(slabClass, item, Segment.Warm)
  }

  /** Moves an item of HOT or WARM to COLD. */
  moveToCold(slabClass: number, item: ItemId): void {
    this.counters.addClass(slabClass, ClassCounter.MovesToCold)
    this.move(slabClass, item, Segment.Cold)
  }

  /** The item of a class to evict if COLD is empty: the tail of HOT, then of WARM, then of TEMP. */
  lastResort(slabClass: number): ItemId {
    const hot = this.tail(slabClass, Segment.Hot)
    if (hot !== NO_ITEM) return hot
    const warm = this.tail(slabClass, Segment.Warm)
    return warm !== NO_ITEM ? warm : this.tail(slabClass, Segment.Temp)
  }
}
