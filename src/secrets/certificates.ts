// The files of TLS: the server's certificate and key, and the CA certificates for those of clients. The server reads them when it
// starts, and again on SIGHUP or `refresh_certs`. An error is one line, in memcached's words. One thread reads the files and
// hands their contents to the others.
import { constants, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls'
import { MemslabError } from '../errors.js'
import { type Options } from '../options/options.js'
import { type Verify } from './verify.js'

/** The contents of the files. They can be posted to another thread. */
export interface Certificates {
  readonly context: SecureContextOptions
  /**
   * The keys that encrypt session tickets. All threads have the same keys, so that a client can resume its session in any
   * thread. A session that began without a client certificate must not resume on a listener that asks for one, nor a session
   * that began under a CA that has since been removed. So each Verify has its own key, and each reading makes new ones.
   */
  readonly ticketKeys: Readonly<Record<Verify, Uint8Array>>
  /** A string that differs whenever one of the files has changed. */
  readonly stamp: string
}

/** The length of a ticket key in Node.js. */
const TICKET_KEY_BYTES = 48

/** The least version, by `ssl_min_version`. */
const MIN_VERSIONS: readonly SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']
const TLS12 = 2
/** OpenSSL 3 refuses older versions unless its security level is lowered. */
const OLD_CIPHERS = 'DEFAULT@SECLEVEL=0'
/** The value of `ssl_keyformat` for a key in DER; any other means PEM. */
const DER = 2
const DER_TYPES = ['pkcs8', 'pkcs1', 'sec1'] as const
/** The codes of Node.js and OpenSSL for an encrypted key. */
const NEEDS_PASSPHRASE = new Set(['ERR_MISSING_PASSPHRASE', 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED'])
/** The ciphers of TLS 1.3. They stay allowed, as `ssl_ciphers` is only about older versions; Node.js alone would disable them. */
const TLS13_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

/**
 * Reads the files and checks that they go together.
 * @throws MemslabError with code 'EUSAGE' if one cannot be read or used, or if they do not go together
 */
export function readCertificates(options: Options): Certificates {
  const stamp = stampOf(options)
  const { sslChainCert: chain = '', sslKey: keyFile = chain } = options
  const cert = attempt(`Error loading the certificate chain: ${chain}`, () => usable(readFileSync(chain)))
  const key = attempt(`Error loading the key: ${keyFile}`, () => readKey(keyFile, options.sslKeyFormat, cert))
  return certificatesOf(options, stamp, cert, key)
}

/**
 * Makes the Certificates of a certificate chain and its key, both in PEM. The CA certificates are read.
 * @throws MemslabError with code 'EUSAGE' if those, or other options of TLS, cannot be used
 */
export function certificatesOf(options: Options, stamp: string, cert: Buffer, key: string): Certificates {
  const newKey = (): Uint8Array => randomBytes(TICKET_KEY_BYTES)
  const context = contextOf(options, cert, key)
  return { context, ticketKeys: { none: newKey(), request: newKey(), require: newKey() }, stamp }
}

function contextOf(options: Options, cert: Buffer, key: string): SecureContextOptions {
  const { sslCaCert: caFile } = options
  // an empty list trusts no CA; without a list Node.js would trust all public CAs
  const ca = caFile === undefined ? [] : attempt(`Error loading the CA certificate: ${caFile}`, () => readAuthorities(caFile))
  const ciphers = options.sslCiphers ?? (options.sslMinVersion < TLS12 ? OLD_CIPHERS : undefined)
  const context: SecureContextOptions = {
    cert, key, ca,
    minVersion: MIN_VERSIONS[options.sslMinVersion] ?? 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION | (options.sslSessionCache ? 0 : constants.SSL_OP_NO_TICKET),
    ...(ciphers === undefined ? {} : { ciphers: ciphers.includes('TLS_') ? ciphers : `${ciphers}:${TLS13_CIPHERS}` }),
  }
  attempt(`Error setting the provided cipher(s): ${ciphers}`, () => createSecureContext(context))
  return context
}

/** The stamp of Certificates. Something other than a file, such as a pipe, cannot be read again and counts as unchanged. */
export function stampOf({ sslChainCert, sslKey, sslCaCert }: Options): string {
  return [sslChainCert, sslKey, sslCaCert].map(path => path === undefined ? '' : stampOfFile(path)).join()
}

function stampOfFile(path: string): string {
  try {
    const stats = statSync(path)
    return stats.isFile() ? [stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(' ') : ''
  } catch (cause) {
    return String(cause)
  }
}

/** Throws if OpenSSL does not accept the certificate. */
function usable(cert: Buffer): Buffer {
  createSecureContext({ cert, ca: [] })
  return cert
}

/** Reads the key, as PEM, which Node.js needs. Throws if it is not the key of the certificate. */
function readKey(path: string, format: number, cert: Buffer): string {
  const key = keyOf(readFileSync(path), format)
  // OpenSSL would accept a key of another type, and then fail each handshake
  if (!new X509Certificate(cert).checkPrivateKey(key)) throw new Error('it is not the key of the certificate')
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function keyOf(bytes: Buffer, format: number): ReturnType<typeof createPrivateKey> {
  if (format !== DER) return createPrivateKey(bytes)
  let problem: unknown
  for (const type of DER_TYPES) {
    try {
      return createPrivateKey({ key: bytes, format: 'der', type })
    } catch (error) { problem ??= error }
  }
  throw problem
}

/** Reads CA certificates. Throws if the file has none, as Node.js would take it for an empty list. */
function readAuthorities(path: string): Buffer {
  const bytes = readFileSync(path)
  new X509Certificate(bytes)
  return bytes
}

function attempt<Result>(what: string, action: () => Result): Result {
  try {
    return action()
  } catch (cause) {
    const reason = cause instanceof Error ? reasonOf(cause) : String(cause)
    const problem = `${what} : ${reason}`.replace(/\s+/g, ' ').trim()
    throw new MemslabError('EUSAGE', problem, [problem])
  }
}

function reasonOf(cause: Error): string {
  const needsPassphrase = 'code' in cause && NEEDS_PASSPHRASE.has(String(cause.code))
  return needsPassphrase ? 'it needs a passphrase, which cannot be given' : cause.message
}
