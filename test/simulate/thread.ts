// What a simulated thread is made of: a store that it shares with the others, conversations with clients, and the steps of
// the background work. It is made anew for each run, so that nothing of the last one is left in it.

import { defaultOptions } from '../../src/options/options.js'
import type { Host } from '../../src/protocol/host.js'
import { Insight } from '../../src/insight/insight.js'
import { Input, INPUT_BYTES } from '../../src/protocol/input.js'
import { Output } from '../../src/protocol/output.js'
import { Unfinished } from '../../src/protocol/unfinished.js'
import { Protocols } from '../../src/protocol/protocols.js'
import { postedSignals, type Signals } from '../../src/server/signals.js'
import { Prefixes } from '../../src/stats/prefixes.js'
import { Store } from '../../src/store/store.js'
import type { SharedStore } from '../../src/store/store.js'
import { ManualClock } from '../support/clock.js'
import { knownHash } from '../support/hash.js'
import { BareSession } from '../support/session.js'
import { StoreUnderTest } from '../support/store.js'

/** By how much threads are behind what was made ready for them: what was stored for less has expired. */
export const SECONDS_LATER = 10

/** Nothing is counted there. */
const prefixes = new Prefixes(new ArrayBuffer(Prefixes.BYTES), defaultOptions().prefixDelimiter, knownHash)

export class SimulatedThread {
  readonly store: Store
  readonly subject: StoreUnderTest
  readonly host: Host
  private readonly protocols: Protocols

  /** @param number of the thread, from 1; 0 is the one that made the store */
  constructor(shared: SharedStore, number: number) {
    const clock = new ManualClock()
    clock.advance(SECONDS_LATER)
    this.store = Store.attach(shared, number, clock)
    this.store.refreshTime()
    this.subject = new StoreUnderTest(this.store, clock)
    this.host = makeHost(this.store)
    this.protocols = new Protocols(this.host)
  }

  /** A conversation that has just begun. */
  connect(): BareSession { return new BareSession(this, this.protocols.for('auto'), false) }

  /** The same, whose large values are read straight into their items. */
  connectDirectly(): BareSession { return new BareSession(this, this.protocols.for('auto'), true) }

  /** What is answered to a request, and its client hangs up. */
  say(request: string): string {
    const session = this.connect()
    void session.send(Buffer.from(request, 'latin1'))
    const answer = session.waiting().toString('latin1')
    void session.hangUp()
    return answer
  }
}

/** Nothing is sampled by chance or noted for models, so that a schedule can be run again. */
const OPTIONS = { ...defaultOptions(), hotkeys: 0, sizing: false }

/** A host that has nothing but its store. */
function makeHost(store: Store): Host {
  const signals: Signals = { ...postedSignals(() => {}), failed: error => { throw error } }
  const { memory } = store.shards[0]!.items
  return {
    options: OPTIONS, store, signals, log: signals.log,
    input: new Input(memory.bytes, store.ioStart),
    output: new Output(memory, store.ioStart + INPUT_BYTES, store.counters),
    unfinished: new Unfinished(store.counters, Infinity, Infinity, () => {}),
    prefixes,
    insight: new Insight(new ArrayBuffer(Insight.bytesFor(OPTIONS, store.options.threads)), OPTIONS, store),
    debugClock: undefined, cluster: undefined, verbosity: 0, credentials: undefined, asksText: false,
    requestsPerTurn: 0, answersMax: 0,
    report: () => [],
    reportOwn: () => [],
    metrics: () => new Uint8Array(0),
    reportSizes: () => [],
    reportConnections: () => [],
    setExternal: () => {},
    watch: () => undefined,
    refreshCertificates: () => undefined,
  }
}
