// The users and the certificate of a TestServer, which need no files. Loaded only for those that have some.
import { certificatesOf, stampOf } from '../secrets/certificates.js'
import { usersOf } from '../secrets/credentials.js'
import { readSecrets, type SecretFiles } from '../secrets/secrets.js'
import { type Options } from '../options/options.js'
import { throwAwayCertificate } from './certificate.js'

/** The secrets of a TestServer. */
export interface TestSecrets {
  readonly files: SecretFiles
  /** The throw-away certificate, in PEM. */
  readonly ca: string | undefined
}

/**
 * @param isThrowAway true: a certificate is made; otherwise that of the options is read, if they have one
 * @param users names and passwords, in place of those in a file
 */
export function secretsOf(options: Options, isThrowAway: boolean,
  users: Readonly<Record<string, string>> | undefined): TestSecrets {
  const withFiles = { ...options, sslEnabled: options.sslEnabled && !isThrowAway }
  const read = readSecrets(users === undefined ? withFiles : { ...withFiles, authFile: undefined, saslPwdb: undefined })
  const made = isThrowAway ? throwAwayCertificate() : undefined
  return {
    files: {
      users: users === undefined ? read.users : usersOf(users),
      certificates: made && certificatesOf(options, stampOf(options), Buffer.from(made.cert), made.key) || read.certificates,
    },
    ca: made?.cert,
  }
}
