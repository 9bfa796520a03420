// A store without a server: the operations as a client means them, on strings. What a value is, is told by its bytes;
// long values are made from a short seed so that a mistake in any part of one shows.
import { defaultOptions } from '../../src/options/options.js'
import { Memory } from '../../src/memory/bytes.js'
import { Extra, type Mode, Request } from '../../src/store/request.js'
import { ClassSet } from '../../src/store/walks/crawler.js'
import { NO_ITEM, type ItemId, type Items } from '../../src/store/items/items.js'
import { Outcome } from '../../src/store/outcome.js'
import { Store, WALK_CHUNKS_MAX, type SharedStore, type StoreOptions } from '../../src/store/store.js'
import { Sweep } from '../../src/store/walks/sweep.js'
import { ManualClock } from './clock.js'

export class StoreUnderTest {
  readonly store: Store
  private readonly request: Request

  constructor(options: Partial<StoreOptions> | Store = {}, readonly clock = new ManualClock()) {
    const full = { ...defaultOptions(), ioBytes: 0, shared: false, threads: 1, ...options }
    this.store = options instanceof Store ? options : new Store(full, this.clock)
    this.request = new Request(new Uint8Array(0))
  }

  /** What another thread has made. @param thread the number of this one, from 1 */
  static attach(shared: SharedStore, thread: number): StoreUnderTest {
    const clock = new ManualClock()
    return new StoreUnderTest(Store.attach(shared, thread, clock), clock)
  }

  /** Drops every dead item, as the walk of the background does by and by. */
  reclaimDead(): void {
    const { context, shards } = this.store
    const sweep = new Sweep(shards, context)
    sweep.begin(ClassSet.all, 0, false)
    while (!sweep.step(WALK_CHUNKS_MAX));
  }

  /** The item of a key, which must be there. */
  find(key: string): { items: Items, item: ItemId } {
    const request = this.for(key)
    const shard = this.store.shardFor(request)
    const item = shard.acquire(request)
    shard.release(request)
    if (item === NO_ITEM) throw new Error(`no item for ${key}`)
    return { items: shard.items, item }
  }

  /** The request for a key, with the rest of it as it was. */
  for(key: string): Request {
    const { request } = this
    this.store.refreshTime()
    request.bytes = Buffer.from(key, 'latin1')
    request.keyStart = 0
    request.keyEnd = request.bytes.length
    request.hash = this.store.context.hash.of(request.bytes, 0, request.bytes.length)
    return request
  }

  /** @param flags, exptime as on the wire */
  put(mode: Mode, key: string, value: Uint8Array, flags = 0, exptime = 0, cas = 0): Outcome {
    const request = this.for(key)
    const shard = this.store.shardFor(request)
    request.mode = mode
    request.flags = flags
    request.expiresAt = this.store.expiryFor(exptime)
    request.valueBytes = value.length
    request.cas.set(0, cas)
    request.extras = Extra.None
    const isTooLarge = shard.isTooLarge(request, flags, value.length)
    const item = isTooLarge ? NO_ITEM : shard.reserve(request)
    if (item === NO_ITEM) {
      const outcome = isTooLarge ? Outcome.TooLarge : Outcome.NoMemory
      shard.refuse(request, outcome)
      return outcome
    }
    shard.items.writeValue(item, 0, value, 0, value.length)
    return shard.commit(request, item)
  }

  /** As `put`, with the whole value at hand, as a short request has it: it may be written over the old one. */
  putWhole(mode: Mode, key: string, value: Uint8Array, flags = 0, exptime = 0): Outcome {
    const request = this.for(key)
    const shard = this.store.shardFor(request)
    request.mode = mode
    request.extras = Extra.None
    request.flags = flags
    request.expiresAt = this.store.expiryFor(exptime)
    request.valueBytes = value.length
    request.bytes = Buffer.concat([request.bytes, value])
    const isTooLarge = shard.isTooLarge(request, flags, value.length)
    const outcome = isTooLarge ? Outcome.TooLarge : shard.put(request, request.keyEnd)
    if (outcome === Outcome.TooLarge || outcome === Outcome.NoMemory) shard.refuse(request, outcome)
    return outcome
  }

  get(key: string): { value: Buffer; flags: number; cas: number } | undefined {
    const request = this.for(key)
    const shard = this.store.shardFor(request)
    const item = shard.acquire(request)
    if (item === NO_ITEM) return void shard.release(request)
    const value = Buffer.alloc(shard.items.valueBytes(item))
    shard.items.readValue(item, 0, new Memory(value), 0, value.length)
    const found = { value, flags: shard.items.flags(item), cas: shard.items.casLow(item) }
    shard.release(request)
    return found
  }

  /** Pins the item of a key, as a slow reader does; returns what unpins it. */
  pin(key: string): () => void {
    const pinned = this.borrow(key)
    if (pinned === undefined) throw new Error(`no item for ${key}, or too many pins`)
    return pinned.end
  }

  /** As `pin`; the value can be read until the end. */
  borrow(key: string): { read: () => Buffer, end: () => void } | undefined {
    const request = this.for(key)
    const shard = this.store.shardFor(request)
    const item = shard.acquire(request)
    const isPinned = item !== NO_ITEM && shard.tryPinStripeLocked(item)
    shard.release(request)
    if (!isPinned) return undefined
    const read = () => {
      const value = Buffer.alloc(shard.items.valueBytes(item))
      shard.items.readValue(item, 0, new Memory(value), 0, value.length)
      return value
    }
    return { read, end: () => shard.unpin(item) }
  }

  /** @param extras bits of Extra; with them @param exptime of what stays of the item */
  delete(key: string, extras: number = Extra.None, exptime = 0): Outcome {
    const request = this.for(key)
    request.extras = extras
    request.flags = 0
    request.expiresAt = this.store.expiryFor(exptime)
    return this.store.shardFor(request).delete(request)
  }

  touch(key: string, exptime: number): Outcome {
    const request = this.for(key)
    request.expiresAt = this.store.expiryFor(exptime)
    return this.store.shardFor(request).touch(request)
  }

  /** The new number, or what came in its way. @param initial what a missing key begins with */
  add(key: string, delta: bigint, initial?: bigint): bigint | Outcome {
    const request = this.for(key)
    request.extras = initial === undefined ? Extra.None : Extra.Vivify
    request.initial.setBigInt(initial ?? 0n)
    request.expiresAt = 0
    request.isDecrement = delta < 0n
    request.number.setBigInt(delta < 0n ? -delta : delta)
    const outcome = this.store.shardFor(request).arithmetic(request)
    return outcome === Outcome.Number ? request.number.toBigInt() : outcome
  }

  /** Background steps: at most `stepsMax` of one page that moves, after what decides about it. @returns whether it has come to its end */
  movePages(stepsMax = 200): boolean {
    this.store.balanceStep()
    for (let steps = 0; steps < stepsMax; steps++) if (!this.store.moveStep()) return true
    return false
  }

  /** @param refs how many items the test holds */
  verify(refs = 0): void {
    this.store.verify()
    if (this.store.refCount !== refs) throw new Error(`${this.store.refCount} items are held, not ${refs}`)
  }
}

/** `count` bytes that depend on the seed and on their place. */
export function bytesOf(seed: number, count: number): Buffer {
  const bytes = Buffer.alloc(count)
  for (let at = 0; at < count; at++) bytes[at] = (seed * 31 + at * 7 + (at >>> 8)) & 0xff
  return bytes
}
