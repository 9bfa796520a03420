// Loops over raw bytes. No other file needs to know which way of copying is fastest for which size.
//
// Measured on Node 20, in nanoseconds for 20 / 100 bytes inside one buffer: a loop over bytes 28 / 130; over words through a
// DataView, which need not be aligned, 7 / 38; copyWithin 24 / 24, and up to 90 in shared memory; memory.copy of WebAssembly
// 9 / 9. Comparing 20 bytes takes 32 by bytes and 13 by words. The loops over words advance their indexes, as adding a counter to
// each index takes a third longer. `set` with a new view, the only way between two buffers, takes two to four times as long as
// copyWithin.
import { type Instructions } from './wasm.js'

/** The most bytes for which a loop over words is the fastest copy inside a buffer. */
const WORDS_MAX = 24
/** The most bytes for which a loop over bytes is the fastest copy between two buffers. */
const LOOP_MAX = 24

/** One buffer seen as bytes and as words at any index. */
export class Memory {
  private readonly view: DataView

  /** @param copyInside copies inside the buffer, all of which `bytes` must cover; without it, copyWithin does */
  constructor(readonly bytes: Uint8Array, private readonly copyInside?: Instructions['copy']) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  /** Writes a 32-bit number, its highest byte first. */
  writeUint32(at: number, value: number): void { this.view.setInt32(at, value) }

  /** Copies `count` bytes inside this memory; the two ranges do not overlap. */
  move(fromAt: number, toAt: number, count: number): void {
    if (count <= WORDS_MAX) this.moveWords(fromAt, toAt, count)
    else if (this.copyInside !== undefined) this.copyInside(toAt, fromAt, count)
    else this.bytes.copyWithin(toAt, fromAt, fromAt + count)
  }

  private moveWords(fromAt: number, toAt: number, count: number): void {
    if (count < 4) return this.moveFew(fromAt, toAt, count)
    const { view } = this
    const lastFrom = fromAt + count - 4
    const lastTo = toAt + count - 4
    for (; fromAt < lastFrom; fromAt += 4, toAt += 4) view.setInt32(toAt, view.getInt32(fromAt, true), true)
    // the last word ends with the last byte; bytes that it shares with the word before are copied twice
    view.setInt32(lastTo, view.getInt32(lastFrom, true), true)
  }

  private moveFew(fromAt: number, toAt: number, count: number): void {
    const { bytes } = this
    for (let i = 0; i < count; i++) bytes[toAt + i] = bytes[fromAt + i]!
  }

  /** Copies `count` bytes from any array, which may be this memory's. */
  copyFrom(from: Uint8Array, fromAt: number, toAt: number, count: number): void {
    if (from === this.bytes) this.move(fromAt, toAt, count)
    else copy(from, fromAt, this.bytes, toAt, count)
  }

  /** True if the `count` bytes at `at` equal those at `otherAt` in `other`, which may be this memory's array. */
  equals(at: number, other: Uint8Array, otherAt: number, count: number): boolean {
    const { bytes, view } = this
    if (other !== bytes || count < 4) return equal(bytes, at, other, otherAt, count)
    const last = at + count - 4
    const otherLast = otherAt + count - 4
    for (; at < last; at += 4, otherAt += 4) if (view.getInt32(at, true) !== view.getInt32(otherAt, true)) return false
    return view.getInt32(last, true) === view.getInt32(otherLast, true)
  }
}

function equal(bytes: Uint8Array, at: number, other: Uint8Array, otherAt: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (bytes[at + i] !== other[otherAt + i]) return false
  return true
}

/** The index of the first occurrence of `byte` in `[start, end)`; -1 for none. */
export function find(bytes: Uint8Array, byte: number, start: number, end: number): number {
  for (let at = start; at < end; at++) if (bytes[at] === byte) return at
  return -1
}

/** Copies `count` bytes between two arrays. */
export function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, count: number): void {
  if (count <= LOOP_MAX) for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!
  else to.set(from.subarray(fromAt, fromAt + count), toAt)
}
