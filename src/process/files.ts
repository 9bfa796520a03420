// The two files through which other programs find a running server: its process id (-P) and its ports (MEMCACHED_PORT_FILENAME).
// Both appear complete or not at all: a draft under an unpredictable name is written first, and then renamed. No link is
// followed, neither at the draft's path nor at the file's, and only a file or a link to one is replaced. As in memcached, a file
// that cannot be written is a warning, and the server starts.
import { randomBytes } from 'node:crypto'
import {
  closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, renameSync, rmSync, statSync, unlinkSync,
  writeFileSync, type Stats,
} from 'node:fs'
import { dirname, join } from 'node:path'

type Complain = (line: string) => void

/** The mode of both files: everyone may read them, and only the server's user may write them. */
const FILE_MODE = 0o644
/** The number of random bytes in the name of a draft. They make the name impossible to guess in advance. */
const DRAFT_NAME_BYTES = 8
/** The bytes that are read of a pid file, more than the digits of any process id. */
const PID_BYTES = 32
/** The flags of a read: a link is not followed, and a pipe without a writer does not block. Linux and macOS have both. */
const READ_PLAINLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** The folder with the names of open files. `/dev/stdout` is a link into it, which must not be replaced. */
const OPEN_FILES = '/proc/'

/**
 * Writes the process id. Warns if the file has the id of another process that is running.
 * @returns a function that removes the file, unless it belongs to another server by then
 */
export function writePidFile(path: string, complain: Complain): () => void {
  const other = pidAt(path)?.pid
  if (other !== undefined && other !== process.pid && isRunning(other)) {
    complain(`WARNING: The pid file contained the following (running) pid: ${other}`)
  }
  const own = tryToWrite(path, `${process.pid}\n`, complain)
  return () => {
    const there = pidAt(path)
    // compares the file too: a process in another container may have the same id, and share the folder
    if (own !== undefined && there?.file === own && there.pid === process.pid) tryTo(() => unlinkSync(path))
  }
}

/** Writes the ports in memcached's format: `TCP INET: 11211`, one line for each address. Writes no file for a Unix socket. */
export function writePortFile(path: string, addresses: readonly { transport?: string, family: string, port?: number }[],
  complain: Complain): void {
  const lines = addresses.filter(({ port }) => port !== undefined)
    .map(({ transport, family, port }) => `${transport} ${family === 'IPv6' ? 'INET6' : 'INET'}: ${port}\n`)
  if (addresses.every(({ port }) => port !== undefined)) tryToWrite(path, lines.join(''), complain)
}

/** Writes a file, or complains. Returns the file's identity in the system; undefined if it could not be written. */
function tryToWrite(path: string, text: string, complain: Complain): string | undefined {
  let file: string | undefined
  const problem = tryTo(() => {
    mustBeReplaceable(path)
    file = writeWhole(path, text)
  })
  // Node.js names the draft behind the comma, which would only confuse the reader
  if (problem !== undefined) complain(`could not write "${path}": ${problem.message.replace(/, .*/s, '')}`)
  return file
}

/** Throws if there is something at the path other than a file, a link to a file or a dangling link. */
function mustBeReplaceable(path: string): void {
  const there = lstatSync(path, { throwIfNoEntry: false })
  if (there === undefined) return
  const target = there.isSymbolicLink() ? statSync(path, { throwIfNoEntry: false }) : there
  if (target?.isDirectory()) throw new Error('it is a folder')
  const isOpenFile = there.isSymbolicLink() && readlinkSync(path).startsWith(OPEN_FILES)
  if (isOpenFile || target?.isFile() === false) throw new Error('it is not a file')
}

function writeWhole(path: string, text: string): string {
  const draft = join(dirname(path), `.memslab-${randomBytes(DRAFT_NAME_BYTES).toString('hex')}`)
  // fails if anything has that name, even a link
  const descriptor = openSync(draft, 'wx', FILE_MODE)
  try {
    const file = nameOf(fstatSync(descriptor))
    try {
      writeFileSync(descriptor, text)
    } finally {
      closeSync(descriptor)
    }
    renameSync(draft, path)
    return file
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  }
}

/** The process id in a file, and the file's identity; undefined if there is no such file or no id in it. */
function pidAt(path: string): { pid: number, file: string } | undefined {
  let found: { pid: number, file: string } | undefined
  tryTo(() => {
    const descriptor = openSync(path, READ_PLAINLY)
    try {
      const stats = fstatSync(descriptor)
      if (!stats.isFile()) return
      const bytes = Buffer.alloc(PID_BYTES)
      const text = bytes.toString('latin1', 0, readSync(descriptor, bytes, 0, PID_BYTES, 0))
      const pid = Number(/^\s*(\d+)(?:\s|$)/.exec(text)?.[1])
      if (pid > 0) found = { pid, file: nameOf(stats) }
    } finally {
      closeSync(descriptor)
    }
  })
  return found
}

function nameOf({ dev, ino }: Stats): string { return `${dev} ${ino}` }

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
