// The server that the hooks of a test runner share among all test files. The files may run in processes of their own, which find
// it by environment variables.
import { TestServer } from '../server.js'
import { type TestServerOptions } from '../interface.js'

/** The environment variables: the first is for any program; clients such as memjs read the second. */
const VARIABLES: Readonly<Record<string, (server: TestServer) => string>> = {
  MEMCACHED_URL: ({ url }) => url,
  MEMCACHE_SERVERS: ({ address }) => address,
}

let shared: TestServer | undefined
let restore = (): void => {}

/** Starts the shared server, in place of an earlier one. */
export async function startShared(options: TestServerOptions | undefined): Promise<TestServer> {
  await stopShared()
  shared = await TestServer.create(options)
  restore = setVariables(shared)
  return shared
}

/** Stops the shared server, if there is one. */
export async function stopShared(): Promise<void> {
  const server = shared
  shared = undefined
  if (server === undefined) return
  restore()
  await server.stop()
}

/** Sets the environment variables to where a server is. Returns the function that sets them to what they were. */
export function setVariables(server: TestServer): () => void {
  const before = Object.keys(VARIABLES).map(name => [name, process.env[name]] as const)
  for (const [name, valueOf] of Object.entries(VARIABLES)) process.env[name] = valueOf(server)
  return () => {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}
