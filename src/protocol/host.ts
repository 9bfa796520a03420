// The host of sessions: the parts of a server that they need. The server makes one for each thread; tests make one around a bare
// store.
import { type MovableClock } from '../clock.js'
import { type Insight } from '../insight/insight.js'
import { type Options } from '../options/options.js'
import { type External } from '../server/settings.js'
import { type Signals } from '../server/signals.js'
import { type Store } from '../store/store.js'
import { type Prefixes } from '../stats/prefixes.js'
import { type Cluster } from './cluster.js'
import { type Input } from './input.js'
import { type Output } from './output.js'
import { type OwnReport } from './reports.js'
import { type Peer, type Watching } from './peer.js'
import { type Unfinished } from './unfinished.js'

/** The rows of a statistics report, in order. */
export type Rows = Iterable<readonly [name: string, value: string | number]>

/** The check of users and passwords. */
export interface Authenticator {
  /** True if there is a user of this name with this password. Takes the same time if the name or the password is wrong. */
  accepts(name: Uint8Array, password: Uint8Array): boolean
}

export interface Host {
  readonly options: Options
  readonly store: Store
  /** The signals to the other parts of the server. */
  readonly signals: Signals
  /** The signal `log`, which many files raise: writes a line for the person who started the server. */
  readonly log: Signals['log']
  readonly input: Input
  readonly output: Output
  /** The memory for unfinished requests and parked replies. */
  readonly unfinished: Unfinished
  readonly prefixes: Prefixes
  /** What the server has learned about its clients and their keys. */
  readonly insight: Insight
  /** The clock that the command `debugtime` moves; undefined if there is no such command. */
  readonly debugClock: MovableClock | undefined
  /** The list of a cluster's nodes; undefined on a server that does not answer discovery. */
  readonly cluster: Cluster | undefined
  /** The number of -v options, 0 to 3. */
  verbosity: number
  /** The check of users; undefined if the server has no users. */
  readonly credentials: Authenticator | undefined
  /** True if clients of the text protocol have to authenticate. Then there are credentials. */
  readonly asksText: boolean
  /** The most requests of a connection in one turn; 0 for all requests of one read. */
  readonly requestsPerTurn: number
  /** The most replies of a connection that may wait to be written, see -o read_buf_mem_limit; 0 for any number. */
  readonly answersMax: number
  /** The reports of `stats`. The general one has the name ''. */
  report(name: '' | 'settings' | 'items' | 'slabs'): Rows
  /**
   * A report that memcached does not have, in parts that take a short time each. A part may have no rows.
   * @param key given for a report about a key, of 1 to 250 bytes
   */
  reportOwn(name: OwnReport, key?: Uint8Array): Iterable<Rows>
  /** The report of `stats sizes`, in parts that take a short time each. A part may have no rows. */
  reportSizes(): Iterable<Rows>
  /** The report of `stats conns`, in such parts. */
  reportConnections(): Iterable<Rows>
  /** The metrics of the server in the text format of Prometheus. */
  metrics(): Uint8Array
  /** Stores a setting of the command `extstore`. */
  setExternal(setting: External, value: number): void
  /** Subscribes a peer to events of these kinds, bits of Kind; undefined if there are too many watchers. */
  watch(kinds: number, peer: Peer): Watching | undefined
  /** Reads the TLS certificates again, for new connections. Returns a description of the error if there is one. */
  refreshCertificates(): string | undefined
}
