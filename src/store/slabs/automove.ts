// Automove: decides which class of an arena should get a page of which other class. Once a second it samples all classes: the age
// at which each evicts an item that is not used (Lru.ageOf), averaged over a window of seconds; whether the class evicts; and
// whether it has more free chunks than it needs. At every step it also looks for a class that is so much worse off that no window
// is needed to see it. It runs in the thread of the background work. Its settings are shared with all threads.
//
//   mode 0   moves no page
//   mode 1   moves a page to the pool from a class that has had more free chunks than it needs for a whole window; and moves a
//            page to the class that evicts the youngest items, from the class whose next victim is the oldest, if the ratio of
//            the two ages is below `ratio`
//   mode 2   also moves a page at once to a class that evicts any item
import { ClassWord, PageOwner } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { NO_ITEM } from '../items/items.js'
import { type Lru } from '../items/lru.js'
import { type Slabs } from './slabs.js'

/** The settings of automove, in shared memory, as commands of any thread change them. See the options of the same names. */
export class AutomoveSettings {
  /** The bytes of memory that AutomoveSettings need. */
  static readonly BYTES = 4 * 8

  private readonly numbers: Float64Array

  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number) { this.numbers = new Float64Array(buffer, at, 4) }

  get mode(): number { return this.numbers[0]! }
  set mode(mode: number) { this.numbers[0] = mode }
  /** The length of the window in seconds. */
  get window(): number { return this.numbers[1]! }
  set window(seconds: number) { this.numbers[1] = seconds }
  get ratio(): number { return this.numbers[2]! }
  set ratio(ratio: number) { this.numbers[2] = ratio }
  /** The part of the memory that each class may keep in free chunks. */
  get freeRatio(): number { return this.numbers[3]! }
  set freeRatio(ratio: number) { this.numbers[3] = ratio }
}

/** A page that should move: from a class to another, or to PageOwner.Pool or PageOwner.Withdrawn. */
export interface Move { readonly from: number, readonly to: number }

/** The number of pages that a class's free chunks must fill to be more than it needs. */
const EXCESS_PAGES = 2.5
/** The least difference of two ages, in seconds, that counts. */
const STALE_SECONDS_MIN = 2
/** The ratio of ages below which a class gets a page without waiting for a window. */
const URGENT_RATIO = 0.5

/** The most windows to wait until the ages show the effect of a move. */
const PAUSE_WINDOWS = 5
const LONG_AGO = -Infinity

/** The samples of a class. */
interface Trend {
  /** The age of the item that it would evict next, averaged over the last `samples` seconds. */
  age: number
  /** The number of samples in the average, up to a window. If it is negative, so many samples are skipped first. */
  samples: number
  pages: number
  /** The second in which it last evicted or got a page, in store time. */
  changedAt: number
  evictedAt: number
  /** The second since which it has more free chunks than it needs; Infinity if it has not. */
  excessSince: number
}

export class Automove {
  private readonly trends: Trend[]
  private sampledAt = 0
  /** The class that mode 2 checked last, as classes take turns. */
  private checkedLast = 0
  /** 1 for each class that has evicted since the last sample. */
  private readonly hasEvicted: Uint8Array
  /** 1 for each class that has evicted since the last step. */
  private readonly isEvicting: Uint8Array
  /** 1 for each class with a page that may leave it; used by `pickSource`. */
  private readonly isLeavable: Uint8Array

  constructor(private readonly slabs: Slabs, private readonly lru: Lru,
    private readonly context: StoreContext, private readonly settings: AutomoveSettings) {
    const count = slabs.classes.largest + 1
    this.trends = Array.from({ length: count }, () =>
      ({ age: 0, samples: 0, pages: 0, changedAt: LONG_AGO, evictedAt: LONG_AGO, excessSince: Infinity }))
    this.hasEvicted = new Uint8Array(count)
    this.isEvicting = new Uint8Array(count)
    this.isLeavable = new Uint8Array(count)
  }

  /** The move that should begin now. Called at every background step in which no move is under way. */
  decide(): Move | undefined {
    const { context, settings } = this
    this.noteEvictions()
    if (settings.mode > 1) {
      const move = this.moveForAny()
      if (move !== undefined) return move
    }
    if (settings.mode === 0) return undefined
    const isSampled = context.now !== this.sampledAt
    if (isSampled) this.sample()
    return this.urgentMove() ?? (isSampled ? this.excessMove() ?? this.agedMove() : undefined)
  }

  /**
   * The class that can best spare a page: one with a page's worth of free chunks, or else the one with the oldest next victim.
   * @param to the class or PageOwner that is to get the page; it is not picked itself
   */
  pickSource(to: number): number {
    const { slabs, isLeavable } = this
    let source = 0
    let best = -1
    slabs.markLeavable(isLeavable, to)
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      if (slabClass === to || isLeavable[slabClass] === 0 || !slabs.canSpare(slabClass)) continue
      const hasFreePage = slabs.get(slabClass, ClassWord.FreeCount) >= slabs.classes.chunksPerPage[slabClass]!
      if (!hasFreePage && !this.context.settings.evictions) continue
      const age = hasFreePage ? Infinity : this.ageOf(slabClass)
      if (age <= best) continue
      source = slabClass
      best = age
    }
    return source
  }

  private noteEvictions(): void {
    const { slabs } = this
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      const evicted = slabs.get(slabClass, ClassWord.EvictedRecently)
      this.isEvicting[slabClass] = evicted > 0 ? 1 : 0
      if (evicted === 0) continue
      this.hasEvicted[slabClass] = 1
      // not atomic: evictions that other threads count at this moment may be lost, but more will follow
      slabs.add(slabClass, ClassWord.EvictedRecently, -evicted)
    }
  }

  private ageOf(slabClass: number): number {
    const item = this.lru.oldest(slabClass)
    return item === NO_ITEM ? 0 : this.lru.ageOf(slabClass, item, this.context.now)
  }

  private sample(): void {
    const { context, slabs, settings } = this
    const { now } = context
    this.sampledAt = now
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      const trend = this.trends[slabClass]!
      const pages = slabs.get(slabClass, ClassWord.PageCount)
      const hasItems = this.lru.oldest(slabClass) !== NO_ITEM
      trend.samples = hasItems ? Math.min(trend.samples + 1, settings.window) : 0
      trend.age += (this.ageOf(slabClass) - trend.age) / Math.max(trend.samples, 1)
      if (this.hasEvicted[slabClass] === 1) trend.evictedAt = trend.changedAt = now
      if (pages > trend.pages) trend.changedAt = now
      trend.excessSince = this.hasExcess(slabClass) ? Math.min(trend.excessSince, now) : Infinity
      trend.pages = pages
    }
    this.hasEvicted.fill(0)
  }

  private hasExcess(slabClass: number): boolean {
    const { slabs, settings } = this
    const { chunkBytes, chunksPerPage } = slabs.classes
    const kept = Math.max(EXCESS_PAGES * chunksPerPage[slabClass]!, settings.freeRatio * slabs.bytesMax / chunkBytes[slabClass]!)
    return slabs.get(slabClass, ClassWord.FreeCount) > kept
  }

  /** Mode 2: a move to a class that has just evicted. */
  private moveForAny(): Move | undefined {
    const { largest } = this.slabs.classes
    for (let tries = 0; tries < largest; tries++) {
      const to = this.checkedLast = this.checkedLast % largest + 1
      const from = this.isEvicting[to] === 1 ? this.pickSource(to) : 0
      if (from > 0) return { from, to }
    }
    return undefined
  }

  /** A move to the pool from a class that has had more free chunks than it needs for a window. */
  private excessMove(): Move | undefined {
    const from = this.trends.findIndex(({ excessSince, changedAt }, slabClass) => slabClass > 0 &&
      this.slabs.canSpare(slabClass) && this.isWindowAgo(excessSince) && this.isWindowAgo(changedAt))
    return from < 0 ? undefined : { from, to: PageOwner.Pool }
  }

  /** True if a second is at least a window ago. */
  private isWindowAgo(second: number): boolean { return this.context.now - second >= this.settings.window }

  /**
   * A move by the ages of a whole window. The ages show the effect of a move only after the time that items live, so sampling of
   * both classes pauses for that time.
   */
  private agedMove(): Move | undefined {
    const { trends, settings } = this
    const move = this.moveByAge(settings.ratio, slabClass => !this.isWindowAgo(trends[slabClass]!.evictedAt),
      slabClass => trends[slabClass]!.samples < settings.window ? undefined : trends[slabClass]!.age)
    if (move === undefined) return undefined
    const pause = Math.min(this.ageOf(move.to), PAUSE_WINDOWS * settings.window)
    trends[move.from]!.samples = trends[move.to]!.samples = -pause
    return move
  }

  /** A move by the present ages, if they are far apart, to a class that evicts and has no chunk left. */
  private urgentMove(): Move | undefined {
    const { isEvicting, slabs } = this
    return this.moveByAge(Math.min(this.settings.ratio, URGENT_RATIO),
      slabClass => isEvicting[slabClass] === 1 && !slabs.hasChunkLeft(slabClass), slabClass => this.ageOf(slabClass))
  }

  /**
   * A move to the class with the youngest victim from the class with the oldest.
   * @param needsPage true for classes that may get a page
   * @param ageOf the age of a class; undefined if it is not known yet
   */
  private moveByAge(ratio: number, needsPage: (slabClass: number) => boolean,
    ageOf: (slabClass: number) => number | undefined): Move | undefined {
    const { slabs } = this
    let youngest = 0
    let oldest = 0
    let youngAge = Infinity
    let oldAge = -1
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      const age = ageOf(slabClass)
      if (age === undefined) continue
      if (needsPage(slabClass) && age < youngAge) [youngest, youngAge] = [slabClass, age]
      if (slabs.canSpare(slabClass) && age > oldAge) [oldest, oldAge] = [slabClass, age]
    }
    // with a ratio above 1, which a command may set, both could be the same class
    if (youngest === 0 || oldest === 0 || youngest === oldest) return undefined
    if (youngAge >= (oldAge - STALE_SECONDS_MIN) * ratio) return undefined
    return { from: oldest, to: youngest }
  }
}
