// The files of TLS: the server's certificate and key, and the certificates that may sign those of clients. The server reads them
// when it starts, and again on SIGHUP or `refresh_certs`; an error is one line, in memcached's words. One thread reads them and
// hands their contents to the others.
import { constants, createPrivateKey, randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions, type SecureVersion } from 'node:tls'
import { MemslabError } from '../errors.js'
import { type Options } from '../options/options.js'
import { type Verify } from './verify.js'

/** The contents of the files. They may be posted to a thread. */
export interface Certificates {
  readonly context: SecureContextOptions
  /**
   * The keys that encrypt the tickets of sessions: a session goes on in whichever thread its client comes back to. A
   * session begun where no certificate was asked for must not go on where one is, nor one begun with an authority that has
   * since been taken away, so each way to treat clients has its own key, and each reading new ones.
   */
  readonly ticketKeys: Readonly<Record<Verify, Uint8Array>>
  /** Changes whenever one of the files does. */
  readonly stamp: string
}

/** The length that Node.js asks for. */
const TICKET_KEY_BYTES = 48

/** By `ssl_min_version`. */
const MIN_VERSIONS: readonly SecureVersion[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']
const TLS12 = 2
/** OpenSSL 3 refuses older versions unless its security level is lowered. */
const OLD_CIPHERS = 'DEFAULT@SECLEVEL=0'
/** `ssl_keyformat` */
const DER = 2
const DER_TYPES = ['pkcs8', 'pkcs1', 'sec1'] as const
/** Node's and OpenSSL's codes for a key that is encrypted. */
const NEEDS_PASSPHRASE = new Set(['ERR_MISSING_PASSPHRASE', 'ERR_OSSL_CRYPTO_INTERRUPTED_OR_CANCELLED'])
/** `ssl_ciphers` is about older versions alone: those of TLS 1.3 stay allowed, where Node would take them away. */
const TLS13_CIPHERS = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

/**
 * Reads the files and makes sure that they go together.
 * @throws MemslabError with code 'EUSAGE' if they do not
 */
export function readCertificates(options: Options): Certificates {
  const stamp = stampOf(options)
  const newKey = (): Uint8Array => randomBytes(TICKET_KEY_BYTES)
  return { context: readContext(options), ticketKeys: { none: newKey(), request: newKey(), require: newKey() }, stamp }
}

function readContext(options: Options): SecureContextOptions {
  const { sslChainCert: chain = '', sslKey: keyFile = chain, sslCaCert: caFile } = options
  const cert = attempt(`Error loading the certificate chain: ${chain}`, () => usable(readFileSync(chain)))
  const key = attempt(`Error loading the key: ${keyFile}`, () => readKey(keyFile, options.sslKeyFormat, cert))
  // an empty list trusts no authority; without a list Node.js would trust all the authorities of the web
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

/** See Certificates. What is no file, a pipe for one, cannot be read again and does not change. */
export function stampOf({ sslChainCert, sslKey, sslCaCert }: Options): string {
  return [sslChainCert, sslKey, sslCaCert].map(path => path === undefined ? '' : stampOfFile(path)).join()
}

function stampOfFile(path: string): string {
  try {
    const facts = statSync(path)
    return facts.isFile() ? [facts.ino, facts.size, facts.mtimeMs, facts.ctimeMs].join(' ') : ''
  } catch (cause) {
    return String(cause)
  }
}

function usable(cert: Buffer): Buffer {
  createSecureContext({ cert, ca: [] })
  return cert
}

/** The key as PEM, which is what Node wants; it must be that of the certificate. */
function readKey(path: string, format: number, cert: Buffer): string {
  const key = keyOf(readFileSync(path), format)
  // OpenSSL itself would take a key of another type, and then fail each handshake
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

/** Node takes a file without certificates for an empty list. */
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
