// What a TestCluster gives each of its nodes. It has a file of its own, as the types that programs see lead to nothing inside.
import { type ServerCore } from '../server/core.js'
import { type TestClock } from './clock.js'
import { type TestServerOptions } from './interface.js'

/** The key under which the options of a node have its part in a cluster. */
export const PART = Symbol('part')

/** What makes a server a node of a TestCluster. @template Node a TestServer */
export interface ClusterPart<Node> {
  /** The clock of all nodes. */
  readonly clock: TestClock
  /** Called whenever the node has started. */
  started(node: Node, core: ServerCore): void
}

export interface PartOptions<Node> extends TestServerOptions { readonly [PART]: ClusterPart<Node> }
