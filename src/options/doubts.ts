// Warnings about a command line: options without effect, options that are changed, and settings that are not safe. memcached
// starts with all of these without a warning.
import { problemsOf } from './check.js'
import { DOUBTS, listenersOf } from './contradictions.js'
import { optionName, printSize, type OptionRow } from './rows.js'
import { type Options } from './values.js'

/**
 * Returns one sentence for each doubt.
 * @param given the fields that the command line set; `options` also has the defaults
 * @param used the rows of the options on the command line
 */
export function doubtsAbout(options: Options, given: Partial<Options>, used: ReadonlySet<OptionRow>): string[] {
  return [
    ...withoutEffect(options, used), ...changes(options, given), ...deafness(options, given),
    ...problemsOf(DOUBTS, options, optionName),
  ]
}

const IDLE_WITHOUT = { lruSegmented: 'in the flat LRU', socketPath: 'without -s', sslEnabled: 'without -Z' } as const

/** Options that have no effect without another one. */
function withoutEffect(options: Options, used: ReadonlySet<OptionRow>): string[] {
  const useless: string[] = []
  for (const row of used) {
    if (row.needs === undefined || options[row.needs]) continue
    useless.push(`${optionName(row)}: has no effect ${IDLE_WITHOUT[row.needs]}`)
  }
  const asksForCertificates = options.sslVerifyMode !== 0 || listenersOf(options).some(({ tls }) => tls === 'mutual')
  if (options.sslCaCert !== undefined && !asksForCertificates) {
    useless.push('-o ssl_ca_cert: has no effect without -o ssl_verify_mode or a listener with mtls:')
  }
  return useless
}

/** Settings that get another value than the command line says. */
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

/** Listeners that the server does not open, although the command line asks for them; or a server that listens nowhere. */
function deafness(options: Options, given: Partial<Options>): string[] {
  if (options.socketPath !== undefined) {
    const hasNetwork = given.port || given.udpport || given.listen !== undefined || options.sslEnabled
    return hasNetwork ? ['-s/--unix-socket: disables network support, so -p, -U, -l and -Z have no effect'] : []
  }
  if (given.listen?.length === 0) return ['-l/--listen: names no address, so the server listens nowhere']
  const isDeaf = options.port === 0 && options.udpport === 0
  return isDeaf ? ['the server listens nowhere: -p 0 switches TCP off, and there is neither -U nor -s'] : []
}
