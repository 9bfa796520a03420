// A thread of terminate.long.test.ts: it does everything that a cache offers, at random, until it is told to stop or terminated.
// Like attached.ts, it imports nothing of support/. Each value begins with its key and a letter, and the letter is all the rest
// of it. So a value that is torn is recognized.
import { parentPort, workerData } from 'node:worker_threads'
import { Cache, MemslabError, type CacheHandle } from '../../src/index.js'

export interface HammerData {
  readonly handle: CacheHandle
  readonly seed: number
  /** Word 0 says that it is time to stop; word 1 counts the threads that have begun. */
  readonly words: Int32Array
  /** The word for the additions that this thread has made to the counter. */
  readonly countWord: number
}

export const COUNTER = 'counter'
const KEYS = 60
/** Mostly small ones, so that the threads are in the store most of the time. */
const SIZES = [10, 30, 100, 100, 1000, 1000]
const LARGE_SIZES = [9000, 20_000, 300_000, 700_000]
const LARGE_SHARE = 40
/** Errors that pass: other threads hold what little memory there is, or list keys. */
const PASSING = ['EFULL', 'EBUSY']

/** What came of it: nothing wrong, the code of the error that closed the cache, or what is wrong. */
export type HammerEnd = 'stopped' | 'EDIED' | { readonly wrong: string }

export function checkValue(key: string, value: Uint8Array): void {
  const head = `${key}:`
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  const letter = bytes[head.length]
  let isRight = bytes.toString('latin1', 0, head.length) === head
  // some bytes of a long value: comparing all would take most of the time
  for (let at = head.length; at < bytes.length; at += 1 + (bytes.length >> 8)) if (bytes[at] !== letter) isRight = false
  if (bytes[bytes.length - 1] !== letter) isRight = false
  if (!isRight) throw new Error(`the value of ${key} is wrong: ${bytes.toString('latin1', 0, 40)}, ${bytes.length} bytes`)
}

/** Numbers from 0 below a limit, which follow from the seed. */
function numbersFrom(seed: number): (limit: number) => number {
  let state = seed | 1
  return limit => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % limit
  }
}

async function hammer({ handle, seed, words, countWord }: HammerData): Promise<void> {
  const below = numbersFrom(seed)
  const cache = Cache.attach(handle)
  const made = (key: string): Buffer => {
    const sizes = below(LARGE_SHARE) === 0 ? LARGE_SIZES : SIZES
    const bytes = Buffer.alloc(sizes[below(sizes.length)]!, 97 + below(26))
    bytes.write(`${key}:`)
    return bytes
  }
  const step = async (): Promise<void> => {
    const key = `key${below(KEYS)}`
    switch (below(10)) {
      case 0: case 1:
        cache.set(key, made(key))
        break
      case 2: case 3: {
        const value = cache.get(key)
        if (value !== undefined) checkValue(key, value)
        break
      }
      case 4:
        cache.getView(key, view => {
          if (below(4) === 0) cache.delete(key)
          checkValue(key, view)
        })
        break
      case 5:
        cache.incr(COUNTER, 1, { initial: 1 })
        Atomics.add(words, countWord, 1)
        break
      case 6:
        cache.delete(key)
        break
      case 7: {
        const { cas } = cache.gets(key) ?? {}
        if (cas !== undefined) cache.cas(key, made(key), cas, { ttl: '1h' })
        break
      }
      case 8:
        checkValue(key, await cache.getOrSet(key, () => made(key), { lease: '1m' }))
        break
      case 9:
        if (below(50) > 0) break
        for (const listed of cache.keys('key1')) cache.touch(listed, '1h')
    }
  }
  Atomics.add(words, 1, 1)
  while (Atomics.load(words, 0) === 0) {
    try {
      await step()
    } catch (error) { if (!(error instanceof MemslabError) || !PASSING.includes(error.code)) throw error }
  }
  cache.close()
}

if (parentPort !== null) {
  const port = parentPort
  const end = (how: HammerEnd): void => port.postMessage(how)
  hammer(workerData as HammerData).then(() => end('stopped'), (error: unknown) => {
    if (error instanceof MemslabError && error.code === 'EDIED') end('EDIED')
    else end({ wrong: error instanceof Error ? error.stack ?? error.message : String(error) })
  })
}
