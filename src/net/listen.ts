// Opens listeners of TCP, by an address or by the descriptor of another thread. What goes wrong is said in one line.
import { createServer, type ListenOptions, type Server as Listener } from 'node:net'
import { MemslabError, systemError } from '../errors.js'
import { queueOf } from '../process/limits.js'

export interface TcpAddress { host: string; port: number }

/**
 * Opens one TCP listener; port 0 takes any free one. Whoever comes is a 'connection' event, from the next turn on.
 * @param isShared whether others may listen on the same port who say so too
 */
export async function listenTcp({ host, port }: TcpAddress, backlog: number, isShared = false): Promise<Listener> {
  const options = { host, port, ipv6Only: host.includes(':'), exclusive: true, reusePort: isShared }
  try {
    return await open(options, backlog)
  } catch (cause) {
    throw failure(cause, `TCP port ${port} of ${host}`)
  }
}

/** Listens by a file descriptor by which another thread listens already. */
export async function listenAlong(fd: number, backlog: number): Promise<Listener> {
  try {
    return await open({ fd, exclusive: true }, backlog)
  } catch (cause) {
    throw failure(cause, `file descriptor ${fd}`)
  }
}

/** Node's types do not know all of them. */
type AllListenOptions = ListenOptions & { fd?: number, reusePort?: boolean }

/** Opens what the options name; a connection is paused until somebody takes it. */
export function open(options: AllListenOptions, backlog: number): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const listener = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true })
    listener.once('error', reject)
    // among the options Node overlooks it where there is a descriptor
    listener.listen(options, queueOf(backlog), () => {
      listener.off('error', reject)
      // running out of file descriptors must not end the process; the connection stays in the queue
      listener.on('error', () => {})
      resolve(listener)
    })
  })
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Address already in use',
  EACCES: 'Permission denied',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  ENOTFOUND: 'Name or service not known',
  EAI_AGAIN: 'Temporary failure in name resolution',
  ENOENT: 'No such file or directory',
  EINVAL: 'Invalid argument',
}

/** What went wrong, in one line. */
export function failure(cause: unknown, what: string): MemslabError {
  if (cause instanceof MemslabError) return cause
  const isCoded = cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
  const code = isCoded ? String(cause.code) : 'EIO'
  return systemError(code, `failed to listen on ${what}: ${REASONS[code] ?? (cause instanceof Error ? cause.message : code)}`)
}
