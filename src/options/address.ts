// One address of `-l`: a host, or a host and a port, behind prefixes that say how to speak there. memcached knows
// `notls:`, `btls:`, `mtls:` and `proto[...]:`; `tag[...]:` is its proxy's.
import { isIPv6 } from 'node:net'
import { type ProtocolName } from './values.js'

export interface Address {
  /** An IPv4 or IPv6 address without brackets, or a name to look up; '*' means every address of the machine. */
  host: string
  /** undefined: the port of `-p`. */
  port: number | undefined
  /** undefined: that of `-B`. */
  protocol: ProtocolName | undefined
  /** undefined: TLS if there is `-Z`, and certificates of clients as `ssl_verify_mode` says. */
  tls: 'none' | 'basic' | 'mutual' | undefined
}

type Prefixes = Pick<Address, 'protocol' | 'tls'>

const PREFIX = /^(?:(notls|btls|mtls)|(proto|tag)\[([^\]]*)\]):/
const TLS = { notls: 'none', btls: 'basic', mtls: 'mutual' } as const
const PROTOCOLS: ReadonlyMap<string, ProtocolName> =
  new Map([['ascii', 'ascii'], ['binary', 'binary'], ['auto', 'auto'], ['negotiating', 'auto']])

/**
 * Reads `host`, `host:port`, `[::1]`, `[::1]:port` or a bare `::1`, after any of `proto[ascii]:`, `proto[binary]:`,
 * `proto[auto]:`, and `notls:`, `btls:`, `mtls:`. A string says what is wrong with it.
 */
export function parseAddress(text: string): Address | string {
  const prefixes: Prefixes = { protocol: undefined, tls: undefined }
  let rest = text
  for (let match = PREFIX.exec(rest); match !== null; match = PREFIX.exec(rest)) {
    const problem = readPrefix(match, prefixes)
    if (problem !== undefined) return `"${text}": ${problem}`
    rest = rest.slice(match[0].length)
  }
  const { host, port } = split(rest)
  if (host === '') return `"${text}" names no address`
  if (/[[\]:]/.test(host) && !isIPv6(host)) return `"${text}" is not an address`
  if (port === undefined) return { host, port, ...prefixes }
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) return `"${text}": "${port}" is not a port number`
  return { host, port: Number(port), ...prefixes }
}

/** Puts what a prefix says with the others, or tells why it cannot be. */
function readPrefix([, tls, word, name = '']: RegExpExecArray, prefixes: Prefixes): string | undefined {
  if (tls !== undefined) {
    if (prefixes.tls !== undefined) return 'only one of notls, btls and mtls'
    prefixes.tls = TLS[tls as keyof typeof TLS]
    return undefined
  }
  if (word === 'tag') return 'tags of listeners are for a proxy, which is not supported yet'
  if (prefixes.protocol !== undefined) return 'only one proto'
  prefixes.protocol = PROTOCOLS.get(name)
  return prefixes.protocol === undefined ? `proto must be one of ${[...PROTOCOLS.keys()].join(', ')}, not "${name}"` : undefined
}

function split(text: string): { host: string, port: string | undefined } {
  const bracketed = /^\[([^\]]*)\](?::(.*))?$/.exec(text)
  if (bracketed) return { host: bracketed[1] ?? '', port: bracketed[2] }
  const colon = text.indexOf(':')
  const isBareIPv6 = colon !== text.lastIndexOf(':')
  if (colon < 0 || isBareIPv6) return { host: text, port: undefined }
  return { host: text.slice(0, colon), port: text.slice(colon + 1) }
}
