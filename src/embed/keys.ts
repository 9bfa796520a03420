// Lists the keys of a cache in bounded steps. A store has one walk over its memory at a time, which belongs to a thread. If a
// second iterator begins in a thread, the first one collects its other keys at once, so any number of them may be open. One that
// rests for a second or two, as it may have been left unfinished, does so in steps, so that other threads and clients can list
// keys.
import { MemslabError } from '../errors.js'
import { isBytes } from '../options/embedded.js'
import { turn } from '../timers.js'
import { type ItemView } from '../store/view.js'
import { type KeyWalk } from '../store/walks/keys.js'
import { keyOf } from './decode.js'
import { type CacheKey } from './interface.js'
import { type CacheThread, type Listing } from './thread.js'

/** The most keys of a step. */
const KEYS_PER_STEP = 256
/** The steps of a walk that rested which are taken at once. */
const STEPS_PER_TURN = 4

/** The keys of a walk. */
class KeyListing implements Listing {
  private keys: CacheKey[] = []
  private room = KEYS_PER_STEP
  private isDone = false
  /** True if the iterator has asked for keys since the last tick of the thread. */
  private hasMoved = true
  private isFinishing = false

  constructor(private readonly thread: CacheThread, private readonly walk: KeyWalk) {}

  /** Takes a key for the walk, whose items are locked. */
  visit(view: ItemView): boolean {
    if (this.room === 0) return false
    this.room--
    const { bytes, keyStart, keyBytes } = view
    this.keys.push(keyOf(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes))))
    return true
  }

  /** The next keys, of which there may be none; undefined at the end. */
  next(): readonly CacheKey[] | undefined {
    this.hasMoved = true
    if (this.isDone && this.keys.length === 0) return undefined
    if (!this.isDone) this.step()
    const { keys } = this
    this.keys = []
    return keys
  }

  private step(): void {
    this.room = KEYS_PER_STEP
    this.isDone = this.thread.walk(this.walk, this)
  }

  finish(): void { while (!this.isDone) this.step() }

  finishIfResting(): void {
    if (this.hasMoved) this.hasMoved = false
    else if (!this.isFinishing) void this.finishInTurns()
  }

  private async finishInTurns(): Promise<void> {
    this.isFinishing = true
    try {
      for (let steps = 1; !this.isDone; steps++) {
        this.step()
        if (steps % STEPS_PER_TURN === 0) await turn()
      }
    } catch { /* the cache is closed now, and the iterator says so */ }
    // a program that has left the iterator should not keep the keys
    if (this.thread.listing === this) this.thread.listing = undefined
  }

  close(): void {
    this.isDone = true
    this.walk.close()
  }
}

/** @throws MemslabError, at its first step, while another thread or a client lists keys */
export function* listKeys(thread: CacheThread, prefix: CacheKey): IterableIterator<CacheKey> {
  thread.check()
  const bytes: unknown = typeof prefix === 'string' ? Buffer.from(prefix) : prefix
  if (!isBytes(bytes)) throw new MemslabError('EKEY', 'a prefix must be a string or a Uint8Array')
  thread.listing?.finish()
  const walk = thread.store.tryWalkKeys(bytes)
  if (walk === undefined) throw new MemslabError('EBUSY', 'another thread or a client lists keys, which one at a time can do')
  const listing = thread.listing = new KeyListing(thread, walk)
  try {
    for (;;) {
      thread.check()
      const keys = listing.next()
      if (keys === undefined) return
      yield* keys
    }
  } finally {
    listing.close()
    if (thread.listing === listing) thread.listing = undefined
  }
}
