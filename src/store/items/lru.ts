// The lists of each class: HOT, WARM, COLD and TEMP, with the newest item at the head. A hit only sets bits in its item
// (`touchBits`). Items are moved by these bits when memory is needed, which is here, or in the background (maintainer.ts).
//
// A class with memory to spare keeps memcached's rules, which are the maintainer's. A class that evicts has rules of its own,
// with which fewer gets miss. HOT is a trial there: an item that no client asks for again leaves early, and what has proved
// useful stays.
//
//   A new item starts in HOT (or in TEMP, if it is short-lived and TEMP is switched on). If its key left a ghost, that is, if the
//   key was evicted lately (ghosts.ts), it starts in WARM.
//   If HOT is over its share, its tail is evicted, unless it was hit twice: then it goes to COLD.
//   Otherwise, the tail of COLD is evicted, unless it was hit since it came to COLD: then it goes to WARM.
//   If HOT and WARM together are over their share, the tail of WARM goes to its head again if it was hit since it came to WARM,
//   and else to COLD.
//   An item of TEMP stays there until it expires.
//   A dead item at the tail of TEMP or COLD goes before all others.
//
// If all items are hit all the time, one of them is evicted nevertheless.
//
// The shares begin with those of `lru tune`, and then the class learns better ones: see shares.ts. The trial in HOT and the
// ghosts are those of S3-FIFO.
//
// With only one list, that list is COLD. When the mode changes to it, the items of HOT and WARM go to COLD, tails first. When it
// changes back, no item has to move.
//
// Unless a method says otherwise, it needs the lock of the class.
import { type Arena } from '../../memory/arena.js'
import { ClassWord, ListWord, State } from '../../memory/layout.js'
import { ClassCounter, type Counters } from '../../stats/counters.js'
import { Ghost } from './ghosts.js'
import { NO_ITEM, Segment, type ItemId, type Items } from './items.js'
import { type ClassWords } from '../slabs/slabs.js'
import { type Shares } from './shares.js'
import { type LruTuning } from './tuning.js'

/** The least seconds between two moves of an item to the head of the flat list. */
const FLAT_UPDATE_SECONDS = 60
/** A class that has evicted keeps memcached's rules again once it has so few used chunks for each chunk that is left. */
const USED_PER_FREE = 8

export class Lru {
  private readonly words: Int32Array

  constructor(arena: Pick<Arena, 'words'>, private readonly items: Items, private readonly slabs: ClassWords,
    readonly settings: LruTuning, private readonly shares: Shares, private readonly counters: Counters) {
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
    return this.sum(slabClass, ListWord.Bytes)
  }

  /** The sum of a word of all lists of a class. */
  private sum(slabClass: number, word: ListWord): number {
    const { words } = this
    const hot = this.word(slabClass, Segment.Hot, word)
    return words[hot]! + words[hot + ListWord.Stride]! + words[hot + 2 * ListWord.Stride]! + words[hot + 3 * ListWord.Stride]!
  }

  link(slabClass: number, item: ItemId, segment: Segment, wasWarm = false): void {
    const { items, words } = this
    const head = this.word(slabClass, segment, ListWord.Head)
    const first = words[head]! as ItemId
    items.setSegment(item, segment)
    items.setFirst(item, wasWarm)
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
    const wasWarm = segment === Segment.Cold && this.items.segment(item) === Segment.Warm
    this.unlink(slabClass, item)
    this.link(slabClass, item, segment, wasWarm)
  }

  /** Puts a copy of an item, which has the same state, in the item's place. */
  replace(slabClass: number, item: ItemId, copy: ItemId): void {
    const { items, words } = this
    const head = this.word(slabClass, items.segment(item), ListWord.Head)
    const next = items.next(item)
    const prev = items.prev(item)
    items.setFirst(copy, items.wasWarm(item))
    items.setNext(copy, next)
    items.setPrev(copy, prev)
    if (next !== NO_ITEM) items.setPrev(next, copy)
    else words[head + ListWord.Tail] = copy
    if (prev !== NO_ITEM) items.setNext(prev, copy)
    else words[head] = copy
  }

  /** The list in which an item of a key starts that was not there. */
  segmentFor(slabClass: number, hash: number, item: ItemId, now: number): Segment {
    const { settings } = this
    if (this.isShortLived(this.items.expiresAt(item), now)) return Segment.Temp
    if (!settings.lruSegmented) return Segment.Cold
    if (!this.shares.hasEvicted(slabClass)) return Segment.Hot
    return this.shares.takeGhost(slabClass, hash, this.sum(slabClass, ListWord.Count)) ? Segment.Warm : Segment.Hot
  }

  /** The list for an item that replaces one of `segment`. In a class that evicts, its key need not prove itself again. */
  segmentAfter(slabClass: number, segment: Segment, item: ItemId, now: number): Segment {
    const { settings } = this
    if (this.isShortLived(this.items.expiresAt(item), now)) return Segment.Temp
    if (!settings.lruSegmented) return Segment.Cold
    return segment === Segment.Temp || !this.shares.hasEvicted(slabClass) ? Segment.Hot : segment
  }

  /** True if an item that expires at `expiresAt` belongs in TEMP. */
  isShortLived(expiresAt: number, now: number): boolean {
    const { settings } = this
    return settings.tempLru && expiresAt !== 0 && expiresAt - now <= settings.temporaryTtl
  }

  /**
   * Records a hit: the first marks the item as fetched, and the second as active, unless the first did that already (see
   * `needsTwoHits`). Needs the item's stripe, not the class. Returns true if the item should be moved to the head of the flat
   * list.
   */
  touchBits(item: ItemId, now: number): boolean {
    const items = this.items
    const state = items.state(item)
    if (!this.settings.lruSegmented) {
      if ((state & State.Fetched) === 0) items.mark(item, State.Fetched)
      return this.refreshFlat(item, now)
    }
    if ((state & State.Fetched) === 0 && this.needsTwoHits(item, state)) items.mark(item, State.Fetched)
    else if ((state & State.Active) === 0) {
      items.mark(item, State.Active | State.Fetched)
      items.setUsedAt(item, now)
    }
    return false
  }

  /** True if the first hit of an item does not make it active yet: in HOT, and in COLD unless the class has evicted. */
  private needsTwoHits(item: ItemId, state: number): boolean {
    const segment = (state >>> State.SegmentShift) & State.SegmentMask
    if (segment !== Segment.Cold) return segment !== Segment.Warm
    const { slabs } = this
    return !this.shares.hasEvicted((state & State.Large) !== 0 ? slabs.classes.largest : slabs.classAt(item))
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

  // Evicting

  /** True if a class has to evict for most new items, so that the rules of this file apply. */
  isShort(slabClass: number): boolean {
    const { slabs } = this
    if (!this.shares.hasEvicted(slabClass)) return false
    const left = slabs.get(slabClass, ClassWord.FreeCount) + slabs.get(slabClass, ClassWord.CarveLeft)
    return left * USED_PER_FREE < slabs.get(slabClass, ClassWord.UsedCount)
  }

  /** The item that has to leave its list next, for another one or for good; NO_ITEM if there is none. */
  nextToLeave(slabClass: number): ItemId {
    const hot = this.tail(slabClass, Segment.Hot)
    const warm = this.tail(slabClass, Segment.Warm)
    const cold = this.tail(slabClass, Segment.Cold)
    const bytes = this.bytesOf(slabClass)
    const hotBytes = this.get(slabClass, Segment.Hot, ListWord.Bytes)
    const isOnlyHot = warm === NO_ITEM && cold === NO_ITEM
    if (hot !== NO_ITEM && (isOnlyHot || hotBytes > this.shares.hot(slabClass) * bytes)) return hot
    const bothBytes = hotBytes + this.get(slabClass, Segment.Warm, ListWord.Bytes)
    if (warm !== NO_ITEM && (cold === NO_ITEM || bothBytes > this.shares.upper(slabClass) * bytes)) return warm
    return cold !== NO_ITEM ? cold : this.tail(slabClass, Segment.Temp)
  }

  /** True if an item that has to leave its list belongs to another one, or to the head of its list. */
  isKept(item: ItemId): boolean {
    const { items } = this
    const segment = items.segment(item)
    return segment === Segment.Warm || (segment !== Segment.Temp && items.has(item, State.Active))
  }

  /** Moves such an item to where it belongs. */
  keep(slabClass: number, item: ItemId): void {
    const { items } = this
    if (items.has(item, State.Active) && items.segment(item) !== Segment.Hot) return this.moveToWarm(slabClass, item)
    items.unmark(item, State.Active)
    this.moveToCold(slabClass, item)
  }

  /** Leaves a ghost of an item that is about to be evicted. */
  noteEviction(slabClass: number, hash: number, item: ItemId, now: number): void {
    if (!this.settings.lruSegmented) return
    const { shares } = this
    const count = this.sum(slabClass, ListWord.Count)
    if (shares.isDue(slabClass)) shares.advance(slabClass, count, this.items.age(this.oldest(slabClass), now), now)
    shares.noteEviction(slabClass, hash, this.ghostOf(item), count)
  }

  private ghostOf(item: ItemId): Ghost {
    const { items } = this
    const segment = items.segment(item)
    if (segment === Segment.Warm || (segment === Segment.Cold && items.wasWarm(item))) return Ghost.WasWarm
    return segment === Segment.Cold ? Ghost.Cold : Ghost.Hot
  }

  /**
   * The age by which classes are compared that need pages: that of an item, the oldest one. But in a class that evicts, the tail
   * of COLD may be kept for long while items leave HOT. So it is not more than the time in which the class evicts as many items
   * as it has.
   */
  ageOf(slabClass: number, item: ItemId, now: number): number {
    const age = this.items.age(item, now)
    const isEvicting = this.settings.lruSegmented && this.shares.hasEvicted(slabClass)
    return isEvicting ? Math.min(age, this.shares.turnover(slabClass, this.sum(slabClass, ListWord.Count), now)) : age
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

  /** The tail of COLD, or if that is empty, of HOT, of WARM or of TEMP; NO_ITEM if the class has no items. */
  oldest(slabClass: number): ItemId {
    const cold = this.tail(slabClass, Segment.Cold)
    if (cold !== NO_ITEM) return cold
    const hot = this.tail(slabClass, Segment.Hot)
    if (hot !== NO_ITEM) return hot
    const warm = this.tail(slabClass, Segment.Warm)
    return warm !== NO_ITEM ? warm : this.tail(slabClass, Segment.Temp)
  }
}
