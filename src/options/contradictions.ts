// Options that cannot go together, options that need another one, and combinations that memcached accepts although they are
// hardly intended. A message names the first field. There is none if one of the fields is wrong by itself.
import { parseAddress, type Address } from './address.js'
import { httpRefusal } from './http.js'
import { PROFILES } from './profiles.js'
import { printSize } from './rows.js'
import { PAGE_BYTES, type Options, type ProtocolName } from './values.js'

type Field = keyof Options

export interface Contradiction {
  readonly fields: readonly [Field, ...Field[]]
  /** The problem in words; false if there is none. */
  readonly problem: (options: Options, nameOf: (field: Field) => string) => string | false
}

/** The most sizes in `slab_sizes`, as in memcached: one for each class except that of the largest chunks. */
const SLAB_SIZES_MAX = 62
/** The least distance between two sizes, as in memcached. */
const SLAB_SIZE_STEP = 9
/** The value of `ssl_keyformat` for a key in DER. */
const DER = 2

const MEMORY: readonly Contradiction[] = [
  { fields: ['itemSizeMax', 'maxbytes'], problem: ({ itemSizeMax, maxbytes }, nameOf) =>
    itemSizeMax > maxbytes / 2 &&
    `${printSize(itemSizeMax)} is more than half of ${nameOf('maxbytes')}, ${printSize(maxbytes)}` },
  { fields: ['slabChunkMax'], problem: ({ slabChunkMax }) =>
    PAGE_BYTES % slabChunkMax !== 0 && `${printSize(slabChunkMax)} does not divide a page of ${printSize(PAGE_BYTES)} evenly` },
  { fields: ['slabSizes', 'chunkSize', 'slabChunkMax'], problem: (options, nameOf) =>
    wrongSizes(options, nameOf).join('; ') || false },
  { fields: ['hotLruPct', 'warmLruPct'], problem: ({ hotLruPct, warmLruPct }, nameOf) =>
    hotLruPct + warmLruPct > 80 && `${hotLruPct} and ${nameOf('warmLruPct')} ${warmLruPct} are more than 80 percent together` },
  { fields: ['temporaryTtl', 'tempLru', 'lruMaintainer'], problem: ({ tempLru, lruMaintainer }) =>
    tempLru && !lruMaintainer && 'there is no list for short lives without the LRU maintainer' },
]

/** The most prefixes with a quota. */
const QUOTAS_MAX = 1024
/** The longest prefix, as a key has at least the delimiter behind it. */
const PREFIX_BYTES_MAX = 249

const QUOTAS: readonly Contradiction[] = [
  { fields: ['prefixQuotas', 'prefixDelimiter'], problem: options => wrongQuotas(options).join('; ') || false },
  { fields: ['prefixQuotas', 'evictions'], problem: ({ prefixQuotas, evictions }, nameOf) =>
    Object.keys(prefixQuotas).length > 0 && !evictions && `has items evicted, so not with ${nameOf('evictions')}` },
  { fields: ['prefixQuotas', 'trackPrefixes'], problem: ({ prefixQuotas, trackPrefixes }, nameOf) =>
    Object.keys(prefixQuotas).length > 0 && !trackPrefixes && `needs ${nameOf('trackPrefixes')}` },
]

const AUTHENTICATION: readonly Contradiction[] = [
  { fields: ['sasl', 'protocol'], problem: ({ sasl, protocol }, nameOf) =>
    sasl && protocol !== 'binary' && `is only for the binary protocol, so ${nameOf('protocol')} cannot be ${protocol}` },
  { fields: ['authFile', 'sasl', 'protocol'], problem: (options, nameOf) =>
    authenticatesText(options) && options.protocol !== 'ascii' &&
    `without ${nameOf('sasl')} is only for the text protocol, so ${nameOf('protocol')} cannot be ${options.protocol}` },
  { fields: ['udpport', 'sasl', 'authFile'], problem: ({ udpport, sasl, authFile }, nameOf) =>
    udpport !== 0 && (sasl || authFile !== undefined) &&
    `clients cannot authenticate over UDP, so it does not go with ${nameOf(sasl ? 'sasl' : 'authFile')}` },
]

const TLS: readonly Contradiction[] = [
  { fields: ['sslEnabled', 'sslChainCert'], problem: ({ sslEnabled, sslChainCert }, nameOf) =>
    sslEnabled && sslChainCert === undefined && `needs a certificate, ${nameOf('sslChainCert')}` },
  { fields: ['sslKeyFormat', 'sslKey', 'sslEnabled'], problem: ({ sslEnabled, sslKeyFormat, sslKey }, nameOf) =>
    sslEnabled && sslKeyFormat === DER && sslKey === undefined && `DER needs a file of its own, ${nameOf('sslKey')}` },
  { fields: ['listen', 'sslEnabled'], problem: (options, nameOf) =>
    !options.sslEnabled && listenersOf(options).some(({ tls }) => tls !== undefined) &&
    `notls, btls and mtls are only for a server with ${nameOf('sslEnabled')}` },
]

/** What a service does not have, and options that ask for it. */
const PROFILE: readonly Contradiction[] = [
  { fields: ['profile', 'sslEnabled', 'socketPath'], problem: ({ profile, sslEnabled, socketPath }, nameOf) => {
    if (!PROFILES[profile].isTlsTextOnly) return false
    if (socketPath !== undefined) return `${profile} has only TLS, so not with ${nameOf('socketPath')}`
    return !sslEnabled && `${profile} has only TLS, so not without ${nameOf('sslEnabled')}`
  } },
  { fields: ['profile', 'protocol'], problem: ({ profile, protocol }, nameOf) =>
    PROFILES[profile].isTlsTextOnly && protocol !== 'ascii' &&
    `${profile} has only the text protocol, so ${nameOf('protocol')} cannot be ${protocol}` },
  { fields: ['profile', 'udpport'], problem: ({ profile, udpport }, nameOf) =>
    PROFILES[profile].isTlsTextOnly && udpport !== 0 && `${profile} has no UDP, so not with ${nameOf('udpport')}` },
  { fields: ['profile', 'listen'], problem: (options, nameOf) =>
    PROFILES[options.profile].isTlsTextOnly &&
    (hasListenerBesides('ascii', options) || listenersOf(options).some(({ tls }) => tls === 'none')) &&
    `${options.profile} has only TLS and the text protocol, which a prefix of ${nameOf('listen')} cannot change` },
]

export const CONTRADICTIONS: readonly Contradiction[] = [...MEMORY, ...QUOTAS, ...AUTHENTICATION, ...TLS, ...PROFILE]

/** Combinations that are hardly intended: errors in a program; warnings on the command line, as memcached starts with them. */
export const DOUBTS: readonly Contradiction[] = [
  { fields: ['sasl', 'authFile', 'saslPwdb'], problem: ({ sasl, authFile, saslPwdb }, nameOf) =>
    sasl && authFile === undefined && saslPwdb === undefined &&
    `no client can log in without a file of users, ${nameOf('authFile')} or MEMCACHED_SASL_PWDB` },
  { fields: ['listen', 'sasl', 'authFile', 'protocol'], problem: options =>
    options.sasl && options.authFile === undefined && hasListenerBesides('binary', options) &&
    'clients of the text protocol need no password' },
  { fields: ['listen', 'sasl', 'authFile', 'protocol'], problem: options =>
    authenticatesText(options) && hasListenerBesides('ascii', options) &&
    'clients of the binary protocol need no password' },
  { fields: ['listen', 'protocol'], problem: options => {
    const names = listenersOf(options).flatMap(({ unknownProtocol }) => unknownProtocol ?? [])
    const name = names.find(name => name !== options.protocol)
    return name !== undefined && `proto[${name}] is not a protocol, so ${options.protocol} is used there`
  } },
  { fields: ['udpport', 'sslEnabled', 'socketPath'], problem: ({ udpport, sslEnabled, socketPath }, nameOf) =>
    udpport !== 0 && sslEnabled && socketPath === undefined && `UDP is not encrypted by ${nameOf('sslEnabled')}` },
  { fields: ['http', 'profile', 'sasl', 'authFile', 'saslPwdb'], problem: (options, nameOf) => {
    const refusal = options.http === false ? undefined : httpRefusal(options)
    if (refusal === 'profile') return `${options.profile} has no HTTP`
    return refusal === 'sasl' && `is off, as ${nameOf('sasl')} has no users who could ask by it`
  } },
  { fields: ['sslVerifyMode', 'listen', 'sslCaCert', 'sslEnabled'], problem: (options, nameOf) =>
    options.sslEnabled && options.sslCaCert === undefined &&
    (options.sslVerifyMode !== 0 || listenersOf(options).some(({ tls }) => tls === 'mutual')) &&
    `no certificate of a client is trusted without ${nameOf('sslCaCert')}` },
]

/** True if clients of the text protocol have to authenticate. */
function authenticatesText({ authFile, sasl }: Options): boolean {
  return authFile !== undefined && !sasl
}

/** True if the prefix of a listener's address chooses another protocol than this. */
function hasListenerBesides(expected: ProtocolName, options: Options): boolean {
  return listenersOf(options).some(({ protocol }) => protocol !== undefined && protocol !== expected)
}

/** The addresses of `-l`, which have been checked before. */
export function listenersOf({ listen }: Options): Address[] {
  return listen.map(parseAddress).filter(address => typeof address !== 'string')
}

/** The problems of `prefix_quota`. */
function wrongQuotas({ prefixQuotas, prefixDelimiter }: Options): string[] {
  const quotas = Object.entries(prefixQuotas)
  const wrong = quotas.flatMap(([prefix, percent]) => {
    if (prefix.includes(prefixDelimiter)) return [`"${prefix}" has the delimiter in it, ${prefixDelimiter}`]
    const bytes = Buffer.byteLength(prefix)
    if (bytes < 1 || bytes > PREFIX_BYTES_MAX) return [`"${prefix}" is not 1 to ${PREFIX_BYTES_MAX} bytes long`]
    return percent > 0 && percent <= 100 ? [] : [`the percents of "${prefix}" must be above 0 and at most 100, not ${percent}`]
  })
  if (quotas.length > QUOTAS_MAX) wrong.push(`${quotas.length} prefixes are more than ${QUOTAS_MAX}`)
  return wrong
}

/** The problems of `slab_sizes`. */
function wrongSizes({ slabSizes, chunkSize, slabChunkMax }: Options, nameOf: (field: Field) => string): string[] {
  const wrong = slabSizes.flatMap((size, index) => {
    const before = slabSizes[index - 1] ?? 0
    if (size < chunkSize || size > slabChunkMax) {
      return [`${size} is not from ${chunkSize} (${nameOf('chunkSize')}) to ${slabChunkMax} (${nameOf('slabChunkMax')})`]
    }
    if (size >= before + SLAB_SIZE_STEP) return []
    return [`${size} is not at least ${SLAB_SIZE_STEP} more than ${index === 0 ? 'nothing' : `the size before it, ${before}`}`]
  })
  if (slabSizes.length > SLAB_SIZES_MAX) wrong.push(`${slabSizes.length} sizes are more than ${SLAB_SIZES_MAX}`)
  return wrong
}
