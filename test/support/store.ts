// A store without a server: the operations as a client means them, on strings. What a value is, is told by its bytes;
// long values are made from a short seed so that a mistake in any part of one shows.
import { defaultOptions } from '../../src/options/options.js'
import { Memory } from '../../src/memory/bytes.js'
import { type Mode, Request, Want } from '../../src/store/request.js'
import { ClassSet } from '../../src/store/walks/crawler.js'
import { type ItemId, type Items } from '../../src/store/items/items.js'
import { Outcome } from '../../src/store/outcome.js'
import { Store, WALK_CHUNKS_MAX, type SharedStore, type StoreOptions } from '../../src/store/store.js'
import { type ItemView } from '../../src/store/view.js'
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

  /** The item of a key, which must be there; it counts as used. */
  find(key: string): { items: Items, item: ItemId } {
    if (this.get(key) === undefined) throw new Error(`no item for ${key}`)
    const { bytes, hash, keyStart, keyEnd } = this.request
    const { items, table } = this.store.shardOf(hash)
    return { items, item: table.find(hash, bytes, keyStart, keyEnd - keyStart) }
  }

  /** What a get sees of the item of a key; undefined if there is none. */
  look<Result>(key: string, read: (view: ItemView) => Result): Result | undefined {
    const request = this.for(key)
    request.wants = Want.None
    let result: Result | undefined
    this.store.get(request, { read: view => {
      result = read(view)
      return true
    } })
    return result
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

  /** Stores a value as if it came in parts. @param flags, exptime as on the wire */
  put(mode: Mode, key: string, value: Uint8Array, flags = 0, exptime = 0, cas = 0): Outcome {
    const request = this.forValue(mode, key, value, flags, exptime, cas)
    const filling = this.store.begin(request)
    if (typeof filling === 'number') return filling
    filling.write(0, value, 0, value.length)
    return filling.commit(request)
  }

  /** As `put`, with the whole value at hand, as a short request has it: it may be written over the old one. */
  putWhole(mode: Mode, key: string, value: Uint8Array, flags = 0, exptime = 0): Outcome {
    const request = this.forValue(mode, key, value, flags, exptime, 0)
    request.bytes = Buffer.concat([request.bytes, value])
    return this.store.set(request, request.keyEnd)
  }

  private forValue(mode: Mode, key: string, value: Uint8Array, flags: number, exptime: number, cas: number): Request {
    const request = this.for(key)
    request.mode = mode
    request.wants = Want.None
    request.flags = flags
    request.expiresAt = this.store.expiryFor(exptime)
    request.valueBytes = value.length
    request.cas.set(0, cas)
    return request
  }

  get(key: string): { value: Buffer; flags: number; cas: number } | undefined {
    return this.look(key, view => ({ value: valueOf(view), flags: view.flags, cas: view.casLow }))
  }

  /** Pins the item of a key, as a slow reader does; returns what unpins it. */
  pin(key: string): () => void {
    const pinned = this.borrow(key)
    if (pinned === undefined) throw new Error(`no item for ${key}, or too many pins`)
    return pinned.end
  }

  /** As `pin`; the value can be read until the end. */
  borrow(key: string): { read: () => Buffer, end: () => void } | undefined {
    const loan = this.look(key, view => view.lend())
    if (loan === undefined) return undefined
    const read = () => {
      const runs: Buffer[] = []
      for (let at = 0; at < loan.valueBytes; at += runs.at(-1)!.length) runs.push(Buffer.from(loan.bytesAt(at, loan.valueBytes)))
      return Buffer.concat(runs)
    }
    return { read, end: () => loan.end() }
  }

  /** @param wants bits of Want; with them @param exptime of what stays of the item */
  delete(key: string, wants: number = Want.None, exptime = 0): Outcome {
    const request = this.for(key)
    request.wants = wants
    request.flags = 0
    request.expiresAt = this.store.expiryFor(exptime)
    return this.store.delete(request)
  }

  touch(key: string, exptime: number): Outcome {
    const request = this.for(key)
    request.expiresAt = this.store.expiryFor(exptime)
    return this.store.touch(request)
  }

  /** The new number, or what came in its way. @param initial what a missing key begins with */
  add(key: string, delta: bigint, initial?: bigint): bigint | Outcome {
    const request = this.for(key)
    request.wants = initial === undefined ? Want.None : Want.Vivify
    request.initial.setBigInt(initial ?? 0n)
    request.expiresAt = request.vivifiedUntil = 0
    request.isDecrement = delta < 0n
    request.number.setBigInt(delta < 0n ? -delta : delta)
    const outcome = this.store.arithmetic(request)
    return outcome === Outcome.Number ? BigInt(String(request.digits)) : outcome
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

function valueOf(view: ItemView): Buffer {
  const value = Buffer.alloc(view.valueBytes)
  view.copyValue(new Memory(value), 0)
  return value
}

/** `count` bytes that depend on the seed and on their place. */
export function bytesOf(seed: number, count: number): Buffer {
  const bytes = Buffer.alloc(count)
  for (let at = 0; at < count; at++) bytes[at] = (seed * 31 + at * 7 + (at >>> 8)) & 0xff
  return bytes
}
