// One address of `-l`: a host, or a host and a port, behind prefixes that choose the protocol and TLS: `notls:`, `btls:`, `mtls:`
// and `proto[...]:`. A prefix `tag[...]:` or `tag_..._:` is for memcached's proxy, and has no effect here.
import { isIPv6 } from 'node:net'
import { type ProtocolName } from './values.js'

export interface Address {
  /** An IPv4 or IPv6 address without brackets, or a name to look up; '*' means every address of the machine. */
  host: string
  /** The port; undefined for that of `-p`. */
  port: number | undefined
  /** The protocol; undefined for that of `-B`. */
  protocol: ProtocolName | undefined
  /** The word of `proto[...]` if it names no protocol. Then that of `-B` is used. */
  unknownProtocol: string | undefined
  /** The kind of TLS; undefined for TLS with `-Z`, and client certificates by `ssl_verify_mode`. */
  tls: 'none' | 'basic' | 'mutual' | undefined
}

/** An address that a server listens on. */
export type ServerAddress =
  | { readonly transport: 'TCP' | 'UDP'; readonly family: 'IPv4' | 'IPv6'; readonly address: string; readonly port: number }
  | { readonly family: 'Unix'; readonly path: string }

type Prefixes = Pick<Address, 'protocol' | 'unknownProtocol' | 'tls'>

const PREFIX = /^(?:(?<tls>notls|btls|mtls)|proto\[(?<word>[^\]]*)\]|tag(?:\[(?<tag>[^\]]*)\]|_(?<plainTag>[^_]*)_)):/
const TLS = { notls: 'none', btls: 'basic', mtls: 'mutual' } as const
/** The names of protocols, in memcached's order. A word means the first name that begins with it. */
const PROTOCOLS: readonly (readonly [name: string, protocol: ProtocolName | undefined])[] =
  [['ascii', 'ascii'], ['binary', 'binary'], ['negotiating', 'auto'], ['proxy', undefined]]
const TAG_MAX = 8

/**
 * Reads `host`, `host:port`, `[::1]`, `[::1]:port` or a bare `::1`, behind any of these prefixes: `proto[ascii]:`,
 * `proto[binary]:`, `proto[negotiating]:` (their words may be cut short), `notls:`, `btls:`, `mtls:`, and `tag[name]:` or
 * `tag_name_:` with 1 to 8 characters. Returns a string that says what is wrong if it is not an address.
 */
export function parseAddress(text: string): Address | string {
  const prefixes: Prefixes = { protocol: undefined, unknownProtocol: undefined, tls: undefined }
  let rest = text
  for (let match = PREFIX.exec(rest); match !== null; match = PREFIX.exec(rest)) {
    const problem = readPrefix(match.groups ?? {}, prefixes)
    if (problem !== undefined) return `"${text}": ${problem}`
    rest = rest.slice(match[0].length)
  }
  const { host, port } = split(rest)
  if (host === '') return `"${text}" names no address`
  if (/[[\]:]/.test(host) && !isIPv6(host)) return `"${text}" is not an address`
  if (port === undefined) return { host, port, ...prefixes }
  if (!/^(\d{1,5}|-1)$/.test(port) || Number(port) > 65535) return `"${text}": "${port}" is not a port number`
  return { host, port: Math.max(Number(port), 0), ...prefixes }
}

/** Adds a prefix to those read before. Returns the problem if it is wrong or does not go with them. */
function readPrefix({ tls, word, tag, plainTag }: Partial<Record<string, string>>, prefixes: Prefixes): string | undefined {
  if (tls !== undefined) {
    if (prefixes.tls !== undefined) return 'only one of notls, btls and mtls'
    prefixes.tls = TLS[tls as keyof typeof TLS]
    return undefined
  }
  if (word !== undefined) return readProtocol(word, prefixes)
  const { length } = tag ?? plainTag ?? ''
  return length >= 1 && length <= TAG_MAX ? undefined : `a tag has 1 to ${TAG_MAX} characters`
}

function readProtocol(word: string, prefixes: Prefixes): string | undefined {
  if (prefixes.protocol !== undefined || prefixes.unknownProtocol !== undefined) return 'only one proto'
  const [name, protocol] = PROTOCOLS.find(([name]) => name.startsWith(word)) ?? []
  if (name === 'proxy') return 'a proxy is not supported'
  prefixes.protocol = protocol
  if (protocol === undefined) prefixes.unknownProtocol = word
  return undefined
}

function split(text: string): { host: string, port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed) return { host: bracketed[1] ?? '', port: bracketed[2] }
  const colon = text.indexOf(':')
  const isBareIPv6 = colon !== text.lastIndexOf(':')
  if (colon < 0 || isBareIPv6) return { host: text, port: undefined }
  return { host: text.slice(0, colon), port: text.slice(colon + 1) }
}
