// Ghosts: a small trace of each item that was evicted lately, from which the lists learn that they evicted it too early
// (shares.ts). All classes share one table of half-words. The hash of a key gives its place, and the newest ghost of a place
// stays:
//
//   bit 0-8        9-10    11-15
//   hash >>> 23    kind    time
//
// `time` is that of the item's class when it was evicted: a number that advances as the class evicts (see Shares.advance), from 1
// to 28 and around. A place that is 0 has no ghost.
//
// A ghost may be that of another key with a similar hash. And there is no lock on the table, so that one thread may overwrite
// what another has just written. Then one item starts in another list than it should, which does no harm.
import { type Arena } from '../../memory/arena.js'
import { Size } from '../../memory/layout.js'

const enum Bits { HashShift = 23, HashMask = 0x1ff, KindShift = 9, KindMask = 3, TimeShift = 11 }

/** The evictions of a class after which its time advances: its items divided by this. */
export const EVICTIONS_SHARE = 4
/** The age above which a ghost is forgotten. By then its class has evicted three quarters as many items as it has, or more. */
const AGE_MAX = 3
/** The number of times, a multiple of EVICTIONS_SHARE. */
const TIMES = 28
/** The table takes at most the memory limit divided by this, and so counts as part of it: see Store. */
export const GHOSTS_SHARE = 256
/** The largest table, for which the first arena has room. */
const BYTES_MAX = 32 * Size.Page

/** The list that an item was evicted from; WasWarm for one that had come to COLD from WARM. None stands for no ghost. */
export const enum Ghost { None, Hot, Cold, WasWarm }

export class Ghosts {
  private readonly places: Uint16Array
  private readonly mask: number

  /** The bytes of the table for a memory limit, a power of two. */
  static bytesFor(maxbytes: number): number {
    return 2 ** Math.floor(Math.log2(Math.min(maxbytes / GHOSTS_SHARE, BYTES_MAX)))
  }

  /** @param at byte index of `bytesFor(maxbytes)` bytes, which are 0 at the start */
  constructor(arena: Pick<Arena, 'buffer'>, at: number, maxbytes: number) {
    const count = Ghosts.bytesFor(maxbytes) / 2
    this.places = new Uint16Array(arena.buffer, at, count)
    this.mask = count - 1
  }

  /** The time after `time`. */
  static timeAfter(time: number): number { return time % TIMES + 1 }

  /** Leaves a ghost of an item that is evicted. @param time the time of its class */
  add(hash: number, ghost: Ghost, time: number): void {
    this.places[hash & this.mask] = (hash >>> Bits.HashShift) | (ghost << Bits.KindShift) | (time << Bits.TimeShift)
  }

  /** Takes the ghost of a key that is stored again. @param time the time of its class */
  take(hash: number, time: number): Ghost {
    const { places } = this
    const at = hash & this.mask
    const place = places[at]!
    if (place === 0 || (place & Bits.HashMask) !== hash >>> Bits.HashShift) return Ghost.None
    places[at] = 0
    const age = (time - (place >>> Bits.TimeShift) + TIMES) % TIMES
    return age > AGE_MAX ? Ghost.None : (place >>> Bits.KindShift) & Bits.KindMask
  }
}
