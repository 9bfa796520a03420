// The files that only the owner of a server may read: its users, and the certificates with their key.
import { Credentials, type Users } from './credentials.js'
import { readCertificates, type Certificates } from './certificates.js'
import { type Options } from '../options/options.js'
import { usersFileOf } from '../options/users.js'

export interface SecretFiles {
  /** Who may speak; undefined: everybody. */
  readonly users: Users | undefined
  /** Where there is TLS. */
  readonly certificates: Certificates | undefined
}

/**
 * Reads those that the options name.
 * @throws MemslabError with code 'EUSAGE' if a certificate is wrong, and with the code of the system if the file of users
 * cannot be read
 */
export function readSecrets(options: Options): SecretFiles {
  const usersFile = usersFileOf(options)
  return {
    users: usersFile === undefined ? undefined : new Credentials(usersFile).users,
    certificates: options.sslEnabled ? readCertificates(options) : undefined,
  }
}
