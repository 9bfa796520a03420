// `memslab/node-test`, for node:test: a server for the tests of one file; or, as the module of --test-global-setup, one for all
// files, at process.env.MEMCACHED_URL.
import { type TestServerOptions } from '../interface.js'
import { TestServer } from '../server.js'
import { setVariables, startShared, stopShared } from './shared.js'

/**
 * Makes a server that starts before the tests of this file, or of the suite in which this is called, and stops after them.
 * @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong
 */
export function memcached(options?: TestServerOptions): TestServer {
  const { after, before } = require('node:test') as typeof import('node:test')
  const server = new TestServer(options)
  let restore = (): void => {}
  before(async () => {
    await server.start()
    restore = setVariables(server)
  })
  after(async () => {
    restore()
    await server.stop()
  })
  return server
}

/** Starts a server for all test files. Node.js calls this for the module of --test-global-setup. */
export async function globalSetup(): Promise<void> { await startShared(undefined) }

/** Stops it. */
export async function globalTeardown(): Promise<void> { await stopShared() }
