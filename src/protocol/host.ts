// What a conversation needs of the server it runs in. The server provides one for each thread; tests provide one around
// a bare store.
import { type Store } from '../store/store.js'
import { type Prefixes } from '../stats/prefixes.js'
import { type Input } from './input.js'
import { type Output } from './output.js'

/** The rows of a statistics report, in order. */
export type Rows = Iterable<readonly [name: string, value: string | number]>

export interface Host {
  readonly store: Store
  readonly input: Input
  readonly output: Output
  readonly prefixes: Prefixes
  /** 0 to 3, see -v. */
  verbosity: number
  readonly isShutdownEnabled: boolean
  readonly isFlushEnabled: boolean
  readonly isDumpEnabled: boolean
  /** Requests a connection may have served before the others get a turn; 0 for as many as one read brings. */
  readonly requestsPerTurn: number
  /** The reports of `stats`: '' is the general one. */
  report(name: '' | 'settings' | 'items' | 'slabs' | 'sizes' | 'conns'): Rows
  /** One line for the person who started the server. */
  log(line: string): void
  /** The `shutdown` command. */
  shutdown(isGraceful: boolean): void
}
