// A server's life as a process, once it is loaded: the files that tell others about it, and the signals that end it or have
// it read its files again.
import { isDaemon, leaveTerminal } from './daemon.js'
import { MemslabError } from '../errors.js'
import { writePidFile, writePortFile } from './files.js'
import { connectionsAllowed } from './limits.js'
import { printSize, versionText, type Options } from '../options/options.js'
import { type Preparations } from './prepare.js'
import { ServerCore } from '../server/core.js'
import { takeSignals } from './interrupts.js'

/** The longest that a timer of Node's can be. */
const LONG_MS = 2 ** 31 - 1

/** Why a server ends. */
type End = 'normal' | 'graceful' | 'failed'

/**
 * Serves until a signal or the `shutdown` command ends it. Rejects with a MemslabError if it cannot begin, or if it had to
 * end because of a bug, with code 'EDIED'; what that was has been printed then.
 * @param complain prints a line on stderr
 */
export async function serve({ options: given, ...made }: Preparations, portFile: string | undefined,
  complain: (line: string) => void): Promise<void> {
  const options = withAllowedConnections(given, complain)
  const { pidFile } = options
  const opened = (): void => {
    // whatever ends the process, also a signal that comes again
    if (pidFile !== undefined) process.once('exit', writePidFile(pidFile, complain))
    if (portFile !== undefined) writePortFile(portFile, server.addresses, complain)
    for (const line of introduction(server).slice(0, options.verbosity > 0 ? Infinity : linesUnasked())) complain(line)
    if (isDaemon) leaveTerminal()
  }
  let fail: () => void = () => {}
  const parts = { log: complain, failed: () => fail() }
  const server = new ServerCore(ofServer(options), parts, { ...made, logsToStderr: true, isChecked: true, opened })
  const stopped = untilStopped(server, complain, failing => { fail = failing })
  // clients may come before all threads listen, and one of them may end it
  await Promise.race([server.listen(), stopped])
  const end = await outliving(stopped)
  if (end === 'graceful') complain('Gracefully stopping')
  if (end === 'normal' && options.verbosity > 0) complain('Exiting normally')
  await server.close()
  if (end === 'failed') throw new MemslabError('EDIED', 'memslab ends, as it can no longer trust its memory')
}

/** Without what is for the process to do. */
function ofServer(options: Options): Options { return { ...options, daemonize: false, user: undefined, pidFile: undefined } }

/**
 * Once a process may open no more files, its threads take descriptors from each other, and their event loops do not rest.
 * So no more clients are taken in than there are descriptors.
 */
function withAllowedConnections(options: Options, complain: (line: string) => void): Options {
  const allowed = connectionsAllowed(options.threads)
  if (options.maxconns <= allowed) return options
  complain(`WARNING: -c ${options.maxconns} is lowered to ${allowed}, as this process may not open more files (ulimit -n)`)
  return { ...options, maxconns: allowed }
}

/** `npm start` is typed by people, who are told where; to scripts a server is as silent as memcached. */
function linesUnasked(): number {
  const { npm_lifecycle_event: script, npm_package_name: name } = process.env
  return script === 'start' && name === 'memslab' ? 1 : 0
}

/** The lines of -v at the start: where the server listens, and its limits. */
function introduction({ addresses, options }: ServerCore): string[] {
  const { maxbytes, itemSizeMax, threads, maxconns, sslEnabled } = options
  const places = addresses.map(address => {
    if (address.family === 'Unix') return `Unix socket ${address.path}`
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `${address.transport} ${host}:${address.port}`
  })
  return [
    `${versionText()} listens on ${places.join(', ') || 'nothing'}${sslEnabled ? ', with TLS' : ''}`,
    `${printSize(maxbytes)} of memory for items of up to ${printSize(itemSizeMax)}, ` +
      `${threads === 1 ? '1 thread' : `${threads} threads`}, up to ${maxconns} connections`,
  ]
}

/** Keeps the process alive until then, also where it listens nowhere. */
async function outliving(stopped: Promise<End>): Promise<End> {
  const life = setInterval(() => {}, LONG_MS)
  try {
    return await stopped
  } finally {
    clearInterval(life)
  }
}

/**
 * Resolves when it is time to end. A second signal does not wait.
 * @param onFailing is handed what to call when the server has failed
 */
function untilStopped(server: ServerCore, complain: (line: string) => void, onFailing: (failing: () => void) => void): Promise<End> {
  return new Promise(resolve => {
    let isStopping = false
    const stop = (end: End) => {
      if (isStopping) process.exit(0)
      isStopping = true
      resolve(end)
    }
    onFailing(() => resolve('failed'))
    server.onShutdown = isGraceful => stop(isGraceful ? 'graceful' : 'normal')
    takeSignals(signal => {
      if (signal !== 'SIGHUP') return stop(signal === 'SIGUSR1' ? 'graceful' : 'normal')
      for (const problem of server.reload()) complain(problem)
    })
  })
}
