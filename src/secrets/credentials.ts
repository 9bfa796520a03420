// The users who may speak to a server, from a file of `name:password` lines as memcached's -Y takes it. Passwords are
// not kept, only a digest of each pair under a random key; these are what one thread hands to another, so that only one of
// them reads the file. A leaf: anyone may import it.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { MemslabError, systemError, type MemslabErrorCode } from '../errors.js'

/** A file of users is read whole; more than this is another file by mistake. */
const FILE_BYTES_MAX = 1024 * 1024

/** Something that went wrong with the file, in the system's words. */
type SystemError = Error & { readonly code: string }

const DIGEST_BYTES = 32

/** Who may speak, as it is handed from thread to thread. */
export interface Users {
  readonly key: Uint8Array
  /** The digest of each name with its password, one after the other. */
  readonly digests: Uint8Array
}

export class Credentials {
  private known: Users
  /** Digests by their first word, so that no more than one or two need be looked at. */
  private byFirstWord: ReadonlyMap<number, readonly Buffer[]>

  /**
   * Throws a MemslabError if the file cannot be read or a line of it is not `name:password`.
   * @param users what another thread has read there; then the file is left alone
   */
  constructor(private readonly path: string, users?: Users) {
    this.known = users ?? this.read()
    this.byFirstWord = indexOf(this.known)
  }

  get users(): Users { return this.known }

  /** From now on it is these. */
  use(users: Users): void {
    this.known = users
    this.byFirstWord = indexOf(users)
  }

  /** Reads the file again. If that throws, as the constructor does, or if there is no user in it, the users stay as they were. */
  reload(): void {
    // a pipe has been read already, and to wait for what else comes would stop the server
    if (statSync(this.path, { throwIfNoEntry: false })?.isFile() === false) throw this.wrong('cannot be read again, it is no file')
    const users = this.read()
    if (users.digests.length === 0) throw this.wrong('names nobody')
    this.use(users)
  }

  /** True if there is such a user. Clients do not know the key of the digests, so the time of the answer shows nothing. */
  accepts(name: Uint8Array, password: Uint8Array): boolean {
    const given = digestOf(this.known.key, name, password)
    let isKnown = false
    for (const digest of this.byFirstWord.get(given.readUInt32BE(0)) ?? []) isKnown = timingSafeEqual(digest, given) || isKnown
    return isKnown
  }

  /** As in memcached a name ends at the first colon, which no line may lack, and a password at the line end or a \r. */
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

  /** The file as Latin-1, a character a byte. It may be a pipe, and is not trusted to have the size it claims. */
  private text(): string {
    const bytes = Buffer.alloc(FILE_BYTES_MAX + 1)
    let count = 0
    try {
      const file = openSync(this.path, 'r')
      try {
        let more: number
        do count += more = readSync(file, bytes, count, bytes.length - count, null)
        while (more > 0 && count < bytes.length)
      } finally { closeSync(file) }
    } catch (cause) {
      const { code, message } = cause as SystemError
      throw systemError(code, `Could not open authfile [${this.path}] for reading, error ${message}`)
    }
    if (count > FILE_BYTES_MAX) throw this.wrong(`has more than ${FILE_BYTES_MAX} bytes`, 'EFBIG')
    return bytes.toString('latin1', 0, count)
  }

  private wrong(what: string, code: MemslabErrorCode = 'EINVAL'): MemslabError { return new MemslabError(code, `Authfile [${this.path}] ${what}`) }
}

/** The length of the name keeps `a:b` with the password `c` apart from `a` with `b:c`. */
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
