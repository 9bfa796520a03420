// Runs a loaded server as a process: writes its pid and port files, and handles the signals that end it or have it read its
// files again.
import { isDaemon, leaveTerminal } from './daemon.js'
import { MemslabError } from '../errors.js'
import { connectionsAllowed } from './limits.js'
import { printSize, versionText, type Options } from '../options/options.js'
import { type Preparations } from './prepare.js'
import { ServerCore } from '../server/core.js'
import { clearInterval, setInterval } from '../timers.js'
import { takeSignals } from './interrupts.js'

/** The longest interval of a Node.js timer. */
const LONG_MS = 2 ** 31 - 1

/** The reason why a server ends. */
type End = 'normal' | 'graceful' | 'failed'

/**
 * Serves until a signal or the `shutdown` command ends the server. Rejects with a MemslabError if the server cannot start, or
 * with code 'EDIED' if it ended because of a bug, whose cause has then been printed.
 * @param complain prints a line on stderr
 * @param started called when all threads serve
 */
export async function serve({ options: given, ...made }: Preparations, portFile: string | undefined,
  complain: (line: string) => void, started: () => void): Promise<void> {
  const options = withAllowedConnections(given, complain)
  const { pidFile } = options
  const files = pidFile === undefined && portFile === undefined ? undefined : await import('./files.js')
  const opened = (): void => {
    // on 'exit', so that the file is also removed if a second signal ends the process
    if (pidFile !== undefined && files !== undefined) process.once('exit', files.writePidFile(pidFile, complain))
    if (portFile !== undefined) files?.writePortFile(portFile, server.addresses, complain)
    for (const line of introduction(server).slice(0, options.verbosity > 0 ? Infinity : linesUnasked())) complain(line)
    if (isDaemon) leaveTerminal()
  }
  let fail: () => void = () => {}
  const parts = { log: complain, failed: () => fail() }
  const server = new ServerCore(withoutProcessOptions(options), parts, { ...made, logsToStderr: true, isChecked: true, opened })
  const stopped = untilStopped(server, complain, failing => { fail = failing })
  // a client of a thread that listens already may end the server before all threads listen
  await Promise.race([server.listen(), stopped])
  started()
  const end = await keepAliveUntil(stopped)
  if (end === 'graceful') complain('Gracefully stopping')
  if (end === 'normal' && options.verbosity > 0) complain('Exiting normally')
  await server.close()
  if (end === 'failed') throw new MemslabError('EDIED', 'memslab ends, as it can no longer trust its memory')
}

/** The options without those that the process carries out itself. */
function withoutProcessOptions(options: Options): Options {
  return { ...options, daemonize: false, user: undefined, pidFile: undefined }
}

/**
 * The options with no more connections than the process may open files. If it ran out of descriptors, its threads would take them
 * from each other, and their event loops would spin. Complains if that lowers the number of connections.
 */
function withAllowedConnections(options: Options, complain: (line: string) => void): Options {
  const allowed = connectionsAllowed(options.threads)
  if (options.maxconns <= allowed) return options
  complain(`WARNING: -c ${options.maxconns} is lowered to ${allowed}, as this process may not open more files (ulimit -n)`)
  return { ...options, maxconns: allowed }
}

/** The number of lines printed without -v: one with `npm start`, so that a person sees the ports; else none, as in memcached. */
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

/** Keeps the process alive until `stopped` resolves, even if the server listens nowhere. */
async function keepAliveUntil(stopped: Promise<End>): Promise<End> {
  const life = setInterval(() => {}, LONG_MS)
  try {
    return await stopped
  } finally {
    clearInterval(life)
  }
}

/**
 * Resolves when a signal or a client asks the server to end, or the server has failed. A second signal exits at once.
 * @param onFailing receives the function to call when the server has failed
 */
function untilStopped(server: ServerCore, complain: (line: string) => void,
  onFailing: (failing: () => void) => void): Promise<End> {
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
