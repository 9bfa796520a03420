// Opens listeners: TCP on addresses and names, Unix sockets on paths. What goes wrong is said in one line.
import { chmodSync, lstatSync, unlinkSync } from 'node:fs'
import { lookup } from 'node:dns/promises'
import { createServer, type ListenOptions, type Server as Listener } from 'node:net'
import { dirname } from 'node:path'
import { isMainThread } from 'node:worker_threads'
import { MemslabError } from '../errors.js'

/** What the kernel and Node call an address that this machine does not have. */
const ABSENT = new Set(['EADDRNOTAVAIL', 'EAFNOSUPPORT', 'EINVAL'])

export interface TcpAddress { host: string; port: number }

/**
 * Opens one TCP listener; port 0 takes any free one. Whoever comes is a 'connection' event, from the next turn on.
 * @param isShared whether others may listen on the same port who say so too
 */
export async function listenTcp({ host, port }: TcpAddress, backlog: number, isShared = false): Promise<Listener> {
  const options = { host, port, backlog, ipv6Only: host.includes(':'), exclusive: true, reusePort: isShared }
  try {
    return await open(options)
  } catch (cause) {
    throw failure(cause, `TCP port ${port}${host === '' ? '' : ` of ${host}`}`)
  }
}

/** Listens by a file descriptor by which another thread listens already. */
export async function listenAlong(fd: number, backlog: number): Promise<Listener> {
  try {
    return await open({ fd, backlog, exclusive: true })
  } catch (cause) {
    throw failure(cause, `file descriptor ${fd}`)
  }
}

/** Opens a Unix socket, in place of one that was left behind; `mask` are its permissions. */
export async function listenUnix(path: string, mask: number, backlog: number): Promise<Listener> {
  try {
    // libuv says EACCES when the folder is missing
    lstatSync(dirname(path))
    if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() === true) unlinkSync(path)
    const resetUmask = maskFiles(mask)
    const opening = open({ path, backlog })
    resetUmask()
    const listener = await opening
    chmodSync(path, mask)
    return listener
  } catch (cause) {
    throw failure(cause, `UNIX socket ${path}`)
  }
}

/**
 * Has files come into being with no more permissions than `mask`, until the returned function is called. The process has
 * one such mask, and only its main thread may set it; so a worker leaves that to whoever tells it to open a socket.
 */
export function maskFiles(mask: number): () => void {
  if (!isMainThread) return () => {}
  const before = process.umask(~mask & 0o777)
  return () => { process.umask(before) }
}

/** Every address of a name. */
export async function resolveName(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } catch (cause) {
    throw failure(cause, name)
  }
}

/** Node's types do not know all of them. */
type AllListenOptions = ListenOptions & { fd?: number, reusePort?: boolean }

function open(options: AllListenOptions): Promise<Listener> {
  return new Promise((resolve, reject) => {
    const listener = createServer({ pauseOnConnect: true, noDelay: true, keepAlive: true })
    listener.once('error', reject)
    listener.listen(options, () => {
      listener.off('error', reject)
      // running out of file descriptors must not end the process; the connection stays in the queue
      listener.on('error', () => {})
      resolve(listener)
    })
  })
}

/** Whether an error says that the address is not there, as ::1 on a machine without IPv6. */
export function isAbsent(error: unknown): boolean {
  return error instanceof MemslabError && ABSENT.has(error.code)
}

const WORDS: Readonly<Record<string, string>> = {
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
  return new MemslabError(code, `failed to listen on ${what}: ${WORDS[code] ?? (cause instanceof Error ? cause.message : code)}`)
}
