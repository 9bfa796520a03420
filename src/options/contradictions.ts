// What no option alone is to blame for: options that cannot go together, or that need another. The first field is the one
// that is complained about; nothing is said where one of the fields is wrong by itself.
import { parseAddress, type Address } from './address.js'
import { printSize } from './rows.js'
import { type Options, type ProtocolName } from './values.js'

type Field = keyof Options

export interface Contradiction {
  readonly fields: readonly [Field, ...Field[]]
  /** false: there is none. */
  readonly problem: (options: Options, nameOf: (field: Field) => string) => string | false
}

const PAGE_BYTES = 1024 * 1024
/** What an item takes besides its key, value and flags, at most. */
const HEADER_BYTES = 48
/** `ssl_keyformat` */
const DER = 2

const MEMORY: readonly Contradiction[] = [
  { fields: ['itemSizeMax', 'maxbytes'], problem: ({ itemSizeMax, maxbytes }, nameOf) =>
    itemSizeMax > maxbytes / 2 && `${printSize(itemSizeMax)} is more than half of ${nameOf('maxbytes')}, ${printSize(maxbytes)}` },
  { fields: ['slabChunkMax'], problem: ({ slabChunkMax }) =>
    PAGE_BYTES % slabChunkMax !== 0 && `${slabChunkMax} does not divide a page of ${PAGE_BYTES} bytes evenly` },
  { fields: ['chunkSize', 'slabChunkMax'], problem: ({ chunkSize, slabChunkMax }) =>
    chunkSize + HEADER_BYTES > slabChunkMax &&
    `${chunkSize} bytes and the header of an item do not fit the largest chunk, ${slabChunkMax} bytes` },
  { fields: ['hotLruPct', 'warmLruPct'], problem: ({ hotLruPct, warmLruPct }, nameOf) =>
    hotLruPct + warmLruPct > 80 && `${hotLruPct} and ${nameOf('warmLruPct')} ${warmLruPct} are more than 80 percent together` },
]

const AUTHENTICATION: readonly Contradiction[] = [
  { fields: ['sasl', 'protocol'], problem: ({ sasl, protocol }, nameOf) =>
    sasl && protocol !== 'binary' && `is for the binary protocol alone, so ${nameOf('protocol')} cannot be ${protocol}` },
  { fields: ['sasl', 'authFile', 'saslPwdb'], problem: ({ sasl, authFile, saslPwdb }, nameOf) =>
    sasl && authFile === undefined && saslPwdb === undefined && `needs a file of users, ${nameOf('authFile')} or MEMCACHED_SASL_PWDB` },
  { fields: ['authFile', 'sasl', 'protocol'], problem: (options, nameOf) =>
    authenticatesText(options) && options.protocol !== 'ascii' &&
    `without ${nameOf('sasl')} is for the text protocol alone, so ${nameOf('protocol')} cannot be ${options.protocol}` },
  { fields: ['listen', 'sasl'], problem: (options, nameOf) =>
    options.sasl && hasListenerBesides('binary', options) && `with ${nameOf('sasl')} proto can only be binary` },
  { fields: ['listen', 'authFile', 'sasl'], problem: (options, nameOf) =>
    authenticatesText(options) && hasListenerBesides('ascii', options) && `with ${nameOf('authFile')} proto can only be ascii` },
  { fields: ['udpport', 'sasl', 'authFile'], problem: ({ udpport, sasl, authFile }, nameOf) =>
    udpport !== 0 && (sasl || authFile !== undefined) &&
    `nobody can authenticate by UDP, so not with ${nameOf(sasl ? 'sasl' : 'authFile')}` },
]

const TLS: readonly Contradiction[] = [
  { fields: ['udpport', 'sslEnabled'], problem: ({ udpport, sslEnabled }, nameOf) =>
    udpport !== 0 && sslEnabled && `UDP is not encrypted, so not with ${nameOf('sslEnabled')}` },
  { fields: ['sslEnabled', 'sslChainCert'], problem: ({ sslEnabled, sslChainCert }, nameOf) =>
    sslEnabled && sslChainCert === undefined && `needs a certificate, ${nameOf('sslChainCert')}` },
  { fields: ['sslKeyFormat', 'sslKey', 'sslEnabled'], problem: ({ sslEnabled, sslKeyFormat, sslKey }, nameOf) =>
    sslEnabled && sslKeyFormat === DER && sslKey === undefined && `DER needs a file of its own, ${nameOf('sslKey')}` },
  { fields: ['sslVerifyMode', 'sslCaCert', 'sslEnabled'], problem: ({ sslEnabled, sslVerifyMode, sslCaCert }, nameOf) =>
    sslEnabled && sslVerifyMode !== 0 && sslCaCert === undefined &&
    `who vouches for clients is not known without ${nameOf('sslCaCert')}` },
  { fields: ['listen', 'sslCaCert', 'sslEnabled'], problem: (options, nameOf) =>
    options.sslEnabled && options.sslCaCert === undefined && listenersOf(options).some(({ tls }) => tls === 'mutual') &&
    `mtls: who vouches for clients is not known without ${nameOf('sslCaCert')}` },
  { fields: ['listen', 'sslEnabled'], problem: (options, nameOf) =>
    !options.sslEnabled && listenersOf(options).some(({ tls }) => tls !== undefined) &&
    `notls, btls and mtls are only for a server with ${nameOf('sslEnabled')}` },
]

export const CONTRADICTIONS: readonly Contradiction[] = [...MEMORY, ...AUTHENTICATION, ...TLS]

/** Whether the file of users is for clients of the text protocol. */
function authenticatesText({ authFile, sasl }: Options): boolean {
  return authFile !== undefined && !sasl
}

/** Whether a listener has a protocol of its own that is another. */
function hasListenerBesides(only: ProtocolName, options: Options): boolean {
  return listenersOf(options).some(({ protocol }) => protocol !== undefined && protocol !== only)
}

/** The addresses of `-l`, which are known to be right here. */
function listenersOf({ listen }: Options): Address[] {
  return listen.map(parseAddress).filter(address => typeof address !== 'string')
}
