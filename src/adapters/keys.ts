// The keys of adapters. A key of memcached has 250 bytes at most, while keys of programs may be longer. Adapters list and clear
// keys by their prefix, in steps between which the program goes on.
import { createHash } from 'node:crypto'
import { type Cache } from '../embed/cache.js'
import { MemslabError } from '../errors.js'
import { setTimeout, turn } from '../timers.js'

/** The most bytes of a key. */
const KEY_MAX = 250
/** The bytes of a hash in a shortened key, with the sign before it. */
const HASH_BYTES = 44
/** The most bytes in UTF-8 for each unit of a string. */
const UTF8_MAX = 3
/** The pause between two tries to list the keys, and the most tries: some ten seconds. */
const PAUSE_MS = 5
const TRIES_MAX = 2000
/** The keys that are handled before the program goes on. */
const KEYS_PER_TURN = 1000

/**
 * The key of the cache for a program's key: the same, or if that is too long, its beginning and its hash. The shortened key
 * stands for itself, too, so a program may use one that it has from a list.
 */
export function cacheKeyOf(key: string): string {
  if (key.length * UTF8_MAX <= KEY_MAX || Buffer.byteLength(key) <= KEY_MAX) return key
  const bytes = Buffer.from(key)
  let end = KEY_MAX - HASH_BYTES
  // not in the middle of a character
  while ((bytes[end]! & 0xc0) === 0x80) end--
  return `${bytes.toString('utf8', 0, end)}~${createHash('sha256').update(bytes).digest('base64url')}`
}

/**
 * The keys that begin with a prefix, without those that are no text. Waits while another thread or a client lists keys, as a
 * cache has one list at a time.
 */
export async function keysWith(cache: Cache, prefix: string): Promise<string[]> {
  for (let tries = 1; ; tries++) {
    try {
      return await listKeys(cache, prefix)
    } catch (error) {
      if (!(error instanceof MemslabError) || error.code !== 'EBUSY' || tries === TRIES_MAX) throw error
      await new Promise(resolve => { setTimeout(resolve, PAUSE_MS) })
    }
  }
}

async function listKeys(cache: Cache, prefix: string): Promise<string[]> {
  const keys: string[] = []
  let count = 0
  for (const key of cache.keys(prefix)) {
    if (typeof key === 'string') keys.push(key)
    if (++count % KEYS_PER_TURN === 0) await turn()
  }
  return keys
}

/** Deletes the keys that begin with a prefix. */
export async function deleteWith(cache: Cache, prefix: string): Promise<void> {
  let count = 0
  for (const key of await keysWith(cache, prefix)) {
    cache.delete(key)
    if (++count % KEYS_PER_TURN === 0) await turn()
  }
}
