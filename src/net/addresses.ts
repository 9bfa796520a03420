// Opens the addresses of `-l`, for TCP and UDP alike; a host name stands for all its addresses. As in memcached, each entry of
// `-l` must open on at least one of its addresses. Of an entry with several, an address may be skipped if it is in use, or if
// this machine lacks its address family.
import { isIP } from 'node:net'
import { MemslabError } from '../errors.js'
import { parseAddress, type Address } from '../options/address.js'
import { LOOPBACK } from '../options/values.js'
import { type Remote } from './link.js'
import { failure } from './listen.js'

/** The number of ports that are tried to find one that is free on all addresses. */
const PORT_TRIES = 10

const IN_USE = 'EADDRINUSE'
/** The kernel's error for an address family that it does not have. */
const NO_FAMILY = 'EAFNOSUPPORT'
/** The errors of opening ::1 on a machine without IPv6. */
const ABSENT: readonly string[] = [NO_FAMILY, 'EADDRNOTAVAIL', 'EINVAL']

/** One entry of `-l`. */
interface Entry {
  readonly addresses: readonly Address[]
  /** True if the server can do without the entry. */
  readonly isOptional: boolean
}

export interface Opener {
  /** Opens one address, on any free port if `port` is 0. Returns the port. */
  open(address: Address, port: number): Promise<number>
  /** Closes all that is open, before another port is tried. */
  undo(): void
  /** Takes a line about an address that is skipped. */
  warn(line: string): void
}

/**
 * Opens the addresses of `-l`, all on the same port except those that name their own.
 * @param port the port of addresses that name none; with -1, one that is free on all of them
 */
export async function openAddresses(listen: readonly string[], port: number, opener: Opener): Promise<void> {
  const entries = await entriesOf(listen)
  for (let triesLeft = port === -1 ? PORT_TRIES - 1 : 0; ; triesLeft--) {
    try {
      return await openEntries(entries, Math.max(port, 0), opener, triesLeft > 0)
    } catch (cause) {
      // the port that was free on the first address may be in use on another one
      if (triesLeft === 0 || !hasCode(cause, IN_USE)) throw cause
      opener.undo()
    }
  }
}

async function openEntries(entries: readonly Entry[], port: number, opener: Opener, mustBeFree: boolean): Promise<void> {
  let chosen = port
  const warnings: string[] = []
  for (const { addresses, isOptional } of entries) {
    const skipped: MemslabError[] = []
    for (const address of addresses) {
      try {
        const opened = await opener.open(address, address.port ?? chosen)
        if (chosen === 0) chosen = opened
      } catch (cause) {
        const mayFail = hasCode(cause, NO_FAMILY) || hasCode(cause, IN_USE) && !mustBeFree ||
          isOptional && hasCode(cause, ...ABSENT)
        if (!mayFail) throw cause
        skipped.push(cause)
      }
    }
    if (skipped.length === addresses.length && !isOptional) throw skipped[0]
    warnings.push(...skipped.map(({ message }) => `WARNING: ${message}`))
  }
  for (const warning of warnings) opener.warn(warning)
}

function hasCode(error: unknown, ...codes: string[]): error is MemslabError {
  return error instanceof MemslabError && codes.includes(error.code)
}

/** Parses `-l` and resolves its names. Without `-l`, the entries are 127.0.0.1 and, if the machine has IPv6, ::1. */
async function entriesOf(listen: readonly string[]): Promise<Entry[]> {
  const entries: Entry[] = []
  for (const [index, text] of (listen.length === 0 ? LOOPBACK : listen).entries()) {
    const address = parseAddress(text)
    if (typeof address === 'string') throw new MemslabError('EUSAGE', address, [address])
    const hosts = address.host === '*' ? ['0.0.0.0', '::'] : await resolve(address.host)
    entries.push({ addresses: hosts.map(host => ({ ...address, host })), isOptional: listen.length === 0 && index > 0 })
  }
  return entries
}

/** All addresses of a host name. */
async function resolve(name: string): Promise<string[]> {
  if (isIP(name) !== 0) return [name]
  const { lookup } = await import('node:dns/promises')
  try {
    return (await lookup(name, { all: true })).map(({ address }) => address)
  } catch (cause) {
    throw failure(cause, name)
  }
}

/** An address in the form that memcached prints. */
export function formatAddress(address: string, port: number): string {
  return address.includes(':') ? `tcp6:[${address}]:${port}` : `tcp:${address}:${port}`
}

/** The address of a UDP socket in that form. */
export function formatUdpAddress({ address, port }: Remote): string { return formatAddress(address, port).replace(/^tcp/, 'udp') }
