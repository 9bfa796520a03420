// Accesses: what clients do with the keys of a sample, for a part outside the store that asks for it (insight/sizing.ts). Whether
// a key belongs to the sample depends on its hash alone, so all accesses to a key are noted or none. An access to another key
// costs one multiplication and one comparison.
import { Want, type Request } from './request.js'

/** What a client did with a key. */
export const enum Access {
  /** A get that found the item, and one that did not. */
  Hit, Miss,
  /** The key has a new value. */
  Stored,
  Deleted,
  /** The item has another expiration time. A get that sets it counts as this alone. */
  Touched,
  /** incr or decr. */
  Used,
}

/** A receiver of the accesses of one thread. */
export interface AccessSink {
  /** The keys of the sample: those for which `spread(hash)` is below this. It may change at any time. */
  readonly below: number
  /**
   * Takes an access. The thread holds no lock.
   * @param itemBytes the size of the item as memcached counts it, 0 if it is not known; @param expiresAt as that of an item
   */
  note(access: Access, hash: number, itemBytes: number, expiresAt: number): void
}

/** The facts about an item that a sink is given, as ItemView has them. */
interface Item { readonly itemBytes: number; readonly expiresAt: number }

/** The values of `below` for no key and for every key, but for one hash in four billion. */
export const enum Below { None = -0x80000000, All = 0x7fffffff }

/** Mixes the low bits of a hash into the high ones, as the low ones choose the bucket and the high ones the shard. */
export function spread(hash: number): number { return Math.imul(hash, 0x9e3779b1) }

const TOUCHES = Want.Touch | Want.NewExpiry

export class Accesses {
  /** As that of the sink, updated once for each batch of requests. */
  private below: number = Below.None
  private sink: AccessSink | undefined

  /** Gives this thread a sink. */
  begin(sink: AccessSink): void {
    this.sink = sink
    this.refresh()
  }

  /** Called together with Store.refreshTime. */
  refresh(): void { if (this.sink !== undefined) this.below = this.sink.below }

  isSampled(hash: number): boolean { return Math.imul(hash, 0x9e3779b1) < this.below }

  /** Notes a get of a sampled key. @param item the item of a hit. It may be gone by now, and then these are any numbers */
  got({ hash, wants }: Request, isHit: boolean, item: Item): void {
    if ((wants & Want.Peek) !== 0) return
    if (!isHit) {
      if ((wants & Want.Touch) === 0) this.note(Access.Miss, hash, 0, 0)
      return
    }
    this.note((wants & TOUCHES) === 0 ? Access.Hit : Access.Touched, hash, item.itemBytes, item.expiresAt)
  }

  note(access: Access, hash: number, itemBytes: number, expiresAt: number): void {
    this.sink?.note(access, hash, itemBytes, expiresAt)
  }
}
