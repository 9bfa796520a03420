// Several TestServers with one clock, as the nodes of a cluster: they can be killed, frozen and restarted one by one, and clients
// can discover them.
import { MemslabError } from '../errors.js'
import { type Call } from '../faults/calls.js'
import { type Fault, type FaultOptions, type Match, type UsedFault, type WaitOptions } from '../faults/faults.js'
import { waitFor } from '../faults/wait.js'
import { type ServerCore } from '../server/core.js'
import { Nodes } from '../server/nodes.js'
import { TestClock } from './clock.js'
import { type RestartOptions, type TestServerOptions } from './interface.js'
import { PART, type PartOptions } from './part.js'
import { asyncDispose, TestServer } from './server.js'

/** The options of a TestCluster: those of each of its nodes, and their number. */
export interface TestClusterOptions extends TestServerOptions {
  /** The number of nodes, 1 to 100. Default 3. */
  nodes?: number
  /** TCP port of the first node; the others have the next ones. Default 0: each has any free port. */
  port?: number
}

const NODES = 3
const NODES_MAX = 100
const PORT_MAX = 65535

/** A node, or its index in `nodes`. */
export type NodeOrIndex = TestServer | number

/**
 * Several memcached servers for tests, in this process: nodes that share nothing but their clock, as in a client's list of
 * servers. Each also answers discovery with the list of all nodes (`config get cluster`), as ElastiCache and Memorystore do.
 *
 *     const cluster = await TestCluster.create({ nodes: 3 })
 *     const client = new AnyMemcachedClient(cluster.addresses)
 *     await cluster.kill(1)
 *     await cluster.stop()
 */
export class TestCluster {
  /** The clock of all nodes. */
  readonly clock = new TestClock()
  readonly #options: TestServerOptions
  readonly #nodes: TestServer[] = []
  readonly #cores = new Map<TestServer, ServerCore>()
  readonly #list = new Nodes()
  /** The nodes that there have ever been: each has ports of its own. */
  #madeCount = 0
  #isStarting = false
  readonly #listeners = new Set<(call: Call) => void>()

  /** Makes a cluster and starts its nodes. Rejects as the constructor throws and as `start` rejects. */
  static async create(options: TestClusterOptions = {}): Promise<TestCluster> {
    const cluster = new TestCluster(options)
    await cluster.start()
    return cluster
  }

  /**
   * Makes a cluster, whose nodes do not run until `start`.
   * @throws MemslabError with code 'EUSAGE' and all `problems` if an option is wrong
   */
  constructor(options: TestClusterOptions = {}) {
    const { nodes: count = NODES, ...others } = options
    const problems = problemsOf(count, others)
    this.#options = others
    for (let index = 0; index < (problems.length > 0 ? 1 : count); index++) {
      try {
        this.#nodes.push(this.#make())
      } catch (error) {
        if (!(error instanceof MemslabError)) throw error
        problems.push(...error.problems)
        break
      }
    }
    if (problems.length > 0) throw new MemslabError('EUSAGE', problems.join('\n'), problems)
  }

  #make(): TestServer {
    const { port = 0, udpport = 0 } = this.#options
    const index = this.#madeCount++
    const options: PartOptions<TestServer> = {
      ...this.#options,
      discovery: true,
      port: port > 0 ? port + index : port,
      udpport: udpport > 0 ? udpport + index : udpport,
      [PART]: {
        clock: this.clock,
        started: (node, core) => {
          this.#cores.set(node, core)
          if (!this.#isStarting) this.#publish()
        },
      },
    }
    return new TestServer(options)
  }

  /** Starts all nodes that do not run. If one cannot start, all of them stop, and the promise rejects with its MemslabError. */
  async start(): Promise<void> {
    this.#isStarting = true
    try {
      const started = await Promise.allSettled(this.#nodes.map(node => node.start()))
      for (const result of started) if (result.status === 'rejected') throw result.reason
    } catch (cause) {
      await this.stop()
      throw cause
    } finally { this.#isStarting = false }
    this.#publish()
  }

  /** Ends all nodes. May be called twice. */
  async stop(): Promise<void> { await Promise.all(this.#nodes.map(node => node.stop())) }

  [asyncDispose](): Promise<void> { return this.stop() }

  // Its nodes

  /** The nodes, in order. Those that were killed are among them. */
  get nodes(): readonly TestServer[] { return this.#nodes }

  /** The addresses of all nodes, `127.0.0.1:PORT` each. */
  get addresses(): string[] { return this.#nodes.map(({ address }) => address) }

  /** The URLs of all nodes, `memcache://127.0.0.1:PORT` each. */
  get urls(): string[] { return this.#nodes.map(({ url }) => url) }

  /** Kills a node: its connections end, its port refuses new ones, and its items are gone. It stays in the list of nodes. */
  kill(node: NodeOrIndex): Promise<void> { return this.#node(node).stop() }

  /** Freezes a node: its connections stay open, but it answers nothing until `resume`. */
  freeze(node: NodeOrIndex): void { this.#node(node).freeze() }

  /** Lets a frozen node go on: it serves all that came in the meantime. */
  resume(node: NodeOrIndex): void { this.#node(node).resume() }

  /** Restarts a node on its port, one that was killed, too. */
  restart(node: NodeOrIndex, options?: RestartOptions): Promise<void> { return this.#node(node).restart(options) }

  /** Starts one more node, which clients discover from now on. */
  async add(): Promise<TestServer> {
    const node = this.#make()
    await node.start()
    for (const listener of this.#listeners) node.on('call', listener)
    this.#nodes.push(node)
    this.#publish()
    return node
  }

  /** Stops a node and takes it out of the list, so that clients no longer discover it. */
  async remove(node: NodeOrIndex): Promise<void> {
    const leaving = this.#node(node)
    this.#nodes.splice(this.#nodes.indexOf(leaving), 1)
    this.#cores.delete(leaving)
    this.#publish()
    await leaving.stop()
  }

  /** The version of the list that clients discover. It grows whenever a node comes or goes. */
  get version(): number { return this.#list.version }

  #node(node: NodeOrIndex): TestServer {
    const found = typeof node === 'number' ? this.#nodes[node] : this.#nodes.find(one => one === node)
    if (found !== undefined) return found
    const last = this.#nodes.length - 1
    throw usage(typeof node === 'number' ? `there is no node ${node}, only 0 to ${last}` : 'this is none of the nodes')
  }

  /** Shows the list of nodes to all of them that run, if all have run. A node that was killed is listed at its port. */
  #publish(): void {
    const cores = this.#nodes.flatMap(node => this.#cores.get(node) ?? [])
    if (cores.length === this.#nodes.length) this.#list.change(cores)
  }

  // All of them at once

  /** Removes the items of all nodes that run. */
  flush(): void { for (const node of this.#nodes) if (node.isRunning) node.flush() }

  /** Has a fault happen in all nodes, see `TestServer.use`; `times` and `nth` count in each node of its own. */
  use(fault: Fault, options: FaultOptions = {}): UsedFault[] { return this.#nodes.map(node => node.use(fault, options)) }

  /** Removes all faults of all nodes. Resolves when they are as before. */
  async resetFaults(): Promise<void> { await Promise.all(this.#nodes.map(node => node.resetFaults())) }

  /** The faults of all nodes that were to happen a number of times, and have not yet. */
  pendingFaults(): UsedFault[] { return this.#nodes.flatMap(node => node.pendingFaults()) }

  /** The calls of all nodes, in the order of their times. */
  calls(match: Match = {}): Call[] {
    return this.#nodes.flatMap(node => node.calls(match)).sort((one, other) => one.at - other.at)
  }

  /** Forgets all calls of all nodes. */
  clearCalls(): void { for (const node of this.#nodes) node.clearCalls() }

  /** Waits for a call of any node, see `TestServer.waitForCall`. */
  waitForCall(match: Match = {}, options: WaitOptions = {}): Promise<Call> {
    const nodes = [...this.#nodes]
    return waitFor({
      calls: match => this.calls(match),
      on: listener => { for (const node of nodes) node.on('call', listener) },
      off: listener => { for (const node of nodes) node.off('call', listener) },
    }, match, options)
  }

  /** Calls `listener` with each call of any node, soon after it was answered; also of nodes that come later. */
  on(event: 'call', listener: (call: Call) => void): this {
    for (const node of this.#nodes) node.on(event, listener)
    this.#listeners.add(listener)
    return this
  }

  /** Calls `listener` no more. */
  off(event: 'call', listener: (call: Call) => void): this {
    for (const node of this.#nodes) node.off(event, listener)
    this.#listeners.delete(listener)
    return this
  }
}

function problemsOf(count: unknown, { port, socketPath }: TestServerOptions): string[] {
  const problems: string[] = []
  const isCount = typeof count === 'number' && Number.isInteger(count) && count >= 1 && count <= NODES_MAX
  if (!isCount) problems.push(`nodes: must be a whole number from 1 to ${NODES_MAX}`)
  else if (typeof port === 'number' && port > 0 && port + count - 1 > PORT_MAX) {
    problems.push(`port: the last node would be beyond ${PORT_MAX}`)
  }
  if (socketPath !== undefined) problems.push('socketPath: nodes listen on TCP, as clients discover them by their ports')
  return problems
}

function usage(problem: string): MemslabError { return new MemslabError('EUSAGE', problem, [problem]) }
