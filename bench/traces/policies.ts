// Caches that are only simulated, to compare those of servers with. Each counts the hits of a trace in a cache that holds so many
// items, whatever their size; a key that is missing is always taken in. Keys are numbers from 0 to the greatest in the trace.

export type Policy = (keys: Uint32Array, capacity: number) => number

export const policies: Readonly<Record<string, Policy>> = { 'LRU': lruHits, 'S3-FIFO': s3FifoHits, 'oracle': oracleHits }

const USES_MAX = 3
const SMALL_SHARE = 0.1

// The item that was used the longest ago has to go.
export function lruHits(keys: Uint32Array, capacity: number): number {
  const cached = new Set<number>()   // in the order of their last use
  let hits = 0
  for (const key of keys) {
    if (cached.delete(key)) hits++
    else if (cached.size === capacity) takeOldest(cached)
    cached.add(key)
  }
  return hits
}

// S3-FIFO, as its paper has it (Yang et al., "FIFO queues are all you need for cache eviction", 2023): a new item enters a small
// queue of a tenth of the cache. If it was used at least twice there it moves on to the main queue, and if not it has to go, but
// its key is remembered: when it comes back it enters the main queue at once. In the main queue an item goes round once more for
// each of up to three uses.
export function s3FifoHits(keys: Uint32Array, capacity: number): number {
  const smallMax = Math.max(1, Math.floor(capacity * SMALL_SHARE))
  const [small, main, ghost] = [new Set<number>(), new Set<number>(), new Set<number>()]
  const uses = new Uint8Array(maxOf(keys) + 1)
  let hits = 0
  for (const key of keys) {
    if (small.has(key) || main.has(key)) {
      hits++
      uses[key] = Math.min(USES_MAX, uses[key]! + 1)
      continue
    }
    while (small.size + main.size === capacity) {
      if (small.size >= smallMax || main.size === 0) leaveSmall()
      else leaveMain()
    }
    uses[key] = 0
    if (ghost.delete(key)) main.add(key)
    else small.add(key)
  }
  return hits

  function leaveSmall(): void {
    const key = takeOldest(small)
    if (uses[key]! > 1) {
      uses[key] = 0
      main.add(key)
    } else {
      ghost.add(key)
      if (ghost.size > capacity - smallMax) takeOldest(ghost)
    }
  }

  function leaveMain(): void {
    const key = takeOldest(main)
    if (uses[key]! > 0) {
      uses[key]!--
      main.add(key)
    }
  }
}

// The best that is possible (Belady's MIN): the item has to go whose next use is the farthest away.
export function oracleHits(keys: Uint32Array, capacity: number): number {
  const nextUses = nextUsesOf(keys)
  const isCached = new Uint8Array(maxOf(keys) + 1)
  const useless: number[] = []     // keys of the cache that never come again
  const coming = new MaxHeap()     // when the others come again, and times that are past
  let size = 0
  let hits = 0
  for (const [now, key] of keys.entries()) {
    if (isCached[key] === 1) {
      hits++
    } else {
      if (size === capacity) isCached[useless.pop() ?? keys[coming.takeMax()]!] = 0
      else size++
      isCached[key] = 1
    }
    if (nextUses[now] === keys.length) useless.push(key)
    else coming.add(nextUses[now]!)
  }
  return hits
}

// For each request when its key is asked for again: the index of that request, or the length where it never is.
function nextUsesOf(keys: Uint32Array): Uint32Array {
  const nextUseOf = new Uint32Array(maxOf(keys) + 1).fill(keys.length)
  const nextUses = new Uint32Array(keys.length)
  for (let at = keys.length - 1; at >= 0; at--) {
    nextUses[at] = nextUseOf[keys[at]!]!
    nextUseOf[keys[at]!] = at
  }
  return nextUses
}

function maxOf(keys: Uint32Array): number {
  return keys.reduce((max, key) => Math.max(max, key), 0)
}

function takeOldest(keys: Set<number>): number {
  const [oldest] = keys
  keys.delete(oldest!)
  return oldest!
}

// A binary heap: no number is greater than that at half its place.
class MaxHeap {
  private readonly numbers: number[] = [Infinity]   // above the first, which has place 1

  add(number: number): void {
    let place = this.numbers.length
    for (; this.numbers[place >> 1]! < number; place >>= 1) this.numbers[place] = this.numbers[place >> 1]!
    this.numbers[place] = number
  }

  takeMax(): number {
    const { numbers } = this
    const max = numbers[1]!
    const last = numbers.pop()!
    let place = 1
    for (;;) {
      let below = 2 * place
      if (below + 1 < numbers.length && numbers[below + 1]! > numbers[below]!) below++
      if (below >= numbers.length || numbers[below]! <= last) break
      numbers[place] = numbers[below]!
      place = below
    }
    if (numbers.length > 1) numbers[place] = last
    return max
  }
}
