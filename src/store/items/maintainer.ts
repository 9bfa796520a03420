// The maintainer: it passes over the lists of an arena again and again in the background, also when nobody asks for
// anything, and looks at their tails only. What is dead there is reclaimed; else
//
//   an item of HOT or COLD that was hit twice goes to WARM
//   an item of HOT or WARM goes to COLD, if its list is over its share or it is too old for it; one of WARM that was hit since
//   it came there goes to its head instead
//
// The rules are memcached's, but that the last has its way there without the if: then what was hit twice is told from what is
// hit all the time by the speed of the passes, and where memory is short less is hit (0.4 % of the gets of a cache that
// holds a tenth of the data). An allocation that makes room moves what it must by itself, see Lru.balance. Where there is one
// list, what is in HOT and WARM goes to COLD, and what is dead at COLD's tail is left to the next allocation.
import { ListWord, State } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { NO_ITEM, Segment, type Items } from './items.js'
import { type Lru } from './lru.js'
import { type Slabs } from '../slabs/slabs.js'
import { type Allocator } from '../slabs/allocator.js'

export class Maintainer {
  constructor(private readonly items: Items, private readonly slabs: Slabs, private readonly lru: Lru,
    private readonly space: Allocator, private readonly context: StoreContext) {}

  /** Puts the lists of a class in order, in at most `stepsMax` steps of one item. Returns the steps made. */
  pass(slabClass: number, stepsMax: number): number {
    const { lru, slabs } = this
    if (!slabs.tryLock(slabClass)) return 0
    let steps = this.space.reclaimTailClassLocked(slabClass, Segment.Temp, stepsMax)
    if (lru.settings.lruSegmented) steps += this.passSegmentsClassLocked(slabClass, stepsMax - steps)
    else steps += lru.flatten(slabClass, stepsMax - steps)
    slabs.unlock(slabClass)
    return steps
  }

  private passSegmentsClassLocked(slabClass: number, stepsMax: number): number {
    const { lru } = this
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

  /** Takes the tail of a list away, if it should not stay there. */
  private pullClassLocked(slabClass: number, from: Segment, bytesMax: number, ageMax: number): boolean {
    const { items, lru } = this
    const item = lru.tail(slabClass, from)
    if (item === NO_ITEM) return false
    if (this.space.isLongDead(item)) return this.space.reclaimTailClassLocked(slabClass, from, 1) > 0
    const isActive = items.has(item, State.Active)
    const mustLeave = lru.get(slabClass, from, ListWord.Bytes) > bytesMax || items.age(item, this.context.now) > ageMax
    if (isActive && (mustLeave || from !== Segment.Warm)) lru.keep(slabClass, item)
    else if (mustLeave) lru.giveUp(slabClass, item)
    else return false
    return true
  }
}
