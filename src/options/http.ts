// Where a server answers HTTP: nowhere, on the port of its other clients, or on a port of its own, see `-o http`.
import { parseAddress } from './address.js'
import { PROFILES } from './profiles.js'
import { usersFileOf } from './users.js'
import { LOOPBACK, type Options } from './values.js'

export interface HttpPlace {
  /** True if clients speak HTTP where they speak memcached's protocols. */
  readonly isShared: boolean
  /** The addresses of a port of its own, in the form of `-l`, and the port of those that name none: 0 for any free one. */
  readonly own: { readonly listen: readonly string[], readonly port: number } | undefined
}

const NOWHERE: HttpPlace = { isShared: false, own: undefined }
const SHARED: HttpPlace = { isShared: true, own: undefined }
const PORT_MAX = 65535

/** The reason why a server with `http` does not answer HTTP all the same; undefined if there is none. */
export function httpRefusal({ sasl, profile, ...options }: Options): 'sasl' | 'profile' | undefined {
  if (PROFILES[profile].isTlsTextOnly) return 'profile'
  return sasl && usersFileOf({ ...options, sasl, profile }) === undefined ? 'sasl' : undefined
}

export function httpPlace(options: Options): HttpPlace {
  const { http } = options
  if (http === false || httpRefusal(options) !== undefined) return NOWHERE
  if (http === true) return SHARED
  const text = String(http)
  if (/^\d+$/.test(text)) return { isShared: false, own: { listen: hostsOf(options), port: Number(text) } }
  return { isShared: false, own: { listen: [text], port: 0 } }
}

/** The problem of a value of `http`; undefined if there is none. */
export function httpProblem(http: unknown): string | undefined {
  if (typeof http === 'boolean') return undefined
  if (typeof http !== 'string' && typeof http !== 'number') return 'must be true, a port, or an address with a port'
  const text = String(http)
  if (/^\d+$/.test(text)) return Number(text) <= PORT_MAX ? undefined : `"${text}" is not a port number`
  const address = parseAddress(text)
  if (typeof address === 'string') return address
  if (address.port === undefined) return `"${text}" has no port`
  const hasProtocol = address.protocol !== undefined || address.unknownProtocol !== undefined
  return hasProtocol ? 'speaks only HTTP, so not with proto' : undefined
}

/** True for a name of a host, without a port. */
export function isHostName(name: unknown): name is string { return typeof name === 'string' && /^[\w.-]{1,253}$/.test(name) }

/** The hosts of `-l` without their ports, for a port of its own; those of the loopback with a Unix socket. */
function hostsOf({ listen, socketPath }: Options): readonly string[] {
  if (socketPath !== undefined) return LOOPBACK.slice(0, 1)
  const texts = listen.flatMap(text => {
    const address = parseAddress(text)
    if (typeof address === 'string') return []
    const { host, tls } = address
    const prefix = tls === undefined ? '' : `${{ none: 'notls', basic: 'btls', mutual: 'mtls' }[tls]}:`
    return prefix + (host.includes(':') ? `[${host}]` : host)
  })
  return [...new Set(texts)]
}

/** The value of `http` with the port that was found, if it is any free one. */
export function withPort(http: number | string, port: number): number | string {
  return port === 0 ? http : typeof http === 'number' ? port : http.replace(/(^|:)0+$/, `$1${port}`)
}
