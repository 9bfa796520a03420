// Loops over raw bytes. No other file needs to know which way of copying is quick for which size.

// Node 20, plain ArrayBuffer: below about 24 bytes a loop beats the call; copyWithin costs 25 to 40 ns up to a few KiB,
// `set` with a new view two to four times that, so it serves only copies between two buffers.
const LOOP_MAX = 24

/** Copies `count` bytes; the two ranges may lie in the same array but do not overlap. */
export function copy(from: Uint8Array, fromAt: number, to: Uint8Array, toAt: number, count: number): void {
  if (count <= LOOP_MAX) {
    for (let i = 0; i < count; i++) to[toAt + i] = from[fromAt + i]!
  } else if (from === to) {
    to.copyWithin(toAt, fromAt, fromAt + count)
  } else {
    to.set(from.subarray(fromAt, fromAt + count), toAt)
  }
}

export function equal(a: Uint8Array, aAt: number, b: Uint8Array, bAt: number, count: number): boolean {
  for (let i = 0; i < count; i++) {
    if (a[aAt + i] !== b[bAt + i]) return false
  }
  return true
}
