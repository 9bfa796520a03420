// The nodes of a cluster: servers of one process that clients discover through any of them. The list has a version, which grows
// whenever a node comes or goes, and each server of the list shows it, see protocol/cluster.ts.
import { isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { assert } from '../errors.js'
import { LOOPBACK, parseAddress } from '../options/options.js'
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
  '*': { family: 'IPv4', loopback: '127.0.0.1' },
  '::': { family: 'IPv6', loopback: '::1' },
}

export class Nodes {
  /** Grows by one whenever the list changes; 0 while nothing was listed. */
  version = 0
  list: readonly ClusterNode[] = []

  /** The servers that were listed, as nodes: a server that has been closed keeps its place. */
  private readonly known = new WeakMap<ServerCore, ClusterNode>()

  /**
   * Lists these servers, in this order. They have the option `discovery`, and their ports are known: they listen, or will, or
   * were listed when they did.
   */
  change(servers: readonly ServerCore[]): void {
    const list = servers.map(server => this.nodeOf(server))
    const before = textOf(this.list)
    this.list = list
    if (textOf(list) !== before) this.version++
    for (const server of servers) server.showNodes(Buffer.from(`${this.version}\n${textOf(list)}\n`))
  }

  private nodeOf(server: ServerCore): ClusterNode {
    const node = hasPort(server) ? nodeOf(server) : this.known.get(server)
    assert(node !== undefined, 'a node has no TCP port')
    this.known.set(server, node)
    return node
  }
}

function textOf(list: readonly ClusterNode[]): string {
  return list.map(({ host, ip, port }) => `${host}|${ip}|${port}`).join(' ')
}

/** True if the port of a server is known: it listens, or its options say where it will. */
export function hasPort({ options, port }: ServerCore): boolean { return port > 0 || options.port > 0 }

/** A server as a node: its first TCP address or, if it does not listen yet, what its options say. */
export function nodeOf({ addresses, options }: ServerCore): ClusterNode {
  const first = addresses.find(address => address.family !== 'Unix' && address.transport === 'TCP')
  if (first !== undefined && first.family !== 'Unix') return node(first.address, first.port)
  assert(options.port > 0, 'a node has no TCP port')
  const address = parseAddress(options.listen[0] ?? LOOPBACK[0]!)
  assert(typeof address !== 'string', 'an address that was not checked')
  return node(address.host, options.port)
}

/** @param host a name or an address; a name is not looked up, so that its node has no ip */
function node(host: string, port: number): ClusterNode {
  const reached = reachable(host)
  return { host: reached, ip: isIP(reached) === 0 ? '' : reached, port }
}

/** What clients can connect to: in place of an address that stands for every address, the first one of the network. */
function reachable(host: string): string {
  const every = EVERY[host]
  if (every === undefined) return host
  const own = Object.values(networkInterfaces()).flatMap(addresses => addresses ?? [])
    .find(({ family, internal, scopeid }) => family === every.family && !internal && !scopeid)
  return own?.address ?? every.loopback
}
