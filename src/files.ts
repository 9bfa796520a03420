// The two files that tell others about a running server: its process id (-P) and its ports (MEMCACHED_PORT_FILENAME).
// Both appear complete or not at all. As in memcached, a file that cannot be written is worth a line, not the end.
import { readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs'

type Complain = (line: string) => void

export function writePidFile(path: string, complain: Complain): void {
  const other = readPid(path)
  if (other !== undefined && other !== process.pid && isRunning(other)) {
    complain(`WARNING: The pid file contained the following (running) pid: ${other}`)
  }
  writeWhole(path, `${path}.tmp`, `${process.pid}\n`, complain)
}

/** Removes the file unless another server has taken it over. */
export function removePidFile(path: string): void {
  if (readPid(path) === process.pid) tryTo(() => unlinkSync(path))
}

/** memcached's format: `TCP INET: 11211`, a line for each address; no file for a Unix socket. */
export function writePortFile(path: string, addresses: readonly { transport?: string, family: string, port?: number }[],
  complain: Complain): void {
  const lines = addresses.filter(({ port }) => port !== undefined)
    .map(({ transport, family, port }) => `${transport} ${family === 'IPv6' ? 'INET6' : 'INET'}: ${port}\n`)
  if (addresses.every(({ port }) => port !== undefined)) writeWhole(path, `${path}.lck`, lines.join(''), complain)
}

function writeWhole(path: string, draft: string, text: string, complain: Complain): void {
  const problem = tryTo(() => {
    writeFileSync(draft, text)
    renameSync(draft, path)
  })
  if (problem !== undefined) complain(`could not write "${path}": ${problem.message}`)
}

function readPid(path: string): number | undefined {
  let pid = 0
  tryTo(() => { pid = parseInt(readFileSync(path, 'utf8'), 10) })
  return pid > 0 ? pid : undefined
}

function isRunning(pid: number): boolean {
  const problem = tryTo(() => { process.kill(pid, 0) })
  return problem === undefined || problem.code === 'EPERM'
}

function tryTo(action: () => void): NodeJS.ErrnoException | undefined {
  try {
    action()
    return undefined
  } catch (error) {
    if (error instanceof Error) return error
    throw error
  }
}
