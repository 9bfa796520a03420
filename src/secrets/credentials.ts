// The users of a server, from a file of `name:password` lines as memcached's -Y takes it. Passwords are not kept in memory, only
// a digest of each pair under a random key. One thread reads the file and hands the digests to the others.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { MemslabError, systemError, type MemslabErrorCode } from '../errors.js'

/** The most bytes of a file of users, which is read as a whole. A larger file must be another one by mistake. */
const FILE_BYTES_MAX = 1024 * 1024

/** An error of the system about the file. */
type SystemError = Error & { readonly code: string }

const DIGEST_BYTES = 32

/** The users, in a form that can be posted to another thread. */
export interface Users {
  readonly key: Uint8Array
  /** The digests of all users' names with their passwords, one behind the other. */
  readonly digests: Uint8Array
}

export class Credentials {
  private known: Users
  /** The digests by their first word, so that only one or two need be compared. */
  private byFirstWord: ReadonlyMap<number, readonly Buffer[]>

  /**
   * Throws a MemslabError if the file cannot be read or a line of it is not `name:password`.
   * @param users the users that another thread has read from the file; then it is not read again
   */
  constructor(private readonly path: string, users?: Users) {
    this.known = users ?? this.read()
    this.byFirstWord = indexOf(this.known)
  }

  get users(): Users { return this.known }

  /** Replaces the users. */
  use(users: Users): void {
    this.known = users
    this.byFirstWord = indexOf(users)
  }

  /** Reads the file again. Throws as the constructor does, and if the file has no users; then the users stay as they were. */
  reload(): void {
    // a pipe has been read already, and waiting for more would stop the server
    if (statSync(this.path, { throwIfNoEntry: false })?.isFile() === false) {
      throw this.wrong('cannot be read again, it is not a file')
    }
    const users = this.read()
    if (users.digests.length === 0) throw this.wrong('has no users')
    this.use(users)
  }

  /** True if there is such a user. Clients do not know the key of the digests, so the time this takes shows them nothing. */
  accepts(name: Uint8Array, password: Uint8Array): boolean {
    const given = digestOf(this.known.key, name, password)
    let isKnown = false
    for (const digest of this.byFirstWord.get(given.readUInt32BE(0)) ?? []) isKnown = timingSafeEqual(digest, given) || isKnown
    return isKnown
  }

  /** Reads the users. As in memcached, each line needs a colon; the first ends the name, and \r or the line end the password. */
  private read(): Users {
    const key = randomBytes(DIGEST_BYTES)
    const lines = this.text().split('\n')
    if (lines.at(-1) === '') lines.pop()
    const digests = lines.map((line, index) => {
      const colon = line.indexOf(':')
      if (colon < 0) throw this.wrong(`has a malformed entry. Should be 'user:password' (line ${index + 1})`)
      const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
      return digestOf(key, bytes(line.slice(0, colon)), bytes(line.slice(colon + 1).replace(/\r[^]*/, '')))
    })
    return { key, digests: Buffer.concat(digests) }
  }

  /** Reads the file as Latin-1, one character a byte. It may be a pipe, so the size that the system reports is not relied on. */
  private text(): string {
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1)
    let count = 0
    try {
      const file = openSync(this.path, 'r')
      try {
        let read: number
        do count += read = readSync(file, bytes, count, bytes.length - count, null)
        while (read > 0 && count < bytes.length)
      } finally { closeSync(file) }
    } catch (cause) {
      const { code, message } = cause as SystemError
      throw systemError(code, `Could not open authfile [${this.path}] for reading, error ${message}`)
    }
    if (count > FILE_BYTES_MAX) throw this.wrong(`has more than ${FILE_BYTES_MAX} bytes`, 'EFBIG')
    return bytes.toString('latin1', 0, count)
  }

  private wrong(problem: string, code: MemslabErrorCode = 'EINVAL'): MemslabError {
    return new MemslabError(code, `Authfile [${this.path}] ${problem}`)
  }
}

/** The users of these names with their passwords. */
export function usersOf(passwords: Readonly<Record<string, string>>): Users {
  const key = randomBytes(DIGEST_BYTES)
  const digests = Object.entries(passwords).map(([name, password]) => digestOf(key, Buffer.from(name), Buffer.from(password)))
  return { key, digests: Buffer.concat(digests) }
}

/** The digest of a user. It includes the length of the name, so that name `a:b`, password `c` differs from `a`, `b:c`. */
function digestOf(key: Uint8Array, name: Uint8Array, password: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${name.length}:`).update(name).update(password).digest()
}

function indexOf({ digests }: Users): ReadonlyMap<number, readonly Buffer[]> {
  const index = new Map<number, Buffer[]>()
  for (let at = 0; at < digests.length; at += DIGEST_BYTES) {
    const digest = Buffer.from(digests.subarray(at, at + DIGEST_BYTES))
    const word = digest.readUInt32BE(0)
    const same = index.get(word)
    if (same === undefined) index.set(word, [digest])
    else same.push(digest)
  }
  return index
}
