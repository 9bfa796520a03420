// All statistics, one row each: name, kind, scope and help text. The order of the rows is that of memcached's answers. report.ts
// makes the answers of `stats`, `stats items`, `stats slabs` and `stats hash` from them, and metrics.ts those for Prometheus.
// A test checks that each member of the enums in counters.ts has a row. To add a counter,
// add a member there, a row here, and the call that counts.
import { BusyStatus, ClassWord, ListWord } from '../memory/layout.js'
import { NO_ITEM, Segment } from '../store/items/items.js'
import { type Store } from '../store/store.js'
import { PROTOCOL_VERSION } from '../version.js'
import { ClassCounter, Counter } from './counters.js'

/** The facts that reports need beside the store. */
export interface ServerFacts {
  readonly pid: number
  /** Unix time in seconds. */
  readonly time: number
  readonly uptime: number
  readonly connectionsMax: number
  readonly connections: number
  readonly reservedFds: number
  readonly isAccepting: boolean
  readonly threads: number
  /** The size of a thread's input buffer, that of an output buffer, and the output buffers that each thread begins with. */
  readonly inputBytes: number
  readonly outputBytes: number
  readonly outputsPerThread: number
  readonly slabReassign: boolean
  readonly lruMaintainer: boolean
  readonly tempLru: boolean
  readonly hasIdleTimeout: boolean
  /** True if there is a time limit for authentication or for TLS handshakes. */
  readonly hasAuthTimeout: boolean
  /** The facts about TLS; undefined without TLS. */
  readonly tls: { readonly hasSessionCache: boolean; readonly secondsSinceRefresh: number } | undefined
}

export type Value = string | number

/** The kind of a statistic. A counter grows until `stats reset`; a gauge is a present value; a text is not a number. */
export type Kind = 'counter' | 'gauge' | 'text'

interface Described {
  /** memcached's name. */
  readonly name: string
  readonly kind: Kind
  readonly help: string
  /** The condition for the row. If it returns false, the row is left out. */
  readonly shownIf?: (server: ServerFacts, store: Store) => boolean
}

/** The scope of a statistic: counted by each thread, counted by each thread for each class, or a value of store or server. */
type Scope =
  | { readonly scope: 'thread', readonly counter: Counter }
  | { readonly scope: 'class', readonly counters: readonly ClassCounter[] }
  | { readonly scope: 'store', readonly value: (store: Store) => Value }
  | { readonly scope: 'server', readonly value: (server: ServerFacts, store: Store) => Value }

/** A statistic of the whole server. */
export type Statistic = Described & Scope

/** A statistic of a slab class: counted for each class, or read from the store. */
export type ClassStatistic = Described & (
  | { readonly scope: 'class', readonly counters: readonly ClassCounter[] }
  | { readonly scope: 'store', readonly value: (store: Store, slabClass: number) => Value })

/** The counters of hits: one for each list that the item was in. */
const HITS = [ClassCounter.HitsToHot, ClassCounter.HitsToWarm, ClassCounter.HitsToCold, ClassCounter.HitsToTemp]

/** The counters of refused writes. */
const REFUSED = [Counter.RefusedTooLarge, Counter.RefusedNoMemory, Counter.RefusedBadData]

/** memcached's name of a BusyStatus. */
function busyStatusName(status: number): string {
  switch (status) {
    case BusyStatus.InUse: return 'refcount'
    case BusyStatus.NoMemory: return 'nomem'
    default: return 'none'
  }
}

const ifMaintained = ({ lruMaintainer }: ServerFacts): boolean => lruMaintainer
const ifReassigning = ({ slabReassign }: ServerFacts): boolean => slabReassign
const ifCrawling = (_server: ServerFacts, { crawler }: Store): boolean => crawler.isOn
const ifTls = ({ tls }: ServerFacts): boolean => tls !== undefined

/** The rows about the hash tables of all shards, in `stats` and in `stats hash`. */
const tableRows: readonly Statistic[] = [
  { name: 'hash_power_level', kind: 'gauge', scope: 'store', value: store => Math.floor(Math.log2(bucketCount(store))),
    help: 'Buckets of the hash table, as a power of two' },
  { name: 'hash_bytes', kind: 'gauge', scope: 'store', value: store => bucketCount(store) * 4,
    help: 'Bytes of the hash table' },
  { name: 'hash_is_expanding', kind: 'gauge', scope: 'store', value: store => store.isGrowing ? 1 : 0,
    help: '1 while the hash table is growing' },
]

/** `stats hash`, which memcached does not have: the rows of `stats` about the hash table, and its longest chain. */
export const hashRows: readonly Statistic[] = [
  ...tableRows,
  { name: 'hash_longest_chain', kind: 'gauge', scope: 'store', value: store => store.longestChain,
    help: 'Items in the longest chain that was met in the last minute or two' },
]

/** What memcached does not have: no answer of `stats` shows these, only metrics do. */
export const ownRows: readonly Statistic[] = [
  { name: 'lock_waits', kind: 'counter', scope: 'thread', counter: Counter.LockWaits,
    help: 'Times that a thread had to wait for a lock of the store' },
  { name: 'lock_sleeps', kind: 'counter', scope: 'thread', counter: Counter.LockSleeps,
    help: 'Times that a thread slept until a lock of the store was released, as that took over some 2 microseconds' },
  { name: 'lock_sleep_us', kind: 'counter', scope: 'thread', counter: Counter.LockSleepUs,
    help: 'Time that threads slept for locks' },
  { name: 'http_connections', kind: 'counter', scope: 'thread', counter: Counter.HttpConnections,
    help: 'Connections whose clients spoke HTTP' },
]

/** The rows about background work and list moves: the sums in `stats`, and those of each class in `stats items`. */
const moveRows: readonly ClassStatistic[] = [
  { name: 'crawler_reclaimed', kind: 'counter', scope: 'class', counters: [ClassCounter.CrawlerReclaimed],
    help: 'Dead items that the crawler removed' },
  { name: 'crawler_items_checked', kind: 'counter', scope: 'class', counters: [ClassCounter.CrawlerChecked],
    help: 'Items that the crawler checked' },
  { name: 'lrutail_reflocked', kind: 'counter', scope: 'class', counters: [ClassCounter.TailReflocked],
    help: 'Items at the end of a list that a connection held' },
  { name: 'moves_to_cold', kind: 'counter', scope: 'class', counters: [ClassCounter.MovesToCold], shownIf: ifMaintained,
    help: 'Items moved from HOT or WARM to COLD' },
  { name: 'moves_to_warm', kind: 'counter', scope: 'class', counters: [ClassCounter.MovesToWarm], shownIf: ifMaintained,
    help: 'Items moved from COLD to WARM' },
  { name: 'moves_within_lru', kind: 'counter', scope: 'class', counters: [ClassCounter.MovesWithinLru], shownIf: ifMaintained,
    help: 'Active items moved to the head of HOT or WARM' },
  { name: 'direct_reclaims', kind: 'counter', scope: 'class', counters: [ClassCounter.DirectReclaims], shownIf: ifMaintained,
    help: 'Times that a storage command had to make room itself' },
]

/** `stats refused`, which memcached does not have: the writes that were refused, whether their clients were told or not. */
export const refusedRows: readonly Statistic[] = [
  { name: 'total', kind: 'counter', scope: 'server', help: 'Writes that were refused',
    value: (_server, { counters }) => REFUSED.reduce((sum, counter) => sum + counters.sum(counter), 0) },
  { name: 'too_large', kind: 'counter', scope: 'thread', counter: Counter.RefusedTooLarge,
    help: 'Writes refused because the item would be larger than -I allows' },
  { name: 'no_memory', kind: 'counter', scope: 'thread', counter: Counter.RefusedNoMemory,
    help: 'Writes refused because there was no memory' },
  { name: 'bad_data', kind: 'counter', scope: 'thread', counter: Counter.RefusedBadData,
    help: 'Writes refused because of a wrong line, or of a value without a line end' },
]

const reclaimedRow: ClassStatistic =
  { name: 'reclaimed', kind: 'counter', scope: 'class', counters: [ClassCounter.Reclaimed],
    help: 'Dead items whose memory was used for new ones' }
const expiredUnfetchedRow: ClassStatistic =
  { name: 'expired_unfetched', kind: 'counter', scope: 'class', counters: [ClassCounter.ExpiredUnfetched],
    help: 'Dead items that no client had fetched' }
const evictedUnfetchedRow: ClassStatistic =
  { name: 'evicted_unfetched', kind: 'counter', scope: 'class', counters: [ClassCounter.EvictedUnfetched],
    help: 'Evicted items that no client had fetched' }
const evictedActiveRow: ClassStatistic =
  { name: 'evicted_active', kind: 'counter', scope: 'class', counters: [ClassCounter.EvictedActive], shownIf: ifMaintained,
    help: 'Evicted items that were in active use' }

/** A row about a command, counted for the class of its item: the sum in `stats`, and that of each class in `stats slabs`. */
function commandRow(name: string, counter: ClassCounter, help: string): ClassStatistic & Statistic {
  return { name, kind: 'counter', scope: 'class', counters: [counter], help }
}
const getHitsRow: ClassStatistic & Statistic =
  { name: 'get_hits', kind: 'counter', scope: 'class', counters: HITS, help: 'Keys that were fetched and found' }
const cmdSetRow = commandRow('cmd_set', ClassCounter.CmdSet, 'Storage commands')
const deleteHitsRow = commandRow('delete_hits', ClassCounter.DeleteHits, 'Keys that were deleted')
const incrHitsRow = commandRow('incr_hits', ClassCounter.IncrHits, 'Numbers that were increased')
const decrHitsRow = commandRow('decr_hits', ClassCounter.DecrHits, 'Numbers that were decreased')
const casHitsRow = commandRow('cas_hits', ClassCounter.CasHits, 'Items stored by cas')
const casBadvalRow = commandRow('cas_badval', ClassCounter.CasBadval, 'Items that cas found changed')
const touchHitsRow = commandRow('touch_hits', ClassCounter.TouchHits, 'Keys that were touched and found')

/** `stats`. */
export const generalRows: readonly Statistic[] = [
  { name: 'pid', kind: 'gauge', scope: 'server', value: server => server.pid, help: 'Process id' },
  { name: 'uptime', kind: 'counter', scope: 'server', value: server => server.uptime, help: 'Seconds since the server started' },
  { name: 'time', kind: 'gauge', scope: 'server', value: server => server.time, help: 'Unix time in seconds' },
  { name: 'version', kind: 'text', scope: 'server', value: () => PROTOCOL_VERSION,
    help: 'Version of memcached that the server is compatible with' },
  // memcached names its event library here; ours is libuv
  { name: 'libevent', kind: 'text', scope: 'server', value: () => `libuv-${process.versions.uv}`,
    help: 'Version of the event library' },
  { name: 'pointer_size', kind: 'gauge', scope: 'server', value: () => 64, help: 'Bits of an address' },
  { name: 'rusage_user', kind: 'counter', scope: 'server', value: () => seconds(process.resourceUsage().userCPUTime),
    help: 'Seconds of CPU time that the process used' },
  { name: 'rusage_system', kind: 'counter', scope: 'server', value: () => seconds(process.resourceUsage().systemCPUTime),
    help: 'Seconds of CPU time that the system used for the process' },
  { name: 'max_connections', kind: 'gauge', scope: 'server', value: server => server.connectionsMax,
    help: 'Connections allowed at once' },
  { name: 'curr_connections', kind: 'gauge', scope: 'server', value: server => server.connections, help: 'Open connections' },
  { name: 'total_connections', kind: 'counter', scope: 'thread', counter: Counter.TotalConnections,
    help: 'Connections accepted' },
  { name: 'rejected_connections', kind: 'counter', scope: 'thread', counter: Counter.RejectedConnections,
    help: 'Connections closed because there were too many' },
  { name: 'connection_structures', kind: 'gauge', scope: 'server', value: server => server.connections,
    help: 'Connections that have memory' },
  { name: 'response_obj_oom', kind: 'counter', scope: 'thread', counter: Counter.ResponseOom,
    help: 'Replies refused because an item has as many readers as can be counted' },
  { name: 'response_obj_count', kind: 'gauge', scope: 'server', value: (_server, store) => outputsInUse(store),
    help: 'Buffers that replies are in' },
  { name: 'response_obj_bytes', kind: 'gauge', scope: 'server',
    value: (server, store) => outputsInUse(store) * server.outputBytes, help: 'Bytes of the buffers that replies are in' },
  { name: 'read_buf_count', kind: 'gauge', scope: 'server',
    value: (server, store) => server.threads + store.counters.current(Counter.RequestsKept) + outputCount(server, store),
    help: 'Buffers for requests and replies' },
  { name: 'read_buf_bytes', kind: 'gauge', scope: 'server', value: bufferBytes,
    help: 'Bytes of the buffers for requests and replies' },
  { name: 'read_buf_bytes_free', kind: 'gauge', scope: 'server', value: (server, store) => bufferBytes(server, store) -
      server.inputBytes - store.counters.current(Counter.RequestBytesKept) - outputsInUse(store) * server.outputBytes,
    help: 'Bytes of the buffers for requests and replies that are free' },
  { name: 'read_buf_oom', kind: 'counter', scope: 'thread', counter: Counter.ReadBufOom,
    help: 'Requests refused because unfinished requests use all the memory that they may' },
  { name: 'reserved_fds', kind: 'gauge', scope: 'server', value: server => server.reservedFds,
    help: 'File descriptors used for other things than connections' },
  { name: 'cmd_get', kind: 'counter', scope: 'thread', counter: Counter.CmdGet, help: 'Keys that get commands asked for' },
  cmdSetRow,
  { name: 'cmd_flush', kind: 'counter', scope: 'thread', counter: Counter.CmdFlush, help: 'Flush commands' },
  { name: 'cmd_touch', kind: 'counter', scope: 'thread', counter: Counter.CmdTouch, help: 'Keys that touch and gat asked for' },
  { name: 'cmd_meta', kind: 'counter', scope: 'thread', counter: Counter.CmdMeta, help: 'Meta commands' },
  getHitsRow,
  { name: 'get_misses', kind: 'counter', scope: 'thread', counter: Counter.GetMisses,
    help: 'Keys that were asked for and not found' },
  { name: 'get_expired', kind: 'counter', scope: 'thread', counter: Counter.GetExpired,
    help: 'Misses whose item was there, but had expired' },
  { name: 'get_flushed', kind: 'counter', scope: 'thread', counter: Counter.GetFlushed,
    help: 'Misses whose item was there, but had been flushed' },
  { name: 'delete_misses', kind: 'counter', scope: 'thread', counter: Counter.DeleteMisses,
    help: 'Keys to delete that were not found' },
  deleteHitsRow,
  { name: 'incr_misses', kind: 'counter', scope: 'thread', counter: Counter.IncrMisses,
    help: 'Keys to increase that were not found' },
  incrHitsRow,
  { name: 'decr_misses', kind: 'counter', scope: 'thread', counter: Counter.DecrMisses,
    help: 'Keys to decrease that were not found' },
  decrHitsRow,
  { name: 'cas_misses', kind: 'counter', scope: 'thread', counter: Counter.CasMisses,
    help: 'Keys to store by cas that were not found' },
  casHitsRow,
  casBadvalRow,
  touchHitsRow,
  { name: 'touch_misses', kind: 'counter', scope: 'thread', counter: Counter.TouchMisses,
    help: 'Keys to touch that were not found' },
  { name: 'store_too_large', kind: 'counter', scope: 'thread', counter: Counter.StoreTooLarge,
    help: 'Items refused because they are too large' },
  { name: 'store_no_memory', kind: 'counter', scope: 'thread', counter: Counter.StoreNoMemory,
    help: 'Items refused because there is no memory' },
  { name: 'auth_cmds', kind: 'counter', scope: 'thread', counter: Counter.AuthCmds, help: 'Authentication attempts' },
  { name: 'auth_errors', kind: 'counter', scope: 'thread', counter: Counter.AuthErrors,
    help: 'Authentication attempts that failed' },
  { name: 'idle_kicks', kind: 'counter', scope: 'thread', counter: Counter.IdleKicks, shownIf: server => server.hasIdleTimeout,
    help: 'Connections closed because they were idle' },
  { name: 'auth_kicks', kind: 'counter', scope: 'thread', counter: Counter.AuthKicks, shownIf: server => server.hasAuthTimeout,
    help: 'Connections closed because their clients did not authenticate, or complete a TLS handshake, in time' },
  { name: 'bytes_read', kind: 'counter', scope: 'thread', counter: Counter.BytesRead, help: 'Bytes that clients sent' },
  { name: 'bytes_written', kind: 'counter', scope: 'thread', counter: Counter.BytesWritten, help: 'Bytes sent to clients' },
  { name: 'limit_maxbytes', kind: 'gauge', scope: 'store', value: store => store.maxbytes, help: 'Memory limit in bytes' },
  { name: 'accepting_conns', kind: 'gauge', scope: 'server', value: server => server.isAccepting ? 1 : 0,
    help: '1 while the server accepts connections' },
  { name: 'listen_disabled_num', kind: 'counter', scope: 'thread', counter: Counter.ListenDisabled,
    help: 'Times that the server stopped accepting connections' },
  { name: 'time_in_listen_disabled_us', kind: 'counter', scope: 'thread', counter: Counter.ListenDisabledUs,
    help: 'Microseconds in which the server accepted no connections' },
  { name: 'threads', kind: 'gauge', scope: 'server', value: server => server.threads, help: 'Threads that serve' },
  { name: 'conn_yields', kind: 'counter', scope: 'thread', counter: Counter.ConnYields,
    help: 'Times that a connection with more requests gave way to others' },
  ...tableRows,
  { name: 'slab_reassign_rescues', kind: 'counter', scope: 'thread', counter: Counter.Rescues, shownIf: ifReassigning,
    help: 'Items moved out of pages that changed their class' },
  { name: 'slab_reassign_chunk_rescues', kind: 'counter', scope: 'thread', counter: Counter.ChunkRescues, shownIf: ifReassigning,
    help: 'Pieces of large items moved out of pages that changed their class' },
  { name: 'slab_reassign_inline_reclaim', kind: 'counter', scope: 'thread', counter: Counter.InlineReclaims,
    shownIf: ifReassigning, help: 'Dead items met in pages that changed their class' },
  { name: 'slab_reassign_busy_items', kind: 'counter', scope: 'thread', counter: Counter.BusyItems, shownIf: ifReassigning,
    help: 'Times that an item in a page that changed its class was in use' },
  { name: 'slab_reassign_busy_deletes', kind: 'counter', scope: 'thread', counter: Counter.BusyDeletes, shownIf: ifReassigning,
    help: 'Items deleted because they stayed in use in pages that changed their class' },
  { name: 'slab_reassign_busy_nomem', kind: 'counter', scope: 'thread', counter: Counter.BusyNoMemory, shownIf: ifReassigning,
    help: 'Times that there was no chunk for an item of a page that changed its class' },
  { name: 'slab_reassign_last_busy_status', kind: 'text', scope: 'store', shownIf: ifReassigning,
    value: store => busyStatusName(store.rebalance.busyStatus), help: 'The reason that last held up the move of a page' },
  { name: 'slab_reassign_running', kind: 'gauge', scope: 'store', value: store => store.rebalance.isUnderWay ? 1 : 0,
    shownIf: ifReassigning, help: '1 while a page is moving' },
  { name: 'slabs_moved', kind: 'counter', scope: 'thread', counter: Counter.SlabsMoved, shownIf: ifReassigning,
    help: 'Pages that changed their class' },
  { name: 'lru_crawler_running', kind: 'gauge', scope: 'store', value: store => store.crawler.isRunning ? 1 : 0,
    shownIf: ifCrawling, help: '1 while a crawl that a client asked for is under way' },
  { name: 'lru_crawler_starts', kind: 'counter', scope: 'thread', counter: Counter.CrawlerStarts, shownIf: ifCrawling,
    help: 'Crawls begun' },
  { name: 'lru_maintainer_juggles', kind: 'counter', scope: 'thread', counter: Counter.LruJuggles, shownIf: ifMaintained,
    help: 'Runs of the background maintenance of lists' },
  { name: 'malloc_fails', kind: 'counter', scope: 'server', value: () => 0, help: 'Always 0: memory is reserved at the start' },
  { name: 'log_worker_dropped', kind: 'counter', scope: 'thread', counter: Counter.LogWorkerDropped,
    help: 'Events lost because the log of a thread was full' },
  { name: 'log_worker_written', kind: 'counter', scope: 'thread', counter: Counter.LogWorkerWritten,
    help: 'Events written to the log' },
  { name: 'log_watcher_skipped', kind: 'counter', scope: 'thread', counter: Counter.LogWatcherSkipped,
    help: 'Events not sent to a watcher that is too slow' },
  { name: 'log_watcher_sent', kind: 'counter', scope: 'thread', counter: Counter.LogWatcherSent,
    help: 'Events sent to watchers' },
  { name: 'log_watchers', kind: 'gauge', scope: 'store', value: store => store.log.watchers, help: 'Connections that watch' },
  // threads are not assigned by the queue of the network card
  { name: 'unexpected_napi_ids', kind: 'counter', scope: 'server', value: () => 0, help: 'Always 0' },
  { name: 'round_robin_fallback', kind: 'counter', scope: 'server', value: () => 0, help: 'Always 0' },
  { name: 'ssl_new_sessions', kind: 'counter', scope: 'thread', counter: Counter.SslNewSessions,
    shownIf: server => server.tls?.hasSessionCache === true, help: 'TLS sessions begun' },
  { name: 'ssl_handshake_errors', kind: 'counter', scope: 'thread', counter: Counter.SslHandshakeErrors, shownIf: ifTls,
    help: 'TLS handshakes that failed' },
  { name: 'ssl_proto_errors', kind: 'counter', scope: 'thread', counter: Counter.SslProtoErrors, shownIf: ifTls,
    help: 'TLS connections that broke off with an error' },
  { name: 'time_since_server_cert_refresh', kind: 'gauge', scope: 'server', value: ({ tls }) => tls?.secondsSinceRefresh ?? 0,
    shownIf: ifTls, help: 'Seconds since the certificates were read' },
  { name: 'bytes', kind: 'gauge', scope: 'store', value: store => store.itemBytes, help: 'Bytes that items take' },
  { name: 'curr_items', kind: 'gauge', scope: 'store', value: store => store.itemCount, help: 'Items in the store' },
  { name: 'total_items', kind: 'counter', scope: 'thread', counter: Counter.TotalItems, help: 'Items ever stored' },
  { name: 'slab_global_page_pool', kind: 'gauge', scope: 'store', value: store => store.rebalance.poolPages,
    help: 'Pages that belong to no class, and that any class may take' },
  ...overAll([expiredUnfetchedRow, evictedUnfetchedRow, evictedActiveRow,
    { name: 'evictions', kind: 'counter', scope: 'class', counters: [ClassCounter.Evicted], help: 'Items evicted to make room' },
    reclaimedRow, ...moveRows]),
  // a hit is recorded in its item, so there is no queue of hits that could be full
  { name: 'lru_bumps_dropped', kind: 'counter', scope: 'server', value: () => 0, shownIf: ifMaintained, help: 'Always 0' },
]

/** `stats items`: the rows of each class that holds items. */
export const itemRows: readonly ClassStatistic[] = [
  { name: 'number', kind: 'gauge', scope: 'store', help: 'Items of the class',
    value: (store, slabClass) => sumShards(store, shard => shard.allocator.classItems(slabClass)) },
  listRow('number_hot', Segment.Hot, 'Items in HOT'),
  listRow('number_warm', Segment.Warm, 'Items in WARM'),
  listRow('number_cold', Segment.Cold, 'Items in COLD'),
  { ...listRow('number_temp', Segment.Temp, 'Items in TEMP'), shownIf: ({ lruMaintainer, tempLru }) => lruMaintainer && tempLru },
  { ...ageRow('age_hot', Segment.Hot, 'Seconds since the oldest item of HOT was used'), shownIf: ifMaintained },
  { ...ageRow('age_warm', Segment.Warm, 'Seconds since the oldest item of WARM was used'), shownIf: ifMaintained },
  ageRow('age', Segment.Cold, 'Seconds since the oldest item of COLD was used'),
  { name: 'mem_requested', kind: 'gauge', scope: 'store', help: 'Bytes that the items of the class take of their chunks',
    value: (store, slabClass) => sumShards(store, shard => shard.slabs.get(slabClass, ClassWord.RequestedBytes)) },
  countedRow('evicted', ClassCounter.Evicted, 'Items evicted to make room'),
  countedRow('evicted_nonzero', ClassCounter.EvictedNonzero, 'Evicted items that had an expiration time'),
  { name: 'evicted_time', kind: 'gauge', scope: 'store',
    help: 'Seconds that the item that was evicted last had been unused',
    value: (store, slabClass) => Math.max(...store.shards.map(shard => shard.slabs.get(slabClass, ClassWord.EvictedAge))) },
  countedRow('outofmemory', ClassCounter.OutOfMemory, 'Items refused because there was no memory'),
  countedRow('tailrepairs', ClassCounter.TailRepairs, 'Items freed because their readers had been lost'),
  reclaimedRow, expiredUnfetchedRow, evictedUnfetchedRow, evictedActiveRow, ...moveRows,
  { ...countedRow('hits_to_hot', ClassCounter.HitsToHot, 'Items found in HOT'), shownIf: ifMaintained },
  { ...countedRow('hits_to_warm', ClassCounter.HitsToWarm, 'Items found in WARM'), shownIf: ifMaintained },
  { ...countedRow('hits_to_cold', ClassCounter.HitsToCold, 'Items found in COLD'), shownIf: ifMaintained },
  { ...countedRow('hits_to_temp', ClassCounter.HitsToTemp, 'Items found in TEMP'), shownIf: ifMaintained },
]

/** `stats slabs`: the rows of each class that owns pages. */
export const slabRows: readonly ClassStatistic[] = [
  // memcached's size of a chunk, so that clients can tell which items fit; the chunk itself is a little smaller here
  { name: 'chunk_size', kind: 'gauge', scope: 'store', help: 'Bytes of an item that fit a chunk',
    value: ({ classes }, slabClass) => classes.nominalBytes[slabClass]! },
  { name: 'chunks_per_page', kind: 'gauge', scope: 'store', help: 'Chunks in a page',
    value: ({ classes }, slabClass) => classes.chunksPerPage[slabClass]! },
  { name: 'total_pages', kind: 'gauge', scope: 'store', help: 'Pages that the class owns', value: pageCount },
  { name: 'total_chunks', kind: 'gauge', scope: 'store', help: 'Chunks of these pages', value: chunkCount },
  { name: 'used_chunks', kind: 'gauge', scope: 'store', help: 'Chunks that are in use', value: usedCount },
  { name: 'free_chunks', kind: 'gauge', scope: 'store', help: 'Chunks that are free',
    value: (store, slabClass) => chunkCount(store, slabClass) - usedCount(store, slabClass) },
  { name: 'free_chunks_end', kind: 'gauge', scope: 'store', help: 'Always 0', value: () => 0 },
  getHitsRow, cmdSetRow, deleteHitsRow, incrHitsRow, decrHitsRow, casHitsRow, casBadvalRow, touchHitsRow,
]

/** `stats slabs`: the rows at its end. */
export const slabTotalRows: readonly Statistic[] = [
  { name: 'active_slabs', kind: 'gauge', scope: 'store', value: store => activeClasses(store).length,
    help: 'Classes that own pages' },
  { name: 'total_malloced', kind: 'gauge', scope: 'store', value: store => sumShards(store, shard => shard.slabs.bytesUsed),
    help: 'Bytes of all pages in use' },
]

function countedRow(name: string, counter: ClassCounter, help: string): ClassStatistic {
  return { name, kind: 'counter', scope: 'class', counters: [counter], help }
}

function listRow(name: string, segment: Segment, help: string): ClassStatistic {
  return {
    name, kind: 'gauge', scope: 'store', shownIf: ifMaintained, help,
    value: (store, slabClass) => sumShards(store, shard => shard.lru.get(slabClass, segment, ListWord.Count)),
  }
}

function ageRow(name: string, segment: Segment, help: string): ClassStatistic {
  return { name, kind: 'gauge', scope: 'store', help, value: (store, slabClass) => ageOfTail(store, slabClass, segment) }
}

// Values

/** The value of a statistic of the whole server. */
export function valueOf(row: Statistic, server: ServerFacts, store: Store): Value {
  switch (row.scope) {
    case 'thread': return store.counters.sum(row.counter)
    case 'class': return row.counters.reduce((sum, counter) => sum + store.counters.sumClasses(counter), 0)
    case 'store': return row.value(store)
    case 'server': return row.value(server, store)
  }
}

/** The value of a statistic of one slab class. */
export function classValueOf(row: ClassStatistic, store: Store, slabClass: number): Value {
  if (row.scope === 'store') return row.value(store, slabClass)
  return row.counters.reduce((sum, counter) => sum + store.counters.sumClass(slabClass, counter), 0)
}

/** The classes that own pages. */
export function activeClasses(store: Store): number[] {
  return allClasses(store).filter(slabClass => pageCount(store, slabClass) > 0)
}

/** The classes that hold items. */
export function classesWithItems(store: Store): number[] {
  return allClasses(store).filter(slabClass => sumShards(store, shard => shard.allocator.classItems(slabClass)) > 0)
}

/** The seconds since the last use of the oldest item in the lists of a class and segment; 0 if they are empty. */
export function ageOfTail({ shards, context: { now } }: Store, slabClass: number, segment: Segment): number {
  let age = 0
  for (const { lru, items } of shards) {
    const item = lru.tail(slabClass, segment)
    if (item !== NO_ITEM) age = Math.max(age, items.age(item, now))
  }
  return age
}

function allClasses({ classes }: Store): number[] { return Array.from({ length: classes.largest }, (_, index) => index + 1) }

/** The rows of classes whose sums over all classes are shown. */
function overAll(rows: readonly ClassStatistic[]): Statistic[] {
  return rows.flatMap(row => row.scope === 'class' ? [row] : [])
}

function bucketCount(store: Store): number { return sumShards(store, shard => shard.table.bucketCount) }
function pageCount(store: Store, slabClass: number): number {
  return sumShards(store, shard => shard.slabs.get(slabClass, ClassWord.PageCount))
}
function chunkCount(store: Store, slabClass: number): number {
  return sumShards(store, shard => shard.slabs.chunkCount(slabClass))
}
function usedCount(store: Store, slabClass: number): number {
  return sumShards(store, shard => shard.slabs.get(slabClass, ClassWord.UsedCount))
}

function sumShards(store: Store, value: (shard: Store['shards'][number]) => number): number {
  return store.shards.reduce((sum, shard) => sum + value(shard), 0)
}

/** The buffers with replies: those that slow clients have not read, and the one of the thread that makes the report. */
function outputsInUse({ counters }: Store): number { return counters.current(Counter.OutputsHeld) + 1 }

function outputCount({ threads, outputsPerThread }: ServerFacts, { counters }: Store): number {
  return threads * outputsPerThread + counters.current(Counter.OutputsAdded)
}

function bufferBytes(server: ServerFacts, store: Store): number {
  return server.threads * server.inputBytes + store.counters.current(Counter.RequestBytesKept) +
    outputCount(server, store) * server.outputBytes
}

/** Formats microseconds as seconds with six digits. */
function seconds(microseconds: number): string { return (microseconds / 1e6).toFixed(6) }
