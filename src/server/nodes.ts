// The nodes of a cluster: servers of one process that clients discover through any of them. The list has a version, which grows
// whenever a node comes or goes, and each server of the list shows it, see protocol/cluster.ts.
import { networkInterfaces } from 'node:os'
import { assert } from '../errors.js'
import { type ServerCore } from './core.js'

/** A node as clients see it. */
export interface ClusterNode {
  /** The name or address to connect to. */
  readonly host: string
  readonly ip: string
  readonly port: number
}

/** The addresses that stand for every address of the machine, and the loopback address of the same kind. */
const EVERY: Readonly<Record<string, { readonly family: 'IPv4' | 'IPv6', readonly loopback: string }>> = {
  '0.0.0.0': { family: 'IPv4', loopback: '127.0.0.1' },
  '::': { family: 'IPv6', loopback: '::1' },
}

export class Nodes {
  /** Grows by one whenever the list changes; 0 while nothing was listed. */
  version = 0
  list: readonly ClusterNode[] = []

  /** Lists these servers, in this order. They listen, and have the option `discovery`. */
  change(servers: readonly ServerCore[]): void {
    const list = servers.map(nodeOf)
    const before = textOf(this.list)
    this.list = list
    if (textOf(list) !== before) this.version++
    for (const server of servers) server.showNodes(Buffer.from(`${this.version}\n${textOf(list)}\n`))
  }
}

function textOf(list: readonly ClusterNode[]): string {
  return list.map(({ host, ip, port }) => `${host}|${ip}|${port}`).join(' ')
}

/** A server that listens, as a node: its first TCP address. */
export function nodeOf({ addresses }: ServerCore): ClusterNode {
  const first = addresses.find(address => address.family !== 'Unix' && address.transport === 'TCP')
  assert(first !== undefined && first.family !== 'Unix', 'a node does not listen on TCP')
  const ip = reachable(first.address)
  return { host: ip, ip, port: first.port }
}

/** An address that clients can connect to: of those that stand for every address, the first one of the network. */
function reachable(address: string): string {
  const every = EVERY[address]
  if (every === undefined) return address
  const own = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
    .find(({ family, internal, scopeid }) => family === every.family && !internal && !scopeid)
  return own?.address ?? every.loopback
}
