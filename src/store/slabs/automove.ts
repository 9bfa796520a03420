// Decides by itself which class of an arena should have a page of which other one. It looks at all classes: once a second at
// how old what each of them would evict next is, averaged over a window of seconds, and whether it evicts, or has more free
// chunks than it needs; and at every step for a class that is so much worse off that no window is wanted to see it. It runs
// in the thread of the background work; what it is set to is shared with all threads.
//
//   mode 0   nothing
//   mode 1   a class that has had more free chunks than it needs for a whole window gives a page to all, the pool;
//            the class that evicts youngest gets a page of the one whose next victim is oldest, if the ratio of the two ages
//            is below `ratio`
//   mode 2   also, a class that evicts anything gets a page at once
import { ClassWord, PageOwner } from '../../memory/layout.js'
import { type StoreContext } from '../context.js'
import { NO_ITEM, type Items } from '../items/items.js'
import { type Slabs } from './slabs.js'
import { type Allocator } from './allocator.js'

/** How pages move by themselves: see the options of the same names. Words that commands of any thread write. */
export class AutomoveSettings {
  /** The bytes of memory that this needs. */
  static readonly BYTES = 4 * 8

  private readonly numbers: Float64Array

  constructor(buffer: ArrayBuffer | SharedArrayBuffer, at: number) { this.numbers = new Float64Array(buffer, at, 4) }

  get mode(): number { return this.numbers[0]! }
  set mode(mode: number) { this.numbers[0] = mode }
  /** Seconds. */
  get window(): number { return this.numbers[1]! }
  set window(seconds: number) { this.numbers[1] = seconds }
  get ratio(): number { return this.numbers[2]! }
  set ratio(ratio: number) { this.numbers[2] = ratio }
  /** The share of the memory that each class may keep free. */
  get freeRatio(): number { return this.numbers[3]! }
  set freeRatio(ratio: number) { this.numbers[3] = ratio }
}

/** A page that should move: from a class to another, or to PageOwner.Pool or PageOwner.Withdrawn. */
export interface Move { readonly from: number, readonly to: number }

/** A class has more free chunks than it needs if they would fill so many pages. */
const EXCESS_PAGES = 2.5
/** Ages closer than this to each other, in seconds, are alike. */
const STALE_SECONDS_MIN = 2
/** A class that evicts what is younger by this factor is helped without waiting for a window. */
const URGENT_RATIO = 0.5

/** How many windows are waited at most until what a move has changed shows. */
const PAUSE_WINDOWS = 5
const LONG_AGO = -Infinity

/** What is remembered of a class. */
interface Trend {
  /** The age of what it would evict next, averaged over the last `samples` seconds, up to a window; below 0 they are yet to begin. */
  age: number
  samples: number
  pages: number
  /** When it last evicted or got a page, in store time. */
  stirredAt: number
  evictedAt: number
  /** Since when it has more free chunks than it needs; Infinity if it has not. */
  excessSince: number
}

export class Automove {
  private readonly trends: Trend[]
  private sampledAt = 0
  /** The class that mode 2 came to last: they have their turns. */
  private helpedLast = 0
  /** The classes that have evicted since the last sample, and since the last step. */
  private readonly hasEvicted: Uint8Array
  private readonly isEvicting: Uint8Array
  /** Those with a page that would do, for `pickSource`. */
  private readonly isLeavable: Uint8Array

  constructor(private readonly slabs: Slabs, private readonly items: Items, private readonly space: Allocator,
    private readonly context: StoreContext, private readonly settings: AutomoveSettings) {
    const count = slabs.classes.largest + 1
    this.trends = Array.from({ length: count }, () =>
      ({ age: 0, samples: 0, pages: 0, stirredAt: LONG_AGO, evictedAt: LONG_AGO, excessSince: Infinity }))
    this.hasEvicted = new Uint8Array(count)
    this.isEvicting = new Uint8Array(count)
    this.isLeavable = new Uint8Array(count)
  }

  /** The move that is wanted now; to be asked at every background step in which none is under way. */
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
   * The class that can best spare a page: one that has a page's worth of free chunks, or that whose next victim is oldest.
   * @param to who is to have the page; a class does not give to itself
   */
  pickSource(to: number): number {
    const { slabs, isLeavable } = this
    let source = 0
    let best = -1
    slabs.markLeavable(isLeavable, to)
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      if (slabClass === to || isLeavable[slabClass] === 0 || !slabs.canSpare(slabClass)) continue
      const isRoomy = slabs.get(slabClass, ClassWord.FreeCount) >= slabs.classes.chunksPerPage[slabClass]!
      if (!isRoomy && !this.context.settings.evictions) continue
      const age = isRoomy ? Infinity : this.ageOf(slabClass)
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
      // some of other threads may be lost; there will be more
      slabs.add(slabClass, ClassWord.EvictedRecently, -evicted)
    }
  }

  private ageOf(slabClass: number): number {
    const item = this.space.oldest(slabClass)
    return item === NO_ITEM ? 0 : this.items.age(item, this.context.now)
  }

  private sample(): void {
    const { context, slabs, settings } = this
    const { now } = context
    this.sampledAt = now
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      const trend = this.trends[slabClass]!
      const pages = slabs.get(slabClass, ClassWord.PageCount)
      const hasItems = this.space.oldest(slabClass) !== NO_ITEM
      trend.samples = hasItems ? Math.min(trend.samples + 1, settings.window) : 0
      trend.age += (this.ageOf(slabClass) - trend.age) / Math.max(trend.samples, 1)
      if (this.hasEvicted[slabClass] === 1) trend.evictedAt = trend.stirredAt = now
      if (pages > trend.pages) trend.stirredAt = now
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

  /** Mode 2: a page for a class that has just evicted. */
  private moveForAny(): Move | undefined {
    const { largest } = this.slabs.classes
    for (let tries = 0; tries < largest; tries++) {
      const to = this.helpedLast = this.helpedLast % largest + 1
      const from = this.isEvicting[to] === 1 ? this.pickSource(to) : 0
      if (from > 0) return { from, to }
    }
    return undefined
  }

  private excessMove(): Move | undefined {
    const from = this.trends.findIndex(({ excessSince, stirredAt }, slabClass) => slabClass > 0 && this.slabs.canSpare(slabClass) &&
      this.isBefore(excessSince) && this.isBefore(stirredAt))
    return from < 0 ? undefined : { from, to: PageOwner.Pool }
  }

  /** Whether a moment lies a whole window back. */
  private isBefore(second: number): boolean { return this.context.now - second >= this.settings.window }

  /** By the ages of a whole window. It takes as long as items live until ages show what a page has changed, so that is waited for. */
  private agedMove(): Move | undefined {
    const { trends, settings } = this
    const move = this.moveByAge(settings.ratio, slabClass => !this.isBefore(trends[slabClass]!.evictedAt),
      slabClass => trends[slabClass]!.samples < settings.window ? undefined : trends[slabClass]!.age)
    if (move === undefined) return undefined
    const pause = Math.min(this.ageOf(move.to), PAUSE_WINDOWS * settings.window)
    trends[move.from]!.samples = trends[move.to]!.samples = -pause
    return move
  }

  /** By the ages of now, if they are far apart, for a class that has used up what it was given last. */
  private urgentMove(): Move | undefined {
    const { isEvicting, slabs } = this
    return this.moveByAge(Math.min(this.settings.ratio, URGENT_RATIO),
      slabClass => isEvicting[slabClass] === 1 && !slabs.hasChunkLeft(slabClass), slabClass => this.ageOf(slabClass))
  }

  /** @param ageOf undefined: nothing is known of it yet */
  private moveByAge(ratio: number, isHungry: (slabClass: number) => boolean,
    ageOf: (slabClass: number) => number | undefined): Move | undefined {
    const { slabs } = this
    let youngest = 0
    let oldest = 0
    let youngAge = Infinity
    let oldAge = -1
    for (let slabClass = 1; slabClass <= slabs.classes.largest; slabClass++) {
      const age = ageOf(slabClass)
      if (age === undefined) continue
      if (isHungry(slabClass) && age < youngAge) [youngest, youngAge] = [slabClass, age]
      if (slabs.canSpare(slabClass) && age > oldAge) [oldest, oldAge] = [slabClass, age]
    }
    // a ratio above 1, which a command may set, allows both to be the same
    if (youngest === 0 || oldest === 0 || youngest === oldest) return undefined
    if (youngAge >= (oldAge - STALE_SECONDS_MIN) * ratio) return undefined
    return { from: oldest, to: youngest }
  }
}
