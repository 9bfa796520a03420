// The files that only a server's owner should be able to read: its users, and its certificates with their key.
import { Credentials, type Users } from './credentials.js'
import { readCertificates, type Certificates } from './certificates.js'
import { type Options } from '../options/options.js'
import { usersFileOf } from '../options/users.js'

export interface SecretFiles {
  /** The users that may log in; undefined if clients need no password. */
  readonly users: Users | undefined
  /** The certificates; undefined without TLS. */
  readonly certificates: Certificates | undefined
}

/**
 * Reads the files that the options name.
 * @throws MemslabError with code 'EUSAGE' if a certificate is wrong, and with the system's code if the file of users cannot be
 * read
 */
export function readSecrets(options: Options): SecretFiles {
  const usersFile = usersFileOf(options)
  return {
    users: usersFile === undefined ? undefined : new Credentials(usersFile).users,
    certificates: options.sslEnabled ? readCertificates(options) : undefined,
  }
}
