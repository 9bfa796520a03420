// Unix sockets. One comes into being in a folder of its own beside its place, which nobody else may enter; it gets its mask
// there, and its place when whoever finds it is sure of an answer. So its name never leads to a socket that is half made, and
// a start that fails has not touched what was there. A socket file that somebody answers at is not taken away; one that was
// left behind is. Of several servers that start at once, one gets the place.
import { chmodSync, linkSync, lstatSync, mkdtempSync, renameSync, rmSync, unlinkSync, type Stats } from 'node:fs'
import { connect, type Server as Listener } from 'node:net'
import { dirname } from 'node:path'
import { failure, open } from './listen.js'

/** What the kernel has room for in the address of a Unix socket. */
const PATH_BYTES = 107
/** What connecting to a file tells at which nobody listens, or which is gone. */
const DEAD: readonly unknown[] = ['ECONNREFUSED', 'ENOENT']

export class UnixSocket {
  /** @param folder where it is until it is published; undefined: it is in its place */
  private constructor(readonly listener: Listener, private readonly path: string, private folder: string | undefined,
    /** What the kernel calls the file. */
    readonly file: string) {}

  /** Opens one for `path`; `mask` are its permissions. */
  static async open(path: string, mask: number, backlog: number): Promise<UnixSocket> {
    let folder: string | undefined
    try {
      // libuv says EACCES when the folder is missing
      lstatSync(dirname(path))
      await mustBeFree(path)
      folder = makeFolder(path)
      const draft = draftOf(path, folder)
      // to bind it where something is would fail
      if (folder === undefined) rmSync(path, { force: true })
      const listener = await open({ path: draft }, backlog)
      chmodSync(draft, mask)
      return new UnixSocket(listener, path, folder, fileAt(draft) ?? '')
    } catch (cause) {
      if (folder !== undefined) remove(folder)
      throw failure(cause, `UNIX socket ${path}`)
    }
  }

  /** Puts it into its place, unless somebody else has taken that meanwhile. */
  async publish(): Promise<void> {
    const { folder, path } = this
    if (folder === undefined) return
    try {
      while (!takePlace(draftOf(path, folder), path)) {
        const dead = await mustBeFree(path)
        // another one that starts may have removed it, and be there itself
        if (fileAt(path) === dead) rmSync(path, { force: true })
      }
    } catch (cause) {
      throw failure(cause, `UNIX socket ${path}`)
    }
    this.folder = undefined
    remove(folder)
  }

  /** Leaves nothing of it behind where it has not been published; what has been is for `removeSocket`. */
  discard(): void { if (this.folder !== undefined) remove(this.folder) }
}

/** Removes a socket from its place, unless another one is there by now. */
export function removeSocket(path: string, file: string): void {
  try {
    if (fileAt(path) === file) unlinkSync(path)
  } catch { /* it is gone, or not ours to remove */ }
}

/** Gives a draft its place, whose name it gets as well; whether nothing is there. */
function takePlace(draft: string, path: string): boolean {
  try {
    linkSync(draft, path)
  } catch (error) {
    if (lstatSync(path, { throwIfNoEntry: false }) !== undefined) return false
    if (lstatSync(draft, { throwIfNoEntry: false }) === undefined) throw error
    // a file system in which no file has two names
    renameSync(draft, path)
  }
  return true
}

/** A folder for its draft; undefined where the path of that would be too long for a socket. */
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

/** Throws if something is there that is not a socket, or somebody answers; else answers what file may be removed there. */
async function mustBeFree(path: string): Promise<string> {
  const stats = lstatSync(path, { throwIfNoEntry: false })
  if (stats === undefined) return ''
  const answer = stats.isSocket() ? await codeOfConnecting(path) : undefined
  if (DEAD.includes(answer)) return nameOf(stats)
  throw Object.assign(new Error(), { code: answer === 'EACCES' ? answer : 'EADDRINUSE' })
}

/** What it is called that goes wrong there; undefined if nothing does. */
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
