// A tap between the links of a thread and their connections. It sees what clients and server say to each other, and may change
// it. Only a server that is under a test's control has one, see faults/.
import { type Protocol } from '../protocol/session.js'
import { type Link } from './link.js'

/** What a connection has in place of its link and the protocol that its session begins with. */
export interface Tapped { readonly link: Link, readonly protocol: Protocol }

export interface Tap {
  /** Puts the tap between the ends of a new connection. */
  join(link: Link, protocol: Protocol): Tapped
}
