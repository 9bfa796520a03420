// A tap between the links of a thread and their connections. It sees what clients and server say to each other, and may change
// it. Only a server that is under a test's control has one, see faults/.
import { type Protocol } from '../protocol/session.js'
import { type Link } from './link.js'

/** The two ends of a connection: the link to the client, and the protocol that its session begins with. */
export interface Ends { readonly link: Link, readonly protocol: Protocol }

export interface Tap {
  /** Puts the tap between the ends of a new connection; returns those that the connection is to have. */
  join(ends: Ends): Ends
}
