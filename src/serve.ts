// A server's life as a process: who it runs as, the files that tell others about it, and the signals that end it or have
// it read its files again.
import { resolve } from 'node:path'
import { isDaemon, leaveTerminal } from './daemon.js'
import { removePidFile, writePidFile, writePortFile } from './files.js'
import { type CommandLine, type Options } from './options.js'
import { Server } from './server.js'
import { becomeUser } from './user.js'

/**
 * Serves until a signal or the `shutdown` command ends it. Rejects with a MemslabError if it cannot begin.
 * @param complain prints a line on stderr
 */
export async function serve({ options: given, portFile: givenPortFile }: CommandLine,
  complain: (line: string) => void): Promise<void> {
  const options = withLastingPaths(given)
  const portFile = lasting(givenPortFile)
  // A key that only root may read is read by root. Then, as in memcached, the user changes before anything is opened:
  // socket, pid file and port file are the user's.
  const server = new Server(options, { log: complain })
  if (options.user !== undefined) becomeUser(options.user, complain)
  const stopped = untilStopped(server)
  process.on('SIGHUP', () => { for (const problem of server.reload()) complain(problem) })
  await server.listen()
  if (options.pidFile !== undefined) writePidFile(options.pidFile, complain)
  if (portFile !== undefined) writePortFile(portFile, server.addresses, complain)
  if (isDaemon) leaveTerminal()

  const isGraceful = await stopped
  if (isGraceful) complain('Gracefully stopping')
  else if (options.verbosity > 0) complain('Exiting normally')
  await server.close()
  if (options.pidFile !== undefined) removePidFile(options.pidFile)
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
function lasting(path: string | undefined): string | undefined {
  return path === undefined || !isDaemon ? path : resolve(path)
}

/** Resolves when it is time to end: to true if by SIGUSR1 or `shutdown graceful`. A second signal does not wait. */
function untilStopped(server: Server): Promise<boolean> {
  return new Promise(resolve => {
    let isStopping = false
    const stop = (graceful: boolean) => {
      if (isStopping) process.exit(0)
      isStopping = true
      resolve(graceful)
    }
    server.onShutdown = stop
    process.on('SIGINT', () => stop(false))
    process.on('SIGTERM', () => stop(false))
    process.on('SIGUSR1', () => stop(true))
  })
}
