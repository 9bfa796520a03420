// The public interface of the package: what `require('memslab')` gives, and by index.mts `import`.
import { type Options } from './options/options.js'
import { Server, type ServerParts } from './server/server.js'

export { type Clock, SystemClock } from './clock.js'
export { MemslabError } from './errors.js'
export { type Options } from './options/options.js'
export { Server, type ServerAddress, type ServerParts } from './server/server.js'
export { PACKAGE_VERSION, PROTOCOL_VERSION } from './version.js'

/**
 * Makes a server; `listen` opens it. Options have the names and defaults of the command line, but sizes are in bytes.
 * Its time begins with `Date.now()` at this moment and goes on by the machine's monotonic clock; neither a clock that is set nor
 * a test's fake timers move it. See `Clock` for handing in another.
 * @throws MemslabError with code 'EUSAGE' and all `problems` in words, if an option is wrong
 */
export function createServer(options: Partial<Options> = {}, parts: ServerParts = {}): Server {
  return new Server(options, parts)
}
