// The shares of the lists in a class that evicts. They begin with those of `lru tune`, and then the class learns better ones from
// its ghosts (ghosts.ts):
//
//   If a key comes back whose item was evicted from HOT, HOT should be larger; if from COLD, smaller.
//   If it was evicted from COLD, and had been in WARM before, WARM should be larger; if not, smaller.
//
// What is evicted more often leaves more ghosts, so a ghost has the more weight, the fewer of the evictions of late are of its
// kind. Thus the lists are compared by the chance that an item comes back which each has just let go. HOT becomes small where the
// same keys are asked for all the time and others only once, and large where each key has its time. The learning is that of ARC
// with other weights.
//
// All methods need the lock of the class unless they say otherwise. Large items are in the lists of the largest class.
import { type Arena } from '../../memory/arena.js'
import { ClassWord, Share } from '../../memory/layout.js'
import { type ClassWords } from '../slabs/slabs.js'
import { EVICTIONS_SHARE, Ghost, Ghosts } from './ghosts.js'
import { type LruTuning } from './tuning.js'

/** The least share of HOT: that of `lru tune` divided by this. */
const HOT_DIVISOR = 4
/** The greatest share of HOT, and of HOT and WARM together. */
const MAX = 0.9
/** The speed of learning: a ghost changes a share by at most so many items. */
const GHOST_ITEMS = 4
/** The parts of the evictions, until a class has made enough of them. */
const PART_FIRST = Share.Unit / 2

export class Shares {
  private readonly words: Int32Array

  constructor(arena: Pick<Arena, 'words'>, private readonly slabs: ClassWords, private readonly settings: LruTuning,
    private readonly ghosts: Ghosts) {
    this.words = arena.words
  }

  /** True if a class has ever evicted an item. Needs no lock. */
  hasEvicted(slabClass: number): boolean { return this.slabs.get(slabClass, ClassWord.GhostTime) !== 0 }

  private get hotFirst(): number { return this.settings.hotLruPct / 100 }
  private get upperFirst(): number { return (this.settings.hotLruPct + this.settings.warmLruPct) / 100 }

  /** The share of HOT in the bytes of a class, from 0 to 1. */
  hot(slabClass: number): number {
    const first = this.hotFirst
    return Math.min(Math.max(first + this.slabs.get(slabClass, ClassWord.HotLearned) / Share.Unit, first / HOT_DIVISOR), MAX)
  }

  /** The share of HOT and WARM together. */
  upper(slabClass: number): number {
    const first = this.upperFirst
    return Math.min(Math.max(first + this.slabs.get(slabClass, ClassWord.UpperLearned) / Share.Unit, first), MAX)
  }

  /** Leaves a ghost of an item that is about to be evicted. @param count the number of items of the class */
  noteEviction(slabClass: number, hash: number, ghost: Ghost, count: number): void {
    const { slabs } = this
    slabs.add(slabClass, ClassWord.EvictionsLeft, -1)
    this.average(slabClass, ClassWord.ColdPart, ghost !== Ghost.Hot, count)
    if (ghost !== Ghost.Hot) this.average(slabClass, ClassWord.WarmPart, ghost === Ghost.WasWarm, count)
    this.ghosts.add(hash, ghost, slabs.get(slabClass, ClassWord.GhostTime))
  }

  /** Includes an eviction in a moving average. */
  private average(slabClass: number, part: ClassWord, isOfPart: boolean, count: number): void {
    const word = this.slabs.word(slabClass, part)
    this.words[word]! += ((isOfPart ? Share.Unit : 0) - this.words[word]!) / count
  }

  /** True if the time of the ghosts of a class has to advance before the next eviction. */
  isDue(slabClass: number): boolean { return this.slabs.get(slabClass, ClassWord.EvictionsLeft) <= 0 }

  /** Advances the time. @param count the number of items of the class; @param oldestAge the age in seconds of the oldest */
  advance(slabClass: number, count: number, oldestAge: number, now: number): void {
    const { slabs, words } = this
    const time = slabs.get(slabClass, ClassWord.GhostTime)
    const turnover = slabs.word(slabClass, ClassWord.Turnover)
    const turnoverAt = slabs.word(slabClass, ClassWord.TurnoverAt)
    if (time === 0) {
      words[slabs.word(slabClass, ClassWord.ColdPart)] = words[slabs.word(slabClass, ClassWord.WarmPart)] = PART_FIRST
      words[turnover] = oldestAge
      words[turnoverAt] = now
    } else if (time % EVICTIONS_SHARE === 0) {
      words[turnover] = now - words[turnoverAt]!
      words[turnoverAt] = now
    }
    words[slabs.word(slabClass, ClassWord.GhostTime)] = Ghosts.timeAfter(time)
    words[slabs.word(slabClass, ClassWord.EvictionsLeft)] = Math.ceil(count / EVICTIONS_SHARE)
  }

  /**
   * The seconds in which a class that has evicted evicts as many items as it has: as many as the last time, or more, if it takes
   * longer now. Needs no lock, as an outdated value does no harm. @param count as above
   */
  turnover(slabClass: number, count: number, now: number): number {
    const { slabs } = this
    const quarters = (slabs.get(slabClass, ClassWord.GhostTime) - 1) % EVICTIONS_SHARE + 1
    // the last item may leave at this moment, and a class must not have an age that is not a number
    const done = quarters / EVICTIONS_SHARE - slabs.get(slabClass, ClassWord.EvictionsLeft) / Math.max(count, 1)
    const seconds = now - slabs.get(slabClass, ClassWord.TurnoverAt)
    return Math.max(slabs.get(slabClass, ClassWord.Turnover), seconds / Math.max(done, 1 / EVICTIONS_SHARE))
  }

  /** Takes the ghost of a key that is stored again, and learns from it; false if the key has none. @param count as above */
  takeGhost(slabClass: number, hash: number, count: number): boolean {
    const ghost = this.ghosts.take(hash, this.slabs.get(slabClass, ClassWord.GhostTime))
    if (ghost === Ghost.None) return false
    const coldPart = this.slabs.get(slabClass, ClassWord.ColdPart) / Share.Unit
    this.learn(slabClass, ClassWord.HotLearned, this.hot(slabClass) - this.hotFirst, ghost === Ghost.Hot, coldPart, count)
    if (ghost === Ghost.Hot) return true
    const newPart = 1 - this.slabs.get(slabClass, ClassWord.WarmPart) / Share.Unit
    const learned = this.upper(slabClass) - this.upperFirst
    this.learn(slabClass, ClassWord.UpperLearned, learned, ghost === Ghost.WasWarm, newPart, count)
    return true
  }

  /** Changes what a class has learned. @param others the part of the evictions that are of the other kind, if the share grows */
  private learn(slabClass: number, word: ClassWord, learned: number, grows: boolean, others: number, count: number): void {
    const items = GHOST_ITEMS * (grows ? others : others - 1)
    this.words[this.slabs.word(slabClass, word)] = (learned + items / count) * Share.Unit
  }
}
