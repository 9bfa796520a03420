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

/** The words of `AccessSink.bounds`: that for hits, and that for accesses of all other kinds. */
export const enum Bound { Others, Hits, Count }

/** A receiver of the accesses of one thread. */
export interface AccessSink {
  /** The bounds of the sample, by Bound: an access is noted if `spread(hash)` is below its own. They may change at any time. */
  readonly bounds: Int32Array
  /**
   * Takes an access. The thread holds no lock.
   * @param itemBytes the size of the item as memcached counts it, 0 if it is not known; @param expiresAt as that of an item
   */
  note(access: Access, hash: number, itemBytes: number, expiresAt: number): void
}

/** The facts about an item that a sink is given, as ItemView has them. */
interface Item { readonly itemBytes: number; readonly expiresAt: number }

/** The bounds for no key and for every key, but for one hash in four billion. */
export const enum Below { None = -0x80000000, All = 0x7fffffff }

/** Mixes the low bits of a hash into the high ones, as the low ones choose the bucket and the high ones the shard. */
export function spread(hash: number): number { return Math.imul(hash, 0x9e3779b1) }

const TOUCHES = Want.Touch | Want.NewExpiry

export class Accesses {
  /** Those of the sink. */
  private bounds: Int32Array = Int32Array.of(Below.None, Below.None)
  private sink: AccessSink | undefined

  /** Gives this thread a sink. */
  begin(sink: AccessSink): void {
    this.sink = sink
    this.bounds = sink.bounds
  }

  /** True if an access is to be noted that is no hit. */
  isSampled(hash: number): boolean { return Math.imul(hash, 0x9e3779b1) < this.bounds[Bound.Others]! }

  /** True if a get is to be noted. */
  isGetSampled({ hash, wants }: Request, isHit: boolean): boolean {
    const bound = isHit && (wants & TOUCHES) === 0 ? Bound.Hits : Bound.Others
    return Math.imul(hash, 0x9e3779b1) < this.bounds[bound]!
  }

  /** Notes such a get. @param item the item of a hit. It may be gone by now, and then these are any numbers */
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
