// Runs loaded servers as a process: one, or with --nodes several that are the nodes of a cluster. Writes the pid and port files,
// and handles the signals that end the process or have it read its files again.
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

/** The reason why the process ends. */
type End = 'normal' | 'graceful' | 'failed'

type Complain = (line: string) => void

/**
 * Serves until a signal or the `shutdown` command ends the process. Rejects with a MemslabError if a server cannot start, or
 * with code 'EDIED' if one ended because of a bug, whose cause has then been printed.
 * @param complain prints a line on stderr
 * @param started called when all threads serve that do not wait for clients
 */
export async function serve(prepared: readonly Preparations[], portFile: string | undefined, complain: Complain,
  started: () => void): Promise<void> {
  const [{ options: given }] = prepared as [Preparations]
  const { maxconns } = withAllowedConnections(given, complain)
  const { nodes, pidFile, verbosity } = given
  const files = pidFile === undefined && portFile === undefined ? undefined : await import('./files.js')
  const cluster = nodes === 0 ? undefined : await import('../server/nodes.js')
  const list = cluster && new cluster.Nodes()
  let unopened = prepared.length
  const opened = (): void => {
    if (--unopened > 0) return
    if (list?.version === 0) list.change(servers)
    // on 'exit', so that the file is also removed if a second signal ends the process
    if (pidFile !== undefined && files !== undefined) process.once('exit', files.writePidFile(pidFile, complain))
    if (portFile !== undefined) files?.writePortFile(portFile, servers.flatMap(({ addresses }) => addresses), complain)
    const linesOfEach = verbosity > 0 ? Infinity : linesUnasked(given, portFile)
    for (const [index, server] of servers.entries()) {
      for (const line of introduction(server, nameOf(index)).slice(0, linesOfEach)) complain(line)
    }
    if (isDaemon) leaveTerminal()
  }
  let fail: () => void = () => {}
  const nameOf = (index: number): string => nodes === 0 ? '' : `node ${index + 1} of ${nodes}`
  const servers = prepared.map(({ options, ...made }, index) => {
    const log = nodes === 0 ? complain : (line: string) => complain(`${nameOf(index)}: ${line}`)
    return new ServerCore(withoutProcessOptions({ ...options, maxconns }), { log, failed: () => fail() },
      { ...made, logsToStderr: true, isChecked: true, opened })
  })
  // as early as possible: a client may come before all nodes listen
  if (cluster !== undefined && servers.every(cluster.hasPort)) list?.change(servers)
  const stopped = untilStopped(servers, complain, failing => { fail = failing })
  try {
    // a client of a thread that listens already may end the server before all threads listen
    await Promise.race([Promise.all(servers.map(server => server.listen())), stopped])
  } catch (error) {
    await closeAll(servers)
    throw error
  }
  started()
  const end = await keepAliveUntil(stopped)
  if (end === 'graceful') complain('Gracefully stopping')
  if (end === 'normal' && verbosity > 0) complain('Exiting normally')
  await closeAll(servers)
  if (end === 'failed') throw new MemslabError('EDIED', 'memslab ends, as it can no longer trust its memory')
}

async function closeAll(servers: readonly ServerCore[]): Promise<void> {
  await Promise.all(servers.map(server => server.close()))
}

/** The options without those that the process carries out itself. */
function withoutProcessOptions(options: Options): Options {
  return { ...options, nodes: 0, daemonize: false, user: undefined, pidFile: undefined }
}

/**
 * The options with no more connections than the process may open files. If it ran out of descriptors, its threads would take them
 * from each other, and their event loops would spin. Complains if that lowers the number of connections.
 */
function withAllowedConnections(options: Options, complain: Complain): Options {
  const allowed = connectionsAllowed(options)
  if (options.maxconns <= allowed) return options
  complain(`WARNING: -c ${options.maxconns} is lowered to ${allowed}, as this process may not open more files (ulimit -n)`)
  return { ...options, maxconns: allowed }
}

/**
 * The number of lines that each server prints without -v: one, which says where it listens, if a person has started it through
 * npm, or if nothing else says which ports it has taken; otherwise none, as in memcached.
 */
function linesUnasked({ port, udpport, socketPath, daemonize }: Options, portFile: string | undefined): number {
  const { npm_lifecycle_event: event, npm_lifecycle_script: script = '', npm_package_name: name } = process.env
  // npm puts the command's name in quotes
  const isByNpm = event === 'start' && name === 'memslab' || event === 'npx' && /^\W?memslab\b/.test(script)
  const isAnyPort = socketPath === undefined && (port === -1 || udpport === -1)
  return isByNpm || isAnyPort && portFile === undefined && !daemonize ? 1 : 0
}

/** The lines of -v at the start: where a server listens, and its limits. @param name of a node; otherwise empty */
function introduction({ addresses, options, httpUrl }: ServerCore, name: string): string[] {
  const { maxbytes, itemSizeMax, threads, maxconns, sslEnabled } = options
  const places = addresses.map(address => {
    if (address.family === 'Unix') return `Unix socket ${address.path}`
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address
    return `${address.transport} ${host}:${address.port}`
  })
  const subject = name === '' ? versionText() : `${versionText()}, ${name},`
  return [
    `${subject} listens on ${places.join(', ') || 'nothing'}${sslEnabled ? ', with TLS' : ''}` +
      (httpUrl === undefined ? '' : `; its page is ${httpUrl}`),
    `${printSize(maxbytes)} of memory for items of up to ${printSize(itemSizeMax)}, ` +
      `${threads === 1 ? '1 thread' : `${threads} threads`}, up to ${maxconns} connections`,
  ]
}

/** Keeps the process alive until `stopped` resolves, even if it listens nowhere. */
async function keepAliveUntil(stopped: Promise<End>): Promise<End> {
  const life = setInterval(() => {}, LONG_MS)
  try {
    return await stopped
  } finally {
    clearInterval(life)
  }
}

/**
 * Resolves when a signal or a client asks a server to end, or one has failed. A second signal exits at once.
 * @param onFailing receives the function to call when a server has failed
 */
function untilStopped(servers: readonly ServerCore[], complain: Complain,
  onFailing: (failing: () => void) => void): Promise<End> {
  return new Promise(resolve => {
    let isStopping = false
    const stop = (end: End) => {
      if (isStopping) process.exit(0)
      isStopping = true
      resolve(end)
    }
    onFailing(() => resolve('failed'))
    for (const server of servers) server.onShutdown = isGraceful => stop(isGraceful ? 'graceful' : 'normal')
    takeSignals(signal => {
      if (signal !== 'SIGHUP') return stop(signal === 'SIGUSR1' ? 'graceful' : 'normal')
      // the nodes read the same files, and so have the same problems
      for (const problem of new Set(servers.flatMap(server => server.reload()))) complain(problem)
    })
  })
}
