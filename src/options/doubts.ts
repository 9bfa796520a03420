// What a command line says in vain, or only in part, or what is not safe: memcached starts with it, and so do we, with a
// warning for each.
import { parseAddress, type Address } from './address.js'
import { optionName, printSize, type OptionRow } from './rows.js'
import { type Options, type ProtocolName } from './values.js'

/** One sentence for each doubt. @param given what the line has set, in `options` and all that follows from it */
export function doubtsAbout(options: Options, given: Partial<Options>, used: ReadonlySet<OptionRow>): string[] {
  return [...uselessness(options, used), ...changes(options, given), ...deafness(options, given), ...openness(options)]
}

const IDLE_WITHOUT = { lruSegmented: 'in the flat LRU', socketPath: 'without -s', sslEnabled: 'without -Z' } as const

function uselessness(options: Options, used: ReadonlySet<OptionRow>): string[] {
  const useless: string[] = []
  for (const row of used) {
    if (row.needs === undefined || options[row.needs]) continue
    useless.push(`${optionName(row)}: has no effect ${IDLE_WITHOUT[row.needs]}`)
  }
  if (options.sslCaCert !== undefined && options.sslVerifyMode === 0 && !listenersOf(options).some(({ tls }) => tls === 'mutual')) {
    useless.push('-o ssl_ca_cert: has no effect without -o ssl_verify_mode or a listener with mtls:')
  }
  for (const { unknownProtocol } of listenersOf(options)) {
    if (unknownProtocol === undefined || unknownProtocol === options.protocol) continue
    useless.push(`-l/--listen: proto[${unknownProtocol}] is no protocol, so it is ${options.protocol} there`)
  }
  return useless
}

/** What has another value than was asked for. */
function changes(options: Options, given: Partial<Options>): string[] {
  const changed: string[] = []
  if (given.maxbytes !== undefined && given.itemSizeMax === undefined && options.itemSizeMax < 1024 * 1024) {
    changed.push(`-I/--max-item-size: lowered to half of -m, ${printSize(options.itemSizeMax)}`)
  }
  if (given.slabChunkMax !== undefined && given.slabChunkMax > options.slabChunkMax) {
    changed.push(`-o slab_chunk_max: lowered to ${printSize(options.slabChunkMax)} because of -I`)
  }
  return changed
}

/** Where nobody can come in. */
function deafness(options: Options, given: Partial<Options>): string[] {
  if (options.socketPath !== undefined) {
    const hasNetwork = given.port || given.udpport || given.listen !== undefined || options.sslEnabled
    return hasNetwork ? ['-s/--unix-socket: disables network support, so -p, -U, -l and -Z have no effect'] : []
  }
  if (given.listen?.length === 0) return ['-l/--listen: names no address, so nothing is listened on']
  const isDeaf = options.port === 0 && options.udpport === 0
  return isDeaf ? ['nothing is listened on: -p 0 switches TCP off, and there is neither -U nor -s'] : []
}

/** Who comes in without being asked, or unencrypted, and who cannot come in. */
function openness(options: Options): string[] {
  const { sasl, authFile, saslPwdb, udpport, sslEnabled, sslVerifyMode, sslCaCert, socketPath } = options
  const listeners = listenersOf(options)
  const open: string[] = []
  if (sasl && authFile === undefined && saslPwdb === undefined) {
    open.push('-S/--enable-sasl: nobody can log in without a file of users, -Y/--auth-file or MEMCACHED_SASL_PWDB')
  }
  if (sasl && authFile === undefined && speaks(listeners, 'binary')) {
    open.push('-l/--listen: clients of the text protocol are not asked who they are')
  }
  if (!sasl && authFile !== undefined && speaks(listeners, 'ascii')) {
    open.push('-l/--listen: clients of the binary protocol are not asked who they are')
  }
  if (sslEnabled && socketPath === undefined && udpport !== 0) open.push('-U/--udp-port: UDP is not encrypted, with -Z or without')
  const asksForCertificates = sslVerifyMode !== 0 || listeners.some(({ tls }) => tls === 'mutual')
  if (sslEnabled && sslCaCert === undefined && asksForCertificates) {
    open.push('-Z/--enable-ssl: no certificate of a client is trusted without -o ssl_ca_cert')
  }
  return open
}

/** Whether a listener speaks another protocol than this. */
function speaks(listeners: readonly Address[], only: ProtocolName): boolean {
  return listeners.some(({ protocol }) => protocol !== undefined && protocol !== only)
}

/** The addresses of `-l` that are right. */
function listenersOf({ listen }: Options): Address[] {
  return listen.map(parseAddress).filter(address => typeof address !== 'string')
}
