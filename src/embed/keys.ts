// Lists the keys of a cache in bounded steps. A store has one walk over its memory at a time.
import { MemslabError } from '../errors.js'
import { type ItemView } from '../store/view.js'
import { keyOf } from './decode.js'
import { type CacheKey } from './interface.js'
import { type CacheThread } from './thread.js'

/** The most keys of a step, beside those that no more are taken of. */
const KEYS_PER_STEP = 256

/** Takes the keys of a step. */
class KeyCollector {
  keys: CacheKey[] = []

  visit(view: ItemView): boolean {
    if (this.keys.length === KEYS_PER_STEP) return false
    const { bytes, keyStart, keyBytes } = view
    this.keys.push(keyOf(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes))))
    return true
  }
}

export function* listKeys(thread: CacheThread, prefix: CacheKey): IterableIterator<CacheKey> {
  thread.check()
  const walk = thread.store.tryWalkKeys(typeof prefix === 'string' ? Buffer.from(prefix) : prefix)
  if (walk === undefined) throw new MemslabError('EBUSY', 'keys are being listed already, of which there is one at a time')
  const collector = new KeyCollector()
  try {
    for (let isDone = false; !isDone;) {
      thread.check()
      isDone = thread.walk(walk, collector)
      const { keys } = collector
      collector.keys = []
      yield* keys
    }
  } finally { walk.close() }
}
