// The files that only a server's owner should be able to read: its users, and its certificates with their key.
import { type Credentials, type Users } from './credentials.js'
import { type Certificates } from './certificates.js'
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
    users: usersFile === undefined ? undefined : makeCredentials(usersFile).users,
    certificates: options.sslEnabled ? readCertificates(options) : undefined,
  }
}

// Most servers have no such files, so what reads them is loaded by those that do.

/** Makes the Credentials of a file, whose constructor has the same parameters. */
export function makeCredentials(path: string, users?: Users): Credentials {
  const { Credentials } = require('./credentials.js') as typeof import('./credentials.js')
  return new Credentials(path, users)
}

function readCertificates(options: Options): Certificates {
  const { readCertificates } = require('./certificates.js') as typeof import('./certificates.js')
  return readCertificates(options)
}
