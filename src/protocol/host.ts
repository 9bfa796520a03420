// What a conversation needs of the server it runs in. The server provides one for each thread; tests provide one around
// a bare store.
import { type MovableClock } from '../clock.js'
import { type External } from '../server/settings.js'
import { type Signals } from '../server/signals.js'
import { type Store } from '../store/store.js'
import { type Prefixes } from '../stats/prefixes.js'
import { type Input } from './input.js'
import { type Output } from './output.js'
import { type Peer, type Watching } from './peer.js'
import { type Unfinished } from './unfinished.js'

/** The rows of a statistics report, in order. */
export type Rows = Iterable<readonly [name: string, value: string | number]>

/** Who may speak to the server. */
export interface Authenticator {
  /** Takes as long for a wrong name or password as for a right one. */
  accepts(name: Uint8Array, password: Uint8Array): boolean
}

export interface Host {
  readonly store: Store
  /** How a conversation lets the rest of the server know. */
  readonly signals: Signals
  /** The signal of that name, at hand as it is raised in many places: a line for the person who started the server. */
  readonly log: Signals['log']
  readonly input: Input
  readonly output: Output
  /** Where what is not finished is kept. */
  readonly unfinished: Unfinished
  readonly prefixes: Prefixes
  /** What the command `debugtime` moves; undefined: there is no such command. */
  readonly debugClock: MovableClock | undefined
  /** 0 to 3, see -v. */
  verbosity: number
  /** Undefined: everybody may speak. */
  readonly credentials: Authenticator | undefined
  /** Whether the text protocol asks who a client is; there are credentials then. */
  readonly asksText: boolean
  /** Whether the binary protocol does, by SASL. */
  readonly isSaslEnabled: boolean
  readonly isShutdownEnabled: boolean
  readonly isFlushEnabled: boolean
  readonly isDumpEnabled: boolean
  readonly isWatchEnabled: boolean
  /** Requests a connection may have served before the others get a turn; 0 for as many as one read brings. */
  readonly requestsPerTurn: number
  /** Answers of a connection that may wait to be written, see -o read_buf_mem_limit; 0 for any number. */
  readonly answersMax: number
  /** The reports of `stats`: '' is the general one. */
  report(name: '' | 'settings' | 'items' | 'slabs' | 'hash'): Rows
  /** The reports of `stats sizes` and `stats conns`, in parts none of which takes long; some may have no rows. */
  reportSizes(): Iterable<Rows>
  reportConnections(): Iterable<Rows>
  /** Keeps what the command `extstore` sets. */
  setExternal(setting: External, value: number): void
  /** Tells a peer of events of these kinds, bits of Kind, until that is ended; undefined if too many are told already. */
  watch(kinds: number, peer: Peer): Watching | undefined
  /** Reads the TLS certificates anew, for new connections; answers what went wrong, if anything did. */
  refreshCertificates(): string | undefined
}
