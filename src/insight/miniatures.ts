// Miniatures: five small models of the store, with a quarter, half, once, twice and four times its memory. They are given the
// accesses to a sample of the keys, and each is as much smaller than the store that it stands for as the sample is smaller than
// all keys. The items of a model are headers without keys and values, in the lists of their classes. What chooses the items to
// evict is the code that does so in the store: lru.ts, shares.ts, ghosts.ts.
//
// A model serves clients of its own: where the store has a hit and a model a miss, the model's client would set the key, so the
// item is taken in at once. Where both miss, it is taken in when the store's client sets it. Where only the store misses, that
// set does not come to the model.
//
// Not modelled are flush_prefix, and the classes' shares of the pages: those are the store's own, in every model.
//
// All items lie in one table of SLOTS. When it is full, the rate of the sample is halved, and the items of half of the keys go.
// After a flush of everything the rate is 1 again. Only one thread uses the models.
//
//   item     as in layout.ts, but    chain   casLow              casHigh
//                                    entry   class, model << 8   bytes of its chunk
//   entry    word 0   1      2       3      4-8
//            hash     next   until   bits   the item in each model
//
// An entry is a key of the sample that at least one model has. `until` is the first second at which one of its items has expired,
// 0 for none. `bits` are below.
import { assert } from '../errors.js'
import { Memory } from '../memory/bytes.js'
import { ClassWord, ItemWord, ListWord, Size, State } from '../memory/layout.js'
import { Counters } from '../stats/counters.js'
import { Access, Below, spread } from '../store/accesses.js'
import { Ghosts, GHOSTS_SHARE } from '../store/items/ghosts.js'
import { Items, NO_ITEM, Segment, type ItemId } from '../store/items/items.js'
import { Lru } from '../store/items/lru.js'
import { Shares } from '../store/items/shares.js'
import { RESCUES_MAX } from '../store/slabs/allocator.js'
import { type SlabClasses } from '../store/slabs/classes.js'
import { type ClassWords } from '../store/slabs/slabs.js'
import { type Store } from '../store/store.js'
import { FACTORS } from './rings.js'

const COUNT = 5
/**
 * The items of all models together: 8,000 keys if each model has all of them, and more if some do not. So at least 4,000 keys are
 * left when the rate is halved. Items take 1.5 MB, and entries as much at most. Memory is touched as it is used.
 */
const SLOTS = 40_960
/** The halvings after which the rate stays: 2,048 of all hashes are sampled. */
const HALVINGS_MAX = 21
const BUCKETS = 2 ** 14
/** The words before those of the classes, so that index 0 can mean none. */
const NOTHING = 16
const CLASS_WORDS = Size.Classes * ClassWord.Stride
const SLOTS_AT = NOTHING + COUNT * CLASS_WORDS
/** The most items that are evicted for one that comes. A model that has become smaller evicts more than one. */
const EVICTIONS_MAX = 4
/** The most items that an eviction looks at, as in allocator.ts. */
const EVICT_TRIES = 100
/** The most bytes of a model's ghosts, as many as the largest model can use. */
const GHOST_BYTES_MAX = 2 ** 17
/** The items that a step checks, so that expired ones go in about the time that the store's own walk takes. */
const SWEEP_SLOTS = Math.ceil(SLOTS / 512)

const enum EntryWord { Hash, Next, Until, Bits, Items, Stride = Items + COUNT }

/** The bits of an entry. */
const enum Bit {
  /** A bit for each model in which the item needs no more marks for a hit. */
  Settled = (1 << COUNT) - 1,
  /** The store has missed the key, so the next set comes from a client that the larger models would not have sent. */
  Awaited = 1 << COUNT,
}

/** The costs of an access in units of 0.05 µs, of compiled code: to note it and find its key, and for each model that changes. */
const COST = 1
export const COST_CHANGE = 4

/** The words of the classes of one model, in place of Slabs. */
class ModelClasses implements ClassWords {
  constructor(readonly classes: SlabClasses, private readonly words: Int32Array, private readonly at: number) {}

  word(slabClass: number, word: ClassWord): number { return this.at + slabClass * ClassWord.Stride + word }
  get(slabClass: number, word: ClassWord): number { return this.words[this.word(slabClass, word)]! }
  add(slabClass: number, word: ClassWord, amount: number): void { this.words[this.word(slabClass, word)]! += amount }
  classAt(item: ItemId): number { return this.words[item + ItemWord.CasLow]! & (Size.Classes - 1) }
}

export class Miniatures {
  /** The gets of the sample, and the hits of each model among them. A get counts for as many as it stands for. */
  gets = 0
  private readonly hits = new Float64Array(COUNT)
  /** The hits of all models at once. */
  private commonHits = 0
  /** The keys that at least one model has. */
  keyCount = 0
  /** The accesses to keys of the sample, and the changes of single models by them, since the models' user has set them to 0. */
  accesses = 0
  changes = 0
  private halvings = 0
  private sampledBelow: number = Below.All
  /** The accesses that an access to a key of the sample stands for. */
  private weight = 1
  private readonly words = new Int32Array(SLOTS_AT + SLOTS * ItemWord.Header)
  private readonly entries = new Int32Array((SLOTS + 1) * EntryWord.Stride)
  private readonly buckets = new Int32Array(BUCKETS)
  private readonly items: Items
  /** The lists count the items that they move here. It is not read. */
  private readonly counters = new Counters(new ArrayBuffer(Counters.bytesFor(1)), 0, 1, 0)
  private readonly classes: readonly ModelClasses[]
  private lrus: readonly Lru[] = []
  /** The bytes of chunks that each class of each model uses and may use. */
  private readonly used = new Float64Array(COUNT * Size.Classes)
  private readonly room = new Float64Array(COUNT * Size.Classes)
  /** The same of all classes together. */
  private readonly usedBytes = new Float64Array(COUNT)
  private readonly roomBytes = new Float64Array(COUNT)
  private isRoomKnown = false
  /** Free slots and entries, linked by their first word but one; and those that were never used. */
  private freeSlot = 0
  private slotsTaken = 0
  private freeSlots = SLOTS
  private freeEntry = 0
  private entriesTaken = 0
  /** The entry of the access under way, which is freed at its end if no model has its key. */
  private current = 0
  private sweepAt = 0
  private now = 0
  private flushedAt = 0
  private floor = 0

  constructor(private readonly store: Store) {
    const { words, store: { classes, context } } = this
    const memory = new Memory(new Uint8Array(words.buffer))
    this.items = new Items({ words, memory }, Size.Page, context.overhead, this.counters)
    this.classes = FACTORS.map((_, model) => new ModelClasses(classes, words, NOTHING + model * CLASS_WORDS))
    this.flushedAt = context.flushedAt
    this.makeLists()
  }

  /** The keys of the sample, see AccessSink. */
  get below(): number { return this.sampledBelow }

  /** The share of all keys that are in the sample. */
  get rate(): number { return 1 / this.weight }

  /** The hits of a model among the gets. */
  hitsOf(model: number): number { return this.commonHits + this.hits[model]! }

  /** Begins to count anew. The items stay. */
  resetCounts(): void {
    this.gets = this.commonHits = 0
    this.hits.fill(0)
  }

  /** Called before accesses are taken, at least once for each background step. */
  refresh(): void {
    const { context } = this.store
    this.now = context.now
    this.isRoomKnown = false
    const { flushedAt, floor } = context
    if (flushedAt !== this.flushedAt || (floor !== 0 && floor !== this.floor)) this.clear()
    this.flushedAt = flushedAt
    this.floor = floor
  }

  /** Drops expired items, some at each call. */
  sweep(): void {
    for (let left = Math.min(SWEEP_SLOTS, this.slotsTaken); left > 0; left--) {
      this.sweepAt = this.sweepAt < this.slotsTaken ? this.sweepAt + 1 : 1
      const item = this.slot(this.sweepAt)
      if (this.items.has(item, State.Linked) && this.isDead(item)) this.remove(item)
    }
  }

  /** Takes an access, see AccessSink. Returns what it cost, in units of 0.05 µs. */
  take(access: Access, hash: number, itemBytes: number, expiresAt: number): number {
    if (this.freeSlots < COUNT) this.makeRoom()
    // the rate may have been halved since the access was noted
    if (spread(hash) >= this.sampledBelow) return COST
    this.accesses++
    const entry = this.find(hash)
    if (access <= Access.Miss) this.gets += this.weight
    if (access === Access.Hit && this.isSettled(entry)) {
      this.commonHits += this.weight
      return COST
    }
    if (entry === 0 && (access === Access.Miss || itemBytes === 0)) return COST
    if (itemBytes > this.store.context.settings.itemSizeMax) return COST
    this.current = entry
    const changes = this.apply(access, hash, itemBytes, expiresAt)
    this.current = 0
    this.changes += changes
    return COST + changes * COST_CHANGE
  }

  private isSettled(entry: number): boolean {
    return entry !== 0 && (this.word(entry, EntryWord.Bits) & Bit.Settled) === Bit.Settled && this.isFresh(entry)
  }

  /** True if no item of an entry has expired. */
  private isFresh(entry: number): boolean {
    const until = entry === 0 ? 0 : this.word(entry, EntryWord.Until)
    return until === 0 || until > this.now
  }

  /** Returns the number of models that it has changed. */
  private apply(access: Access, hash: number, itemBytes: number, expiresAt: number): number {
    const isFresh = access <= Access.Miss && this.isFresh(this.current)
    const settled = isFresh ? this.word(this.current, EntryWord.Bits) & Bit.Settled : 0
    const isUpdate = this.current !== 0 && (this.word(this.current, EntryWord.Bits) & Bit.Awaited) === 0
    if (access === Access.Stored && !isUpdate) this.setBits(this.current, 0, Bit.Awaited)
    let changes = 0
    for (let model = 0; model < COUNT; model++) {
      if ((settled & 1 << model) !== 0) {
        this.hits[model]! += this.weight
        continue
      }
      let item = this.itemOf(model)
      if (item !== NO_ITEM && this.isDead(item)) {
        this.remove(item)
        item = NO_ITEM
      }
      if (item === NO_ITEM) {
        if (access === Access.Deleted || itemBytes === 0) continue
        this.insert(model, hash, itemBytes, expiresAt, Segment.Hot, false)
      } else if (access === Access.Stored && !isUpdate) continue
      else this.accessed(access, model, item, itemBytes, expiresAt)
      changes++
    }
    if (this.current === 0) return changes
    if (access === Access.Miss) this.setBits(this.current, Bit.Awaited, 0)
    if (expiresAt !== 0 || this.word(this.current, EntryWord.Until) !== 0) this.setUntil(this.current)
    this.freeIfUnused(this.current)
    return changes
  }

  /** An access to a key that a model has. It is no set that a client of this model would not have sent. */
  private accessed(access: Access, model: number, item: ItemId, itemBytes: number, expiresAt: number): void {
    switch (access) {
      case Access.Hit: case Access.Miss:
        this.hits[model]! += this.weight
        return this.touch(model, item)
      case Access.Stored: return this.replace(model, item, itemBytes, expiresAt)
      case Access.Deleted: return this.remove(item)
      case Access.Touched:
        this.items.setExpiresAt(item, expiresAt)
        return this.touch(model, item)
      case Access.Used:
        if (this.lrus[model]!.promote(item, this.now)) this.toHead(model, item)
    }
  }

  private touch(model: number, item: ItemId): void {
    const lru = this.lrus[model]!
    if (lru.touchBits(item, this.now)) this.toHead(model, item)
    const needed = State.Active | State.Fetched
    const isSettled = lru.settings.lruSegmented && (this.items.state(item) & needed) === needed
    if (isSettled) this.setBits(this.current, 1 << model, 0)
  }

  /** Moves an item to the head of the flat list. */
  private toHead(model: number, item: ItemId): void { this.lrus[model]!.move(this.classOf(item), item, Segment.Cold) }

  /** As the store does: a value that stays in its class is overwritten; otherwise there is a new item. */
  private replace(model: number, item: ItemId, itemBytes: number, expiresAt: number): void {
    const { items } = this
    const lru = this.lrus[model]!
    const slabClass = this.classOf(item)
    const segment = items.segment(item)
    const isShortLived = lru.isShortLived(expiresAt, this.now)
    if (this.classFor(itemBytes) !== slabClass || (segment === Segment.Temp) !== isShortLived) {
      this.remove(item)
      return this.insert(model, this.word(this.current, EntryWord.Hash), itemBytes, expiresAt, segment, true)
    }
    lru.resize(slabClass, segment, itemBytes - items.bytesOf(item))
    this.charge(item, itemBytes)
    items.setExpiresAt(item, expiresAt)
    items.mark(item, State.Active)
    items.unmark(item, State.Fetched)
    items.setUsedAt(item, this.now)
    this.setBits(this.current, 0, 1 << model)
    if (!lru.settings.lruSegmented && segment !== Segment.Temp) this.toHead(model, item)
  }

  // Taking in

  /** @param replaces true if the item takes the place of one that was in the list `segment` */
  private insert(model: number, hash: number, itemBytes: number, expiresAt: number, segment: Segment, replaces: boolean): void {
    const { items, words } = this
    const lru = this.lrus[model]!
    const slabClass = this.classFor(itemBytes)
    if (!this.hasRoom(model, slabClass, this.chunkFor(itemBytes))) return
    if (this.current === 0) this.current = this.takeEntry(hash)
    const item = this.takeSlot()
    this.entries[this.current * EntryWord.Stride + EntryWord.Items + model] = item
    items.setChain(item, this.current as ItemId)
    items.setUsedAt(item, this.now)
    items.setExpiresAt(item, expiresAt)
    words[item + ItemWord.State] = State.Linked
    words[item + ItemWord.CasLow] = slabClass | (model << 8)
    words[item + ItemWord.CasHigh] = 0
    this.charge(item, itemBytes)
    lru.link(slabClass, item, replaces ? lru.segmentAfter(slabClass, segment, item, this.now)
      : lru.segmentFor(slabClass, hash, item, this.now))
  }

  /** Sets the size of an item, and what its class uses. */
  private charge(item: ItemId, itemBytes: number): void {
    const { words } = this
    const chunk = this.chunkFor(itemBytes)
    this.use(this.modelOf(item), this.classOf(item), chunk - words[item + ItemWord.CasHigh]!)
    words[item + ItemWord.CasHigh] = chunk
    this.items.setValueBytes(item, itemBytes - this.store.context.overhead)
  }

  /** Sets the first second at which an item of an entry has expired. */
  private setUntil(entry: number): void {
    let until = 0
    for (let model = 0; model < COUNT; model++) {
      const item = this.itemOf(model)
      const expiresAt = item === NO_ITEM ? 0 : this.items.expiresAt(item)
      if (expiresAt !== 0 && (until === 0 || expiresAt < until)) until = expiresAt
    }
    this.entries[entry * EntryWord.Stride + EntryWord.Until] = until
  }

  private use(model: number, slabClass: number, bytes: number): void {
    this.used[model * Size.Classes + slabClass]! += bytes
    this.usedBytes[model]! += bytes
  }

  /** The class whose lists have an item: large items are in those of the largest class. */
  private classFor(itemBytes: number): number {
    const { classes } = this.store
    const slabClass = classes.classFor(itemBytes)
    return slabClass === 0 ? classes.largest : slabClass
  }

  /** The bytes that an item takes. The pieces of a large one take about as many as it has. */
  private chunkFor(itemBytes: number): number {
    const { classes } = this.store
    const slabClass = classes.classFor(itemBytes)
    return slabClass === 0 ? itemBytes : classes.chunkBytes[slabClass]!
  }

  /**
   * Evicts items until a class has room for one of `bytes`; false if it has none. As long as a model has memory left, every class
   * may take of it. After that a class that has less than its share of it takes from the one that is the furthest above.
   */
  private hasRoom(model: number, slabClass: number, bytes: number): boolean {
    if (this.usedBytes[model]! + bytes <= this.roomBytes[model]!) return true
    if (!this.isRoomKnown) this.measureRoom()
    const at = model * Size.Classes + slabClass
    const isFirst = this.used[at] === 0
    for (let count = 0; count < EVICTIONS_MAX && this.usedBytes[model]! + bytes > this.roomBytes[model]!; count++) {
      if (!this.store.context.settings.evictions) return false
      const from = this.used[at]! + bytes > this.room[at]! ? slabClass : this.classAbove(model, slabClass)
      if (!this.evict(model, from)) return isFirst
    }
    return true
  }

  /** The class that uses the most memory beyond its share, or the given one if none does. */
  private classAbove(model: number, slabClass: number): number {
    let above = slabClass
    let most = 0
    for (let other = 1; other <= this.store.classes.largest; other++) {
      const at = model * Size.Classes + other
      const more = this.used[at]! - this.room[at]!
      if (more > most) [above, most] = [other, more]
    }
    return above
  }

  /** As in the store, see evictClassLocked of allocator.ts. */
  private evict(model: number, slabClass: number): boolean {
    const { items, now } = this
    const lru = this.lrus[model]!
    const { lruSegmented } = lru.settings
    if (!lruSegmented) lru.flatten(slabClass, EVICTIONS_MAX)
    for (let tries = 0; tries < EVICT_TRIES; tries++) {
      const item = this.nextToEvict(lru, slabClass)
      if (item === NO_ITEM) return false
      const isDead = this.isDead(item)
      if (!isDead && lruSegmented && tries < RESCUES_MAX && lru.isKept(item)) {
        lru.keep(slabClass, item)
        this.setBits(items.chain(item), 0, 1 << model)
        continue
      }
      if (!isDead) lru.noteEviction(slabClass, this.word(items.chain(item), EntryWord.Hash), item, now)
      this.remove(item)
      return true
    }
    return false
  }

  private nextToEvict(lru: Lru, slabClass: number): ItemId {
    const temp = lru.tail(slabClass, Segment.Temp)
    if (temp !== NO_ITEM && this.isDead(temp)) return temp
    const cold = lru.tail(slabClass, Segment.Cold)
    if (cold !== NO_ITEM && this.isDead(cold)) return cold
    return lru.settings.lruSegmented ? lru.nextToLeave(slabClass) : lru.oldest(slabClass)
  }

  private isDead(item: ItemId): boolean {
    const expiresAt = this.items.expiresAt(item)
    return expiresAt !== 0 && expiresAt <= this.now
  }

  /** Removes an item from its model. */
  private remove(item: ItemId): void {
    const { entries, items, words } = this
    const model = this.modelOf(item)
    const slabClass = this.classOf(item)
    const entry = items.chain(item) as number
    this.lrus[model]!.unlink(slabClass, item)
    this.use(model, slabClass, -words[item + ItemWord.CasHigh]!)
    words[item + ItemWord.State] = 0
    words[item + ItemWord.Next] = this.freeSlot
    this.freeSlot = item
    this.freeSlots++
    entries[entry * EntryWord.Stride + EntryWord.Items + model] = NO_ITEM
    this.setBits(entry, 0, 1 << model)
    if (entry !== this.current) this.freeIfUnused(entry)
  }

  // The room of the models

  /**
   * Divides the memory of each model among its classes: a page for each class that has one in the store, and the rest as in the
   * store at present. So the models follow the pages that move there.
   */
  private measureRoom(): void {
    const { room, store } = this
    const { classes: { largest }, maxbytes } = store
    this.isRoomKnown = true
    room.fill(0)
    let bytes = 0
    let firsts = 0
    let pages = 0
    for (let slabClass = 1; slabClass <= largest; slabClass++) {
      const count = this.pagesOf(slabClass)
      if (count === 0) continue
      pages += count
      bytes += count * store.classes.pageBytes(slabClass)
      firsts += store.classes.pageBytes(slabClass)
    }
    for (let model = 0; model < COUNT; model++) {
      const total = Math.max(usableBytes(FACTORS[model]! * maxbytes, bytes / Math.max(pages, 1)), firsts)
      const rest = total - firsts
      this.roomBytes[model] = total * this.rate
      for (let slabClass = 1; slabClass <= largest; slabClass++) {
        const count = this.pagesOf(slabClass)
        if (count === 0) continue
        const page = store.classes.pageBytes(slabClass)
        const share = bytes > firsts ? (count - 1) * page / (bytes - firsts) : page / firsts
        room[model * Size.Classes + slabClass] = (page + rest * share) * this.rate
      }
    }
  }

  private pagesOf(slabClass: number): number {
    return this.store.shards.reduce((sum, { slabs }) => sum + slabs.get(slabClass, ClassWord.PageCount), 0)
  }

  // The sample

  /** Halves the rate until there is a slot for the item in each model. */
  private makeRoom(): void {
    while (this.freeSlots < COUNT && this.halvings < HALVINGS_MAX) this.halve()
    assert(this.freeSlots >= COUNT, 'no slots for a key')
  }

  /** Halves the rate, and drops the items of the keys that leave the sample. */
  halve(): void {
    this.setHalvings(this.halvings + 1)
    for (let entry = 1; entry <= this.entriesTaken; entry++) {
      if (this.isEntryUsed(entry) && spread(this.word(entry, EntryWord.Hash)) >= this.sampledBelow) this.removeAll(entry)
    }
    this.makeLists()
    this.measureRoom()
  }

  private setHalvings(count: number): void {
    this.halvings = count
    this.weight = 1 << count
    // an integer for V8 too, as a field that becomes a double has it compile all methods again
    this.sampledBelow = count === 0 ? Below.All : Below.None + (1 << 31 - count >>> 0) * 2 | 0
  }

  /** Makes the lists anew over the same words, with ghosts as the rate wants them. */
  private makeLists(): void {
    const { counters, items, store: { maxbytes, tuning }, words } = this
    this.lrus = this.classes.map((classes, model) => {
      const scaled = Math.min(FACTORS[model]! * maxbytes * this.rate, GHOST_BYTES_MAX * GHOSTS_SHARE)
      const bytes = Math.max(scaled, 2 * GHOSTS_SHARE)
      const ghosts = new Ghosts({ buffer: new ArrayBuffer(Ghosts.bytesFor(bytes)) }, 0, bytes)
      return new Lru({ words }, items, classes, tuning, new Shares({ words }, classes, tuning, ghosts), counters)
    })
  }

  /** Forgets all items, as the store has been flushed. */
  private clear(): void {
    const { words, entries, buckets } = this
    words.fill(0, 0, SLOTS_AT + (this.slotsTaken + 1) * ItemWord.Header)
    entries.fill(0, 0, (this.entriesTaken + 1) * EntryWord.Stride)
    buckets.fill(0)
    this.used.fill(0)
    this.usedBytes.fill(0)
    this.freeSlot = this.slotsTaken = this.freeEntry = this.entriesTaken = this.keyCount = this.sweepAt = 0
    this.freeSlots = SLOTS
    this.setHalvings(0)
    this.makeLists()
  }

  /** Checks all models and throws at the first inconsistency, for tests. */
  verify(): void {
    const used = new Float64Array(this.used.length)
    const counts = new Float64Array(this.used.length)
    let [keys, slots] = [0, 0]
    for (let entry = 1; entry <= this.entriesTaken; entry++) {
      if (!this.isEntryUsed(entry)) continue
      keys++
      assert(this.find(this.word(entry, EntryWord.Hash)) === entry, 'an entry is not in its bucket')
      for (let model = 0; model < COUNT; model++) {
        const item = this.word(entry, EntryWord.Items + model) as ItemId
        if (item === NO_ITEM) continue
        slots++
        const at = model * Size.Classes + this.classOf(item)
        counts[at]!++
        used[at]! += this.words[item + ItemWord.CasHigh]!
        assert(this.items.has(item, State.Linked) && this.modelOf(item) === model, 'an item is in another model')
        assert((this.items.chain(item) as number) === entry, 'an item has another entry')
      }
    }
    assert(keys === this.keyCount, `${keys} keys, ${this.keyCount} are counted`)
    assert(slots === SLOTS - this.freeSlots, `${slots} items, ${SLOTS - this.freeSlots} slots are taken`)
    for (const [at, bytes] of used.entries()) {
      const { [Math.floor(at / Size.Classes)]: lru } = this.lrus
      let count = 0
      for (let list = Segment.Hot; list <= Segment.Temp; list++) count += lru!.get(at % Size.Classes, list, ListWord.Count)
      assert(count === counts[at], `${count} items in the lists of a class, it has ${counts[at]}`)
      assert(bytes === this.used[at], `a class uses ${bytes} bytes, ${this.used[at]} are counted`)
    }
  }

  // Slots and entries

  private slot(number: number): ItemId { return SLOTS_AT + (number - 1) * ItemWord.Header as ItemId }

  private modelOf(item: ItemId): number { return this.words[item + ItemWord.CasLow]! >>> 8 }
  private classOf(item: ItemId): number { return this.words[item + ItemWord.CasLow]! & (Size.Classes - 1) }

  private takeSlot(): ItemId {
    this.freeSlots--
    if (this.freeSlot === 0) return this.slot(++this.slotsTaken)
    const item = this.freeSlot as ItemId
    this.freeSlot = this.words[item + ItemWord.Next]!
    return item
  }

  private word(entry: number, word: EntryWord): number { return this.entries[entry * EntryWord.Stride + word]! }

  /** The item of the entry at work in a model. */
  private itemOf(model: number): ItemId {
    return this.current === 0 ? NO_ITEM : this.entries[this.current * EntryWord.Stride + EntryWord.Items + model]! as ItemId
  }

  private setBits(entry: number, set: number, cleared: number): void {
    if (entry === 0) return
    const at = entry * EntryWord.Stride + EntryWord.Bits
    this.entries[at] = (this.entries[at]! | set) & ~cleared
  }

  /** The entry of a key; 0 if no model has it. */
  private find(hash: number): number {
    let entry = this.buckets[hash & (BUCKETS - 1)]!
    while (entry !== 0 && this.word(entry, EntryWord.Hash) !== hash) entry = this.word(entry, EntryWord.Next)
    return entry
  }

  private takeEntry(hash: number): number {
    const { entries } = this
    const bucket = hash & (BUCKETS - 1)
    let entry = this.freeEntry
    if (entry === 0) entry = ++this.entriesTaken
    else this.freeEntry = this.word(entry, EntryWord.Next)
    const at = entry * EntryWord.Stride
    for (let word = EntryWord.Until; word < EntryWord.Stride; word++) entries[at + word] = 0
    entries[at + EntryWord.Hash] = hash
    entries[at + EntryWord.Next] = this.buckets[bucket]!
    this.buckets[bucket] = entry
    this.keyCount++
    return entry
  }

  private isEntryUsed(entry: number): boolean {
    const at = entry * EntryWord.Stride + EntryWord.Items
    for (let model = 0; model < COUNT; model++) if (this.entries[at + model] !== NO_ITEM) return true
    return false
  }

  private removeAll(entry: number): void {
    for (let model = 0; model < COUNT; model++) {
      const item = this.word(entry, EntryWord.Items + model)
      if (item !== NO_ITEM) this.remove(item as ItemId)
    }
  }

  private freeIfUnused(entry: number): void {
    if (entry === 0 || this.isEntryUsed(entry)) return
    const { entries } = this
    const bucket = this.word(entry, EntryWord.Hash) & (BUCKETS - 1)
    const next = this.word(entry, EntryWord.Next)
    let before = this.buckets[bucket]!
    if (before === entry) this.buckets[bucket] = next
    else {
      while (this.word(before, EntryWord.Next) !== entry) before = this.word(before, EntryWord.Next)
      entries[before * EntryWord.Stride + EntryWord.Next] = next
    }
    entries[entry * EntryWord.Stride + EntryWord.Next] = this.freeEntry
    this.freeEntry = entry
    this.keyCount--
  }
}

/** The bytes of pages that a store with a memory limit has: whole pages, and half a page or more at the end. See slabs.ts. */
function usableBytes(limit: number, pageBytes: number): number {
  const bytes = Math.max(limit - Ghosts.bytesFor(limit), 0)
  const rest = pageBytes > 0 ? bytes % pageBytes : bytes
  return rest >= Size.Page / 2 ? bytes : bytes - rest
}
