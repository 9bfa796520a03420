// The maintainer: passes over the lists of an arena again and again in the background, even while no client sends anything. It
// checks only the tails of the lists. A dead item there is reclaimed. Otherwise, in a class with memory to spare,
//
//   an item of HOT or COLD that is active (see Lru.touchBits) goes to WARM;
//   an item of HOT or WARM goes to COLD if its list is over its share or the item is too old for it; but one of WARM that was hit
//   since it came there goes to the head of WARM instead.
//
// The rules are memcached's, except that memcached moves an item of WARM that was hit to the head of WARM at once, even if it
// need not leave its place. In a class that evicts, no item that is alive is moved: an allocation that needs memory makes the
// moves that it needs itself, by other rules (lru.ts). With only one list, items of HOT and WARM go to COLD, and dead items at
// COLD's tail are left to the next allocation.
import { ListWord, State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { NO_ITEM, Segment, type Items } from './items.js'
import { type Lru } from './lru.js'
import { type Slabs } from '../slabs/slabs.js'
import { type Allocator } from '../slabs/allocator.js'

export class Maintainer {
  constructor(private readonly items: Items, private readonly slabs: Slabs, private readonly lru: Lru,
    private readonly allocator: Allocator, private readonly context: StoreContext) {}

  /** Maintains the lists of a class, in at most `stepsMax` steps of one item. Returns the number of steps. */
  pass(slabClass: number, stepsMax: number): number {
    const { lru, slabs } = this
    if (!slabs.tryLock(slabClass)) return 0
    let steps = this.allocator.reclaimTailClassLocked(slabClass, Segment.Temp, stepsMax)
    if (lru.settings.lruSegmented) steps += this.passSegmentsClassLocked(slabClass, stepsMax - steps)
    else steps += lru.flatten(slabClass, stepsMax - steps)
    slabs.unlock(slabClass)
    return steps
  }

  private passSegmentsClassLocked(slabClass: number, stepsMax: number): number {
    const { lru } = this
    if (lru.isShort(slabClass)) return this.reclaimClassLocked(slabClass, stepsMax)
    const { hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor } = lru.settings
    const bytes = lru.bytesOf(slabClass)
    const cold = lru.tail(slabClass, Segment.Cold)
    const coldAge = cold === NO_ITEM ? 0 : this.items.age(cold, this.context.now)
    let steps = 0
    while (steps < stepsMax && (
      this.pullClassLocked(slabClass, Segment.Hot, bytes * hotLruPct / 100, coldAge * hotMaxFactor) ||
      this.pullClassLocked(slabClass, Segment.Warm, bytes * warmLruPct / 100, coldAge * warmMaxFactor) ||
      this.pullClassLocked(slabClass, Segment.Cold, Infinity, Infinity))) steps++
    return steps
  }

  /** Reclaims dead items at the tails of the lists. */
  private reclaimClassLocked(slabClass: number, stepsMax: number): number {
    let steps = 0
    for (let segment = Segment.Hot; segment <= Segment.Cold; segment++) {
      steps += this.allocator.reclaimTailClassLocked(slabClass, segment, stepsMax - steps)
    }
    return steps
  }

  /** Moves or reclaims the tail of a list; false if it may stay. */
  private pullClassLocked(slabClass: number, from: Segment, bytesMax: number, ageMax: number): boolean {
    const { items, lru } = this
    const item = lru.tail(slabClass, from)
    if (item === NO_ITEM) return false
    if (this.allocator.isLongDead(item)) return this.allocator.reclaimTailClassLocked(slabClass, from, 1) > 0
    const isActive = items.has(item, State.Active)
    const mustLeave = lru.get(slabClass, from, ListWord.Bytes) > bytesMax || items.age(item, this.context.now) > ageMax
    if (isActive && (mustLeave || from !== Segment.Warm)) lru.moveToWarm(slabClass, item)
    else if (mustLeave) lru.moveToCold(slabClass, item)
    else return false
    return true
  }
}
