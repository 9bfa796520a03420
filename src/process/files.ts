// The two files that tell others about a running server: its process id (-P) and its ports (MEMCACHED_PORT_FILENAME).
// Both appear complete or not at all: a draft under a name that cannot be foreseen is renamed once it is written. No link is
// followed, neither where the draft is nor where it goes, and nothing but a file or a link to one is replaced. As in memcached,
// a file that cannot be written is worth a line, not the end.
import { randomBytes } from 'node:crypto'
import {
  closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, readSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync,
  type Stats,
} from 'node:fs'
import { dirname, join } from 'node:path'

type Complain = (line: string) => void

/** Everybody may read them, the user of the server alone writes. */
const FILE_MODE = 0o644
/** Random bytes in the name of a draft: so many that no file can have been put there before. */
const DRAFT_NAME_BYTES = 8
/** Longer than the digits of any process id. */
const PID_BYTES = 32
/** The system opens neither a link nor waits for the other end of a pipe; it is Linux and macOS that know these two. */
const READ_PLAINLY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK
/** Where the names of open files are: `/dev/stdout` is a link that leads there, and stays. */
const OPEN_FILES = '/proc/'

/**
 * Writes the process id, with a warning where there is that of another process.
 * @returns what removes the file, unless it belongs to another server by then
 */
export function writePidFile(path: string, complain: Complain): () => void {
  const other = pidAt(path)?.pid
  if (other !== undefined && other !== process.pid && isRunning(other)) {
    complain(`WARNING: The pid file contained the following (running) pid: ${other}`)
  }
  const own = tryToWrite(path, `${process.pid}\n`, complain)
  return () => {
    const there = pidAt(path)
    // another process may have the same id in a container of its own, and share the folder
    if (own !== undefined && there?.file === own && there.pid === process.pid) tryTo(() => unlinkSync(path))
  }
}

/** memcached's format: `TCP INET: 11211`, a line for each address; no file for a Unix socket. */
export function writePortFile(path: string, addresses: readonly { transport?: string, family: string, port?: number }[],
  complain: Complain): void {
  const lines = addresses.filter(({ port }) => port !== undefined)
    .map(({ transport, family, port }) => `${transport} ${family === 'IPv6' ? 'INET6' : 'INET'}: ${port}\n`)
  if (addresses.every(({ port }) => port !== undefined)) tryToWrite(path, lines.join(''), complain)
}

/** The system's name of the file that has been written; undefined if it has not. */
function tryToWrite(path: string, text: string, complain: Complain): string | undefined {
  let file: string | undefined
  const problem = tryTo(() => {
    mustBeReplaceable(path)
    file = writeWhole(path, text)
  })
  // behind the comma Node.js names the draft, which means nothing to the reader
  if (problem !== undefined) complain(`could not write "${path}": ${problem.message.replace(/, .*/s, '')}`)
  return file
}

/** Throws where something is that is no file, nor a link to one or to nothing. */
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
  // fails where anything has that name, a link too
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

/** The process id in a file and what the system calls that; undefined where there is none. */
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
