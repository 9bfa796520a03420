// The reports of `stats` about the server that a thread belongs to: the contents of the store, the settings, the connections. An
// Engine makes them for the clients of its thread. All threads report the same, as nearly all facts are in memory that they
// share; only those about listeners and UDP sockets are the thread's own.
import { type Clock } from '../clock.js'
import { type Insight } from '../insight/insight.js'
import { type Connections } from '../net/connections.js'
import { type Listeners } from '../net/listeners.js'
import { type Slots } from '../net/slots.js'
import { type Tls } from '../net/tls.js'
import { type Udp } from '../net/udp.js'
import { type Options } from '../options/options.js'
import { settingsReport } from '../options/settings.js'
import { type Host, type Rows } from '../protocol/host.js'
import { INPUT_BYTES } from '../protocol/input.js'
import { type OwnReport } from '../protocol/reports.js'
import { OUTPUT_BUFFERS, OUTPUT_BYTES } from '../protocol/output.js'
import { Budget } from '../stats/budget.js'
import { type Prefixes } from '../stats/prefixes.js'
import {
  connsReport, generalReport, hashReport, itemsReport, prefixesReport, refusedCounts, sizesReport, slabsReport,
  type ConnectionFacts,
} from '../stats/report.js'
import { ageOfTail, type ServerFacts } from '../stats/rows.js'
import { Segment } from '../store/items/items.js'
import { type Store } from '../store/store.js'
import { type Settings } from './settings.js'

/** The parts of a server that the reports read. */
export interface Reported {
  readonly options: Options
  readonly store: Store
  readonly insight: Insight
  readonly clock: Clock
  readonly settings: Settings
  readonly slots: Slots
  readonly prefixes: Prefixes
  readonly listeners: Listeners
  readonly udp: Udp
  readonly connections: Connections
  readonly tls: Tls | undefined
  readonly hasUsers: boolean
}

export class Reports {
  private readonly metricsBudget = new Budget()

  constructor(private readonly parts: Reported) {}

  report(name: Parameters<Host['report']>[0]): Rows {
    const { store } = this.parts
    switch (name) {
      case '': return generalReport(store, this.facts)
      case 'settings': return this.settings()
      case 'items': return itemsReport(store, this.facts)
      case 'slabs': return slabsReport(store, this.facts)
    }
  }

  /** The reports that memcached does not have. @param key given for those about a key */
  own(name: OwnReport, key?: Uint8Array): Iterable<Rows> {
    switch (name) {
      case 'bigkeys': return this.parts.insight.bigKeys.report()
      case 'hotkeys': return this.parts.insight.hotKeys.report()
      case 'hash': return [hashReport(this.parts.store, this.facts)]
      case 'refused': return this.refused()
      case 'explain': return this.explain(key!)
      case 'advice': return [this.advice()]
      case 'prefixes': return prefixesReport(this.parts.store)
      case 'sizing': return [this.parts.insight.sizing.rows()]
    }
  }

  /** The metrics of the server, in the text format of Prometheus. */
  metrics(): Uint8Array { return this.metricsBudget.get(() => this.metricsText()) }

  private metricsText(): string {
    const { store } = this.parts
    // most servers have no scraper
    const { metricsText } = require('../stats/metrics.js') as typeof import('../stats/metrics.js')
    const { insightMetrics } = require('../insight/metrics.js') as typeof import('../insight/metrics.js')
    return metricsText({ store, server: this.facts, settings: this.settings(), others: insightMetrics(this.parts.insight) })
  }

  private *refused(): Iterable<Rows> {
    const { store, insight: { refusals } } = this.parts
    const { refusedRows } = require('../insight/report.js') as typeof import('../insight/report.js')
    yield refusedCounts(store, this.facts)
    yield* refusedRows(refusals.newest, store.epoch)
  }

  private advice(): Rows {
    const { adviceReport } = require('../insight/advice.js') as typeof import('../insight/advice.js')
    return adviceReport(this.parts.insight, this.facts.connections)
  }

  private explain(key: Uint8Array): Iterable<Rows> {
    const { explain } = require('../insight/explain.js') as typeof import('../insight/explain.js')
    return explain(this.parts.store, this.parts.insight, key)
  }

  sizes(): Iterable<Rows> { return sizesReport(this.parts.store) }

  *connections(): Iterable<Rows> {
    const { connections, slots, store } = this.parts
    for (const _step of connections.describe()) yield []
    const now = () => store.context.now
    yield connsReport(this.listenerFacts())
    for (const part of slots.facts(now)) yield connsReport(part)
  }

  private *listenerFacts(): Iterable<ConnectionFacts> {
    const { listeners, udp, clock, settings, store } = this.parts
    // the second of the start counts as 2, as in memcached
    const idleSeconds = Math.floor(clock.milliseconds() / 1000) - Math.floor(settings.startedAt / 1000) + 2
    for (const { id, name } of listeners.listening) {
      yield { id, address: name, listenAddress: undefined, state: 'conn_listening', idleSeconds }
    }
    yield* udp.facts(store.context.now)
  }

  private settings(): Rows {
    const { store, settings, prefixes, listeners, udp, options } = this.parts
    const { automove, tuning, crawler, maxbytes } = store
    const { lruSegmented, hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor, tempLru, temporaryTtl } = tuning
    return settingsReport(options, {
      tcpPort: listeners.port,
      udpPort: udp.port,
      oldest: this.oldest,
      maxbytes,
      slabAutomove: automove.mode,
      slabAutomoveRatio: automove.ratio,
      slabAutomoveWindow: automove.window,
      slabAutomoveFreeratio: automove.freeRatio,
      verbosity: settings.verbosity,
      detailEnabled: prefixes.isOn,
      lruSegmented, hotLruPct, warmLruPct, hotMaxFactor, warmMaxFactor, tempLru, temporaryTtl,
      lruCrawler: crawler.isOn,
      lruCrawlerSleep: crawler.sleepUs,
      lruCrawlerTocrawl: crawler.tocrawl,
      external: settings.external,
    })
  }

  /** The age of the oldest item at the tail of a COLD list: the seconds since its last use. */
  private get oldest(): number {
    const { store } = this.parts
    let oldest = 0
    for (let slabClass = 1; slabClass <= store.classes.largest; slabClass++) {
      oldest = Math.max(oldest, ageOfTail(store, slabClass, Segment.Cold))
    }
    return oldest
  }

  private get facts(): ServerFacts {
    const { options, settings, slots, clock, store, listeners, udp, tls, hasUsers } = this.parts
    const milliseconds = clock.milliseconds()
    return {
      pid: process.pid,
      time: Math.floor(milliseconds / 1000),
      uptime: Math.floor((milliseconds - settings.startedAt) / 1000),
      connectionsMax: options.maxconns,
      connections: slots.taken + udp.count,
      reservedFds: listeners.listening.length,
      isAccepting: slots.waiting === 0,
      threads: options.threads,
      inputBytes: INPUT_BYTES,
      outputBytes: OUTPUT_BYTES,
      outputsPerThread: OUTPUT_BUFFERS,
      slabReassign: options.slabReassign,
      lruMaintainer: options.lruMaintainer,
      tempLru: store.tuning.tempLru,
      hasIdleTimeout: options.idleTimeout > 0,
      hasAuthTimeout: options.authTimeout > 0 && (hasUsers || tls !== undefined),
      tls: tls && { hasSessionCache: options.sslSessionCache, secondsSinceRefresh: tls.secondsSinceRefresh },
    }
  }
}
