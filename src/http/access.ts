// Who may ask by HTTP. A page of another site must not read what a server says to the browser of its owner: it could do so under
// a name of its own that leads to this server (DNS rebinding). So a request has to name the server as its owner does. A server
// with users (-Y, -S) asks for their names and passwords.
import { type IncomingMessage } from 'node:http'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { parseAddress } from '../options/address.js'
import { type Options } from '../options/options.js'
import { type Host } from '../protocol/host.js'
import { Counter } from '../stats/counters.js'

/** Why a request is refused. */
export interface Refusal { readonly status: 401 | 403 | 421, readonly sentence: string }

const WRONG_HOST: Refusal = {
  status: 421, sentence: 'This is not a name of this server: ask by its address, or see -o http_host.',
}
const OTHER_SITE: Refusal = { status: 403, sentence: 'A page of another site may not ask this server.' }
const UNKNOWN_USER: Refusal = { status: 401, sentence: 'This server asks for the name and password of one of its users.' }

export class Access {
  /** The names of this server, beside its addresses. */
  private readonly names: ReadonlySet<string>

  constructor(private readonly host: Host) { this.names = namesOf(host.options) }

  /** Returns undefined if a request may be answered. @param isOpen true if it needs no password */
  refusal(request: IncomingMessage, isOpen: boolean): Refusal | undefined {
    const { headers } = request
    if (headers.host !== undefined && !this.isOwnName(headers.host)) return WRONG_HOST
    const { 'sec-fetch-site': site, 'sec-fetch-mode': mode } = headers
    if (site === 'cross-site' && mode !== 'navigate') return OTHER_SITE
    return isOpen || this.isUser(headers.authorization) ? undefined : UNKNOWN_USER
  }

  /** True for an address or a name of this server, with a port or without. */
  private isOwnName(given: string): boolean {
    const [, bracketed, plain = ''] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(given) ?? []
    if (bracketed !== undefined) return isIP(bracketed) === 6
    return isIP(plain) === 4 || this.names.has(plain.toLowerCase().replace(/\.$/, ''))
  }

  private isUser(authorization: string | undefined): boolean {
    const { credentials, store: { counters } } = this.host
    if (credentials === undefined) return true
    const [, encoded] = /^Basic +([^ ]+) *$/i.exec(authorization ?? '') ?? []
    if (encoded === undefined) return false
    const given = Buffer.from(encoded, 'base64')
    const colon = given.indexOf(':')
    counters.add(Counter.AuthCmds)
    const isRight = colon >= 0 && credentials.accepts(given.subarray(0, colon), given.subarray(colon + 1))
    if (!isRight) counters.add(Counter.AuthErrors)
    return isRight
  }
}

/** The name of this machine, and those of `-l`, of a port for HTTP and of `-o http_host`. */
function namesOf({ listen, http, httpHosts }: Options): ReadonlySet<string> {
  const texts = typeof http === 'string' ? [...listen, http] : listen
  const listed = texts.flatMap(text => {
    const address = parseAddress(text)
    return typeof address === 'string' ? [] : address.host.toLowerCase()
  })
  return new Set(['localhost', hostname().toLowerCase(), ...listed, ...httpHosts.map(name => name.toLowerCase())])
}
