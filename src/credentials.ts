// The users who may speak to a server, from a file of `name:password` lines as memcached's -Y takes it. Passwords are
// not kept, only a digest of each pair under a key of this process. A leaf: anyone may import it.
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { closeSync, openSync, readSync, statSync } from 'node:fs'
import { MemslabError } from './errors.js'

/** A file of users is read whole; more than this is another file by mistake. */
const FILE_BYTES_MAX = 1024 * 1024

/** Something that went wrong with the file, in the system's words. */
type SystemError = Error & { readonly code: string }

export class Credentials {
  private readonly key = randomBytes(32)
  /** Digests by their first word, so that no more than one or two need be looked at. */
  private users: ReadonlyMap<number, readonly Buffer[]>

  /** Throws a MemslabError if the file cannot be read or a line of it is not `name:password`. */
  constructor(private readonly path: string) {
    this.users = this.read()
  }

  /** Reads the file again. If that throws, as the constructor does, the users stay who they were; also if it names nobody. */
  reload(): void {
    // a pipe has been read already, and to wait for what else comes would stop the server
    if (statSync(this.path, { throwIfNoEntry: false })?.isFile() === false) throw this.wrong('cannot be read again, it is no file')
    const users = this.read()
    if (users.size === 0) throw this.wrong('names nobody')
    this.users = users
  }

  /** Whether there is such a user. Nobody else knows the key of the digests, so how long the answer takes tells nothing. */
  accepts(name: Uint8Array, password: Uint8Array): boolean {
    const given = this.digest(name, password)
    let isKnown = false
    for (const digest of this.users.get(given.readUInt32BE(0)) ?? []) isKnown = timingSafeEqual(digest, given) || isKnown
    return isKnown
  }

  /** The length of the name keeps `a:b` with the password `c` apart from `a` with `b:c`. */
  private digest(name: Uint8Array, password: Uint8Array): Buffer {
    return createHmac('sha256', this.key).update(`${name.length}:`).update(name).update(password).digest()
  }

  /** As in memcached a name ends at the first colon, which no line may lack, and a password at the line end or a \r. */
  private read(): Map<number, Buffer[]> {
    const users = new Map<number, Buffer[]>()
    const lines = this.text().split('\n')
    if (lines.at(-1) === '') lines.pop()
    for (const [index, line] of lines.entries()) {
      const colon = line.indexOf(':')
      if (colon < 0) throw this.wrong(`has a malformed entry. Should be 'user:password' (line ${index + 1})`)
      const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
      const digest = this.digest(bytes(line.slice(0, colon)), bytes(line.slice(colon + 1).replace(/\r[^]*/, '')))
      const word = digest.readUInt32BE(0)
      users.set(word, [...users.get(word) ?? [], digest])
    }
    return users
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
      throw new MemslabError(code, `Could not open authfile [${this.path}] for reading, error ${message}`)
    }
    if (count > FILE_BYTES_MAX) throw this.wrong(`has more than ${FILE_BYTES_MAX} bytes`, 'EFBIG')
    return bytes.toString('latin1', 0, count)
  }

  private wrong(what: string, code = 'EINVAL'): MemslabError { return new MemslabError(code, `Authfile [${this.path}] ${what}`) }
}
