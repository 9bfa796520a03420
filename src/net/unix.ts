// Unix sockets. A server creates its socket as a draft, in a folder of its own beside the socket's path that no other user may
// enter, and sets its permissions there. The draft gets its path when the server is sure to answer clients. So the path never
// leads to a socket that is half made, and a failed start leaves the file at the path alone. If a server answers on the socket
// file at the path, it is not replaced; if it was left behind, it is. If several servers start at once, one gets the path.
import { chmodSync, linkSync, lstatSync, mkdtempSync, renameSync, rmSync, unlinkSync, type Stats } from 'node:fs'
import { connect, type Server as Listener } from 'node:net'
import { dirname } from 'node:path'
import { failure, open } from './listen.js'

/** The most bytes of a Unix socket's path in the kernel. */
const PATH_BYTES = 107
/** The errors of connecting to a socket file on which no server listens, or which is gone. */
const DEAD: readonly unknown[] = ['ECONNREFUSED', 'ENOENT']

export class UnixSocket {
  /** @param folder the folder of the draft until it is published; undefined: the socket is at its path */
  private constructor(readonly listener: Listener, private readonly path: string, private folder: string | undefined,
    /** The kernel's identity of the file. */
    readonly file: string) {}

  /** Opens a socket for `path`. @param mask its permissions */
  static async open(path: string, mask: number, backlog: number): Promise<UnixSocket> {
    let folder: string | undefined
    try {
      // throws ENOENT if the folder is missing, where libuv would report EACCES
      lstatSync(dirname(path))
      await mustBeFree(path)
      folder = makeFolder(path)
      const draft = draftOf(path, folder)
      // binding fails if there is a file
      if (folder === undefined) rmSync(path, { force: true })
      const listener = await open({ path: draft }, backlog)
      chmodSync(draft, mask)
      return new UnixSocket(listener, path, folder, fileAt(draft) ?? '')
    } catch (cause) {
      if (folder !== undefined) remove(folder)
      throw failure(cause, `UNIX socket ${path}`)
    }
  }

  /** Gives the socket its path. Rejects if another server has taken that meanwhile. */
  async publish(): Promise<void> {
    const { folder, path } = this
    if (folder === undefined) return
    try {
      while (!takePlace(draftOf(path, folder), path)) {
        const dead = await mustBeFree(path)
        // another server that is starting may have replaced it already
        if (fileAt(path) === dead) rmSync(path, { force: true })
      }
    } catch (cause) {
      throw failure(cause, `UNIX socket ${path}`)
    }
    this.folder = undefined
    remove(folder)
  }

  /** Removes the draft of a socket that has not been published. `removeSocket` removes one that has. */
  discard(): void { if (this.folder !== undefined) remove(this.folder) }
}

/** Removes a socket from its path, unless there is another file by now. */
export function removeSocket(path: string, file: string): void {
  try {
    if (fileAt(path) === file) unlinkSync(path)
  } catch { /* it is gone, or this process may not remove it */ }
}

/** Links a draft to its path, too. Returns false if there is a file already. */
function takePlace(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false
    if (lstatSync(draft, { throwIfNoEntry: false }) === undefined) throw error
    // the file system has no hard links
    renameSync(draft, path)
  }
  return true
}

/** Makes a folder for the draft. Returns undefined if the draft's path would be too long for a socket. */
function makeFolder(path: string): string | undefined {
  const beside = `${dirname(path)}/.`
  return Buffer.byteLength(draftOf(path, `${beside}XXXXXX`)) > PATH_BYTES ? undefined : mkdtempSync(beside)
}

function draftOf(path: string, folder: string | undefined): string { return folder === undefined ? path : `${folder}/s` }

function remove(folder: string): void { rmSync(folder, { recursive: true, force: true }) }

function fileAt(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  return stats && nameOf(stats)
}

function nameOf({ dev, ino }: Stats): string { return `${dev} ${ino}` }

/** Throws if the file is not a socket, or a server answers on it. Otherwise returns its identity: it may be removed. */
async function mustBeFree(path: string): Promise<string> {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return ''
  const answer = stats.isSocket() ? await codeOfConnecting(path) : undefined
  if (DEAD.includes(answer)) return nameOf(stats)
  throw Object.assign(new Error(), { code: answer === 'EACCES' ? answer : 'EADDRINUSE' })
}

/** Connects to a socket. Resolves with the code of the error; undefined if there is none. */
function codeOfConnecting(path: string): Promise<unknown> {
  return new Promise(resolve => {
    const socket = connect({ path })
    socket.once('connect', () => {
      socket.destroy()
      resolve(undefined)
    })
    socket.once('error', error => resolve('code' in error ? error.code : undefined))
  })
}
