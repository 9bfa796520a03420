// The first steps of a start, before the server is loaded, which takes most of the time: the process reads the files that only
// root may read, changes its user and listens. From then on clients wait and are not refused.
import { resolve } from 'node:path'
import { isDaemon } from './daemon.js'
import { canStartBesideClients } from './limits.js'
import { type Listeners } from '../net/listeners.js'
import { type Options } from '../options/options.js'
import { usersFileOf } from '../options/users.js'
import { type SecretFiles } from '../secrets/secrets.js'
import { type FirstThreads } from '../server/start.js'

export interface Preparations {
  readonly options: Options
  readonly files: SecretFiles
  /** With -t 1: the open listeners. */
  readonly listeners: Listeners | undefined
  /** With more threads: the workers that have been started. */
  readonly first: FirstThreads | undefined
}

/**
 * Prepares the server, or with `--nodes` each of them. Rejects with a MemslabError if a file cannot be read or a listener cannot
 * be opened. With several threads the first worker listens, and `listen` of the server rejects if that fails.
 */
export async function prepare(given: Options, complain: (line: string) => void): Promise<Preparations[]> {
  const options = withLastingPaths(given)
  const files = await readFiles(options)
  // Root has read a key that only root may read. Now, as in memcached, the user changes before anything is opened, so that
  // socket, pid file and port file belong to that user.
  if (options.user !== undefined) {
    const { becomeUser } = await import('./user.js')
    becomeUser(options.user, complain)
  }
  const prepared: Preparations[] = []
  try {
    for (const node of optionsOfNodes(options)) prepared.push({ options: node, files, ...await beginToListen(node) })
  } catch (error) {
    for (const { listeners } of prepared) void listeners?.close()
    throw error
  }
  return prepared
}

/** The options of each server: those of nodes differ by their ports. */
function optionsOfNodes(options: Options): Options[] {
  const { nodes, port, udpport } = options
  if (nodes === 0) return [options]
  const nth = (first: number, index: number): number => first > 0 ? first + index : first
  return Array.from({ length: nodes }, (_, index) => ({ ...options, port: nth(port, index), udpport: nth(udpport, index) }))
}

async function beginToListen(options: Options): Promise<Pick<Preparations, 'listeners' | 'first'>> {
  if (options.threads > 1) {
    const { startFirstThreads } = await import('../server/start.js')
    return { listeners: undefined, first: startFirstThreads(options, canStartBesideClients(options)) }
  }
  const { Listeners } = await import('../net/listeners.js')
  const listeners = new Listeners(options, undefined)
  await listeners.open()
  return { listeners, first: undefined }
}

async function readFiles(options: Options): Promise<SecretFiles> {
  if (!options.sslEnabled && usersFileOf(options) === undefined) return { users: undefined, certificates: undefined }
  const { readSecrets } = await import('../secrets/secrets.js')
  return readSecrets(options)
}

/** The options with absolute paths in a daemon, which may read its files again after it has changed its directory. */
function withLastingPaths(given: Options): Options {
  const { socketPath, pidFile, authFile, saslPwdb, sslChainCert, sslKey, sslCaCert } = given
  return {
    ...given,
    socketPath: lasting(socketPath),
    pidFile: lasting(pidFile),
    authFile: lasting(authFile),
    saslPwdb: lasting(saslPwdb),
    sslChainCert: lasting(sslChainCert),
    sslKey: lasting(sslKey),
    sslCaCert: lasting(sslCaCert),
  }
}

/** The path made absolute in a daemon, which will change to the root directory. */
export function lasting(path: string | undefined): string | undefined {
  return path === undefined || !isDaemon ? path : resolve(path)
}
