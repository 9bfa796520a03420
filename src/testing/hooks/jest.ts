// `memslab/jest`, for `globalSetup` of jest: one server for all test files, at process.env.MEMCACHED_URL. `memslab/jest/teardown`
// is the `globalTeardown`.
import { type TestServerOptions } from '../interface.js'
import { startShared } from './shared.js'

/** A global setup of jest, which starts a server with these options. */
export function memcached(options?: TestServerOptions): () => Promise<void> {
  return async () => { await startShared(options) }
}

/** The global setup with default options. */
export const globalSetup = memcached()

export default globalSetup
