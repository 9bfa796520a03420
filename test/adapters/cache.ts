// A cache for a test of an adapter, which ends with the test.
import { type Test } from 'tap'
import { Cache } from '../../src/embed/cache.js'
import { type CacheOptions } from '../../src/embed/options.js'
import '../support/fresh.js'

export function cacheOf(t: Pick<Test, 'teardown'>, options: CacheOptions = {}): Cache {
  const cache = new Cache({ memory: '4m', ...options })
  t.teardown(() => cache.close())
  return cache
}
