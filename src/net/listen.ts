// Opens TCP listeners, on an address or on the descriptor of another thread. An error is one line.
import { createServer, type ListenOptions, type Server as Listener } from 'node:net'
import { InvariantError, MemslabError, systemError } from '../errors.js'
import { queueOf } from '../process/limits.js'

export interface TcpAddress { host: string; port: number }

/**
 * Opens a TCP listener; with port 0, on any free port. Clients arrive as 'connection' events from the next turn on.
 * @param isShared true if other sockets that are shared too may listen on the same port
 */
export async function listenTcp({ host, port }: TcpAddress, backlog: number, isShared = false): Promise<Listener> {
  const options = { host, port, ipv6Only: host.includes(':'), exclusive: true, reusePort: isShared }
  try {
    return await open(options, backlog)
  } catch (cause) {
    throw failure(cause, `TCP port ${port} of ${host}`)
  }
}

/** Opens a listener on a file descriptor on which another thread listens already. */
export async function listenAlong(fd: number, backlog: number): Promise<Listener> {
  try {
    return await open({ fd, exclusive: true }, backlog)
  } catch (cause) {
    throw failure(cause, `file descriptor ${fd}`)
  }
}

/** The options of `listen`, with two that Node's types lack. */
type AllListenOptions = ListenOptions & { fd?: number, reusePort?: boolean }

/** Opens a listener. The sockets that it accepts are paused. */
export function open(options: AllListenOptions, backlog: number): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const listener = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true })
    listener.once('error', reject)
    // the backlog is an argument of its own, as Node ignores the option if there is a descriptor
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

/** The error of a listener, whose message is one line; an InvariantError as it is. @param what the address or descriptor */
export function failure(cause: unknown, what: string): MemslabError | InvariantError {
  if (cause instanceof MemslabError || cause instanceof InvariantError) return cause
  const isCoded = cause instanceof Error && 'code' in cause && typeof cause.code === 'string'
  const code = isCoded ? String(cause.code) : 'EIO'
  return systemError(code, `failed to listen on ${what}: ${REASONS[code] ?? (cause instanceof Error ? cause.message : code)}`)
}
