// The public interface of the package: the exports of `require('memslab')` and, through index.mts, of `import`. Anything that is
// not exported here may change at any time.
import { type ServerOptions } from './options/memory.js'
import { type ServerParts } from './server/parts.js'
import { Server } from './server/server.js'
import { packageVersion } from './version.js'

export { type Clock, type Origin, SystemClock } from './clock.js'
export { Cache, type CacheConstructor } from './embed/cache.js'
export { type CacheEvent, type CacheEventName, type CacheHandle, type CacheItem, type CacheKey, type CacheListener,
  type CacheStats, type CountOptions, type GetOrSetOptions, type LeaveReason, type WriteOptions } from './embed/interface.js'
export { type CacheOptions } from './embed/options.js'
export { type Codec } from './embed/values.js'
export { ERROR_CODES, MemslabError, type MemslabErrorCode } from './errors.js'
export { type ServerAddress } from './options/address.js'
export { type Duration } from './options/durations.js'
export { type ServerOptions } from './options/memory.js'
export { type Options, type ProfileName, type ProtocolName } from './options/values.js'
export { type DuplexStream, type ServerParts } from './server/parts.js'
export { Server } from './server/server.js'
export { PROTOCOL_VERSION } from './version.js'

/** The version of this package. */
export const PACKAGE_VERSION: string = packageVersion()

/**
 * Makes a server; `listen` opens it. Options have the names and defaults of the command line, but sizes are in bytes, except for
 * `memory`.
 * Its time begins with `Date.now()` at this moment and follows the machine's monotonic clock. Neither setting the machine's clock
 * nor a test's fake timers move it. See `Clock` for passing another clock.
 * @throws MemslabError with code 'EUSAGE' and all `problems`, if an option is wrong
 */
export function createServer(options: ServerOptions = {}, parts: ServerParts = {}): Server {
  return new Server(options, parts)
}
