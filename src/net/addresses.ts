// The addresses that a server opens, of TCP and of UDP alike: what `-l` says, and names with all that they stand for. As
// in memcached each entry of `-l` must open, a name at one of its addresses at least; only an address in use, or of a family
// that this machine does not have, is passed over.
import { lookup } from 'node:dns/promises'
import { MemslabError } from '../errors.js'
import { parseAddress, type Address } from '../options/address.js'
import { LOOPBACK } from '../options/values.js'
import { failure } from './listen.js'

/** How often a free port is tried that must be free on several addresses. */
const PORT_TRIES = 10

const IN_USE = 'EADDRINUSE'
/** What the kernel calls a family of addresses that it does not have. */
const NO_FAMILY = 'EAFNOSUPPORT'
/** The same and what else ::1 meets on a machine without IPv6. */
const ABSENT: readonly string[] = [NO_FAMILY, 'EADDRNOTAVAIL', 'EINVAL']

/** One entry of `-l`. */
interface Place {
  readonly addresses: readonly Address[]
  /** Whether the server does without if none of them can be opened. */
  readonly isOptional: boolean
}

export interface Opener {
  /** Opens one address, on any port if that is 0; answers the port. */
  open(address: Address, port: number): Promise<number>
  /** Closes what is open, as another port is tried. */
  undo(): void
  /** One line about an address that is passed over. */
  warn(line: string): void
}

/**
 * Opens the addresses of `-l`, all on the same port but those that name another.
 * @param port for those that name none; -1: one that is free on all of them
 */
export async function openAddresses(listen: readonly string[], port: number, opener: Opener): Promise<void> {
  const places = await placesOf(listen)
  for (let triesLeft = port === -1 ? PORT_TRIES - 1 : 0; ; triesLeft--) {
    try {
      return await openPlaces(places, Math.max(port, 0), opener, triesLeft > 0)
    } catch (cause) {
      // the first address gave a free port that is in use on another one
      if (triesLeft === 0 || !hasCode(cause, IN_USE)) throw cause
      opener.undo()
    }
  }
}

async function openPlaces(places: readonly Place[], port: number, opener: Opener, mustBeFree: boolean): Promise<void> {
  let chosen = port
  const warnings: string[] = []
  for (const { addresses, isOptional } of places) {
    const passedOver: MemslabError[] = []
    for (const address of addresses) {
      try {
        const opened = await opener.open(address, address.port ?? chosen)
        if (chosen === 0) chosen = opened
      } catch (cause) {
        const mayFail = hasCode(cause, NO_FAMILY) || hasCode(cause, IN_USE) && !mustBeFree || isOptional && hasCode(cause, ...ABSENT)
        if (!mayFail) throw cause
        passedOver.push(cause)
      }
    }
    if (passedOver.length === addresses.length && !isOptional) throw passedOver[0]
    warnings.push(...passedOver.map(({ message }) => `WARNING: ${message}`))
  }
  for (const warning of warnings) opener.warn(warning)
}

function hasCode(error: unknown, ...codes: string[]): error is MemslabError {
  return error instanceof MemslabError && codes.includes(error.code)
}

/** Without `-l` loopback: 127.0.0.1, and ::1 where that is to be had. */
async function placesOf(listen: readonly string[]): Promise<Place[]> {
  const places: Place[] = []
  for (const [index, text] of (listen.length === 0 ? LOOPBACK : listen).entries()) {
    const address = parseAddress(text)
    if (typeof address === 'string') throw new MemslabError('EUSAGE', address, [address])
    const hosts = address.host === '*' ? ['0.0.0.0', '::'] : await resolve(address.host)
    places.push({ addresses: hosts.map(host => ({ ...address, host })), isOptional: listen.length === 0 && index > 0 })
  }
  return places
}

/** Every address of a name. */
async function resolve(name: string): Promise<string[]> {
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } catch (cause) {
    throw failure(cause, name)
  }
}

/** An address as memcached prints it. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `tcp6:[${address}]:${port}` : `tcp:${address}:${port}`
}
