// The answers of `stats`, made from the rows of rows.ts: names and order are memcached's, the values those of this server.
// server/reports.ts calls them in the thread that serves the client.
import { encodeKey } from '../memory/uri.js'
import { type PrefixFacts } from '../store/items/prefixes.js'
import { type Store } from '../store/store.js'
import { activeClasses, classesWithItems, classValueOf, generalRows, hashRows, itemRows, refusedRows, slabRows, slabTotalRows,
  valueOf, type ClassStatistic, type ServerFacts, type Statistic } from './rows.js'

export type Row = readonly [name: string, value: string | number]

/** The facts about a server for rows that are not about one. */
const NO_SERVER: ServerFacts = {
  pid: 0, time: 0, uptime: 0, connectionsMax: 0, connections: 0, reservedFds: 0, isAccepting: false, threads: 0, inputBytes: 0,
  outputBytes: 0, outputsPerThread: 0, slabReassign: true, lruMaintainer: true, tempLru: false, hasIdleTimeout: false,
  hasAuthTimeout: false, tls: undefined,
}

/** A connection as `stats conns` shows it. */
export interface ConnectionFacts {
  readonly id: number
  readonly address: string
  readonly listenAddress: string | undefined
  readonly state: string
  readonly idleSeconds: number
}

/** `stats`. */
export function generalReport(store: Store, server: ServerFacts): Iterable<Row> { return rowsOf(generalRows, store, server) }

/** The numbers of `stats` that are about a store, whether it belongs to a server or not. */
export function storeStats(store: Store): Record<string, number> {
  const { slabReassign, lruMaintainer } = store.options
  const numbers: Record<string, number> = {}
  for (const row of generalRows) {
    if (row.scope === 'server' || row.kind === 'text') continue
    const isShown = row.shownIf?.({ ...NO_SERVER, slabReassign, lruMaintainer }, store) !== false
    if (isShown) numbers[row.name] = Number(valueOf(row, NO_SERVER, store))
  }
  return numbers
}

/** `stats hash`, which memcached does not have: the rows of `stats` about the hash table, and its longest chain. */
export function hashReport(store: Store, server: ServerFacts): Iterable<Row> { return rowsOf(hashRows, store, server) }

/** The counts at the head of `stats refused`. */
export function refusedCounts(store: Store, server: ServerFacts): Iterable<Row> { return rowsOf(refusedRows, store, server) }

/** `stats items`: the classes that hold items. */
export function* itemsReport(store: Store, server: ServerFacts): Iterable<Row> {
  for (const slabClass of classesWithItems(store)) yield* classRowsOf(itemRows, store, server, slabClass, `items:${slabClass}:`)
}

/** `stats slabs`: the classes that own pages. */
export function* slabsReport(store: Store, server: ServerFacts): Iterable<Row> {
  for (const slabClass of activeClasses(store)) yield* classRowsOf(slabRows, store, server, slabClass, `${slabClass}:`)
  yield* rowsOf(slabTotalRows, store, server)
}

function* rowsOf(rows: readonly Statistic[], store: Store, server: ServerFacts): Iterable<Row> {
  for (const row of rows) if (row.shownIf?.(server, store) !== false) yield [row.name, valueOf(row, server, store)]
}

function* classRowsOf(rows: readonly ClassStatistic[], store: Store, server: ServerFacts, slabClass: number,
  prefix: string): Iterable<Row> {
  for (const row of rows) {
    if (row.shownIf?.(server, store) !== false) yield [prefix + row.name, classValueOf(row, store, slabClass)]
  }
}

/** `stats sizes`, in parts: the number of items by size as memcached counts it, in steps of 32 bytes. */
export function* sizesReport(store: Store): Iterable<Row[]> {
  const { sizes } = store.context
  if (sizes === undefined) {
    yield [['sizes_status', 'disabled']]
    return
  }
  for (const part of sizes.parts()) yield part.map(([bytes, items]) => [String(bytes), items])
}

/** The prefixes in a part of their report. */
const PREFIXES_PER_PART = 64

/**
 * `stats prefixes`, which memcached does not have, in parts: `none` has the keys without a prefix, `other` the prefixes beyond
 * those that are counted each by itself; then what each prefix has, those with the most bytes first.
 */
export function* prefixesReport(store: Store): Iterable<Row[]> {
  const { context: { prefixes }, options: { prefixDelimiter } } = store
  const rows = prefixes?.rowsByBytes() ?? []
  yield [['status', prefixes === undefined ? 'off' : 'on'], ['delimiter', prefixDelimiter], ['count', rows.length]]
  if (prefixes === undefined) return
  yield [...prefixRows('none', prefixes.none, store), ...prefixRows('other', prefixes.other, store)]
  let number = 0
  for (let at = 0; at < rows.length; at += PREFIXES_PER_PART) {
    const facts = rows.slice(at, at + PREFIXES_PER_PART).flatMap(row => prefixes.factsOf(row) ?? [])
    yield facts.flatMap(each => prefixRows(String(++number), each, store))
  }
}

function prefixRows(name: string, { prefix, items, bytes, hits, misses, evictions, quota }: PrefixFacts, store: Store): Row[] {
  return [
    ...name === 'none' || name === 'other' ? [] : [[`${name}:prefix`, encodeKey(prefix, 0, prefix.length)] as const],
    [`${name}:items`, items], [`${name}:bytes`, bytes], [`${name}:hits`, hits], [`${name}:misses`, misses],
    [`${name}:evictions`, evictions],
    ...quota === 0 ? [] : [[`${name}:quota`, Math.floor(quota * store.maxbytes)] as const],
  ]
}

/** `stats conns`. */
export function* connsReport(connections: Iterable<ConnectionFacts>): Iterable<Row> {
  for (const { id, address, listenAddress, state, idleSeconds } of connections) {
    if (address.startsWith('udp')) yield [`${id}:UDP`, 'UDP']
    yield [`${id}:addr`, address]
    if (listenAddress !== undefined) yield [`${id}:listen_addr`, listenAddress]
    yield [`${id}:state`, state]
    yield [`${id}:secs_since_last_cmd`, idleSeconds]
  }
}
