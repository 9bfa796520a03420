// The handle of a cache, with which other threads attach to it: everything they need, in a form that can be posted.
import { type SharedTime } from '../clock.js'
import { MemslabError } from '../errors.js'
import { type SharedStore } from '../store/store.js'
import { packageVersion } from '../version.js'
import { type CacheHandle } from './interface.js'
import { CacheMemory } from './memory.js'

/** The contents of a handle. */
export interface HandleParts extends CacheHandle {
  readonly store: SharedStore
  readonly memory: SharedArrayBuffer
  readonly time: SharedTime
  /** The memory of a MovableClock, if there is one. */
  readonly debugClock: SharedArrayBuffer | undefined
  /** The bytes of a thread's buffers that come before those of its cache. */
  readonly ioOffset: number
}

/** @throws MemslabError with code 'EHANDLE' for what is no handle, 'EVERSION' for the handle of another version */
export function readHandle(handle: unknown): HandleParts {
  const parts = handle as Partial<HandleParts> | null | undefined
  if (typeof parts !== 'object' || parts === null || typeof parts.memslab !== 'string') {
    throw new MemslabError('EHANDLE', 'Cache.attach takes the handle of a cache')
  }
  if (parts.memslab !== packageVersion()) {
    throw new MemslabError('EVERSION',
      `the cache is of memslab ${parts.memslab}, and this thread has memslab ${packageVersion()}`)
  }
  if (parts.store?.memories === undefined || parts.time === undefined || !isMemory(parts.memory)) {
    throw new MemslabError('EHANDLE', 'the handle is incomplete: a handle is posted as it is, not as JSON')
  }
  return parts as HandleParts
}

function isMemory(memory: unknown): boolean {
  return memory instanceof SharedArrayBuffer && memory.byteLength === CacheMemory.BYTES
}
