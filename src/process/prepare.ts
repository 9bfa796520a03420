// What a start does before the server is loaded, which takes most of its time: it reads the files that only root may read,
// changes the user and listens. From then on clients wait, rather than being refused.
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
  /** With -t 1. */
  readonly listeners: Listeners | undefined
  /** With more. */
  readonly first: FirstThreads | undefined
}

/**
 * Rejects with a MemslabError if something cannot be read or opened; but with several threads it is the first of them that
 * listens, and the server hears of it.
 */
export async function prepare(given: Options, complain: (line: string) => void): Promise<Preparations> {
  const options = withLastingPaths(given)
  const files = await readFiles(options)
  // A key that only root may read has been read by root. Then, as in memcached, the user changes before anything is opened:
  // socket, pid file and port file are the user's.
  if (options.user !== undefined) {
    const { becomeUser } = await import('./user.js')
    becomeUser(options.user, complain)
  }
  if (options.threads > 1) {
    const { startFirstThreads } = await import('../server/start.js')
    return { options, files, listeners: undefined, first: startFirstThreads(options, canStartBesideClients(options)) }
  }
  const { Listeners } = await import('../net/listeners.js')
  const listeners = new Listeners(options, undefined)
  await listeners.open()
  return { options, files, listeners, first: undefined }
}

async function readFiles(options: Options): Promise<SecretFiles> {
  if (!options.sslEnabled && usersFileOf(options) === undefined) return { users: undefined, certificates: undefined }
  const { readSecrets } = await import('../secrets/secrets.js')
  return readSecrets(options)
}

/** A daemon may read its files again long after it has moved away. */
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

/** A path that still leads there once a daemon has moved to the root directory. */
export function lasting(path: string | undefined): string | undefined {
  return path === undefined || !isDaemon ? path : resolve(path)
}
