// `memslab/vitest`, for `globalSetup` of vitest: one server for all test files, at process.env.MEMCACHED_URL and
// inject('memcachedUrl').
import { type TestServerOptions } from '../interface.js'
import { startShared, stopShared } from './shared.js'

/** What a global setup of vitest gets: the project, or in older versions an object with its `provide`. */
export interface VitestProject { provide?: unknown }

/** A global setup of vitest, which starts a server with these options. It returns the function that stops it. */
export function memcached(options?: TestServerOptions): (project?: VitestProject) => Promise<() => Promise<void>> {
  return async project => {
    const { url } = await startShared(options)
    const providing = project as { provide?: (key: string, value: string) => void } | undefined
    providing?.provide?.('memcachedUrl', url)
    return stopShared
  }
}

/** The global setup with default options. */
export const globalSetup = memcached()

export default globalSetup
