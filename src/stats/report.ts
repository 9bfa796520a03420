// The tables of `stats`: names and order are memcached's, the values are those of this store and server. A row is a name
// and a way to its value.
import { ClassWord, ListWord } from '../memory/layout.js'
import { NO_ITEM, Segment } from '../store/items/items.js'
import { type Store } from '../store/store.js'
import { PROTOCOL_VERSION } from '../version.js'
import { ClassCounter, Counter } from './counters.js'

export type Row = readonly [name: string, value: string | number]

/** What a report needs to know beside the store. */
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
  /** The buffers that each thread has from the start: one to read into, some for answers. */
  readonly inputBytes: number
  readonly outputBytes: number
  readonly outputsPerThread: number
  readonly slabReassign: boolean
  readonly lruMaintainer: boolean
  readonly tempLru: boolean
  readonly hasIdleTimeout: boolean
  /** Whether clients have a bounded time to say who they are, or to agree on TLS. */
  readonly hasAuthTimeout: boolean
  /** Where there is TLS. */
  readonly tls: { readonly hasSessionCache: boolean; readonly secondsSinceRefresh: number } | undefined
}

/** A connection as `stats conns` shows it. */
export interface ConnectionFacts {
  readonly id: number
  readonly address: string
  readonly listenAddress: string | undefined
  readonly state: string
  readonly idleSeconds: number
}

const COUNTERS_BEFORE_MEMORY: readonly (readonly [name: string, value: (store: Store) => number])[] = [
  ['cmd_get', store => store.counters.sum(Counter.CmdGet)],
  ['cmd_set', store => store.counters.sumClasses(ClassCounter.CmdSet)],
  ['cmd_flush', store => store.counters.sum(Counter.CmdFlush)],
  ['cmd_touch', store => store.counters.sum(Counter.CmdTouch)],
  ['cmd_meta', store => store.counters.sum(Counter.CmdMeta)],
  ['get_hits', store => sumHits(store)],
  ['get_misses', store => store.counters.sum(Counter.GetMisses)],
  ['get_expired', store => store.counters.sum(Counter.GetExpired)],
  ['get_flushed', store => store.counters.sum(Counter.GetFlushed)],
  ['delete_misses', store => store.counters.sum(Counter.DeleteMisses)],
  ['delete_hits', store => store.counters.sumClasses(ClassCounter.DeleteHits)],
  ['incr_misses', store => store.counters.sum(Counter.IncrMisses)],
  ['incr_hits', store => store.counters.sumClasses(ClassCounter.IncrHits)],
  ['decr_misses', store => store.counters.sum(Counter.DecrMisses)],
  ['decr_hits', store => store.counters.sumClasses(ClassCounter.DecrHits)],
  ['cas_misses', store => store.counters.sum(Counter.CasMisses)],
  ['cas_hits', store => store.counters.sumClasses(ClassCounter.CasHits)],
  ['cas_badval', store => store.counters.sumClasses(ClassCounter.CasBadval)],
  ['touch_hits', store => store.counters.sumClasses(ClassCounter.TouchHits)],
  ['touch_misses', store => store.counters.sum(Counter.TouchMisses)],
  ['store_too_large', store => store.counters.sum(Counter.StoreTooLarge)],
  ['store_no_memory', store => store.counters.sum(Counter.StoreNoMemory)],
  ['auth_cmds', store => store.counters.sum(Counter.AuthCmds)],
  ['auth_errors', store => store.counters.sum(Counter.AuthErrors)],
]

/** Counters of classes: those marked appear only where the lists are kept in order in the background. */
type ClassRow = readonly [name: string, counter: ClassCounter, onlyMaintained: boolean]

const MOVE_ROWS: readonly ClassRow[] = [
  ['crawler_reclaimed', ClassCounter.CrawlerReclaimed, false],
  ['crawler_items_checked', ClassCounter.CrawlerChecked, false],
  ['lrutail_reflocked', ClassCounter.TailReflocked, false],
  ['moves_to_cold', ClassCounter.MovesToCold, true],
  ['moves_to_warm', ClassCounter.MovesToWarm, true],
  ['moves_within_lru', ClassCounter.MovesWithinLru, true],
  ['direct_reclaims', ClassCounter.DirectReclaims, true],
]

/** At the end of `stats`, summed over all classes. */
const TOTAL_ROWS: readonly ClassRow[] = [
  ['expired_unfetched', ClassCounter.ExpiredUnfetched, false],
  ['evicted_unfetched', ClassCounter.EvictedUnfetched, false],
  ['evicted_active', ClassCounter.EvictedActive, true],
  ['evictions', ClassCounter.Evicted, false],
  ['reclaimed', ClassCounter.Reclaimed, false],
  ...MOVE_ROWS,
]

/** In `stats items`. */
const ITEM_ROWS: readonly ClassRow[] = [
  ['reclaimed', ClassCounter.Reclaimed, false],
  ['expired_unfetched', ClassCounter.ExpiredUnfetched, false],
  ['evicted_unfetched', ClassCounter.EvictedUnfetched, false],
  ['evicted_active', ClassCounter.EvictedActive, true],
  ...MOVE_ROWS,
]

/** `stats`. */
export function* generalReport(store: Store, facts: ServerFacts): Iterable<Row> {
  const { counters } = store
  const usage = process.resourceUsage()
  yield ['pid', facts.pid]
  yield ['uptime', facts.uptime]
  yield ['time', facts.time]
  yield ['version', PROTOCOL_VERSION]
  // memcached names its event library here; ours is libuv
  yield ['libevent', `libuv-${process.versions.uv}`]
  yield ['pointer_size', 64]
  yield ['rusage_user', seconds(usage.userCPUTime)]
  yield ['rusage_system', seconds(usage.systemCPUTime)]
  yield ['max_connections', facts.connectionsMax]
  yield ['curr_connections', facts.connections]
  yield ['total_connections', counters.sum(Counter.TotalConnections)]
  yield ['rejected_connections', counters.sum(Counter.RejectedConnections)]
  yield ['connection_structures', facts.connections]
  yield* bufferRows(store, facts)
  yield ['reserved_fds', facts.reservedFds]
  for (const [name, value] of COUNTERS_BEFORE_MEMORY) yield [name, value(store)]
  if (facts.hasIdleTimeout) yield ['idle_kicks', counters.sum(Counter.IdleKicks)]
  if (facts.hasAuthTimeout) yield ['auth_kicks', counters.sum(Counter.AuthKicks)]
  yield ['bytes_read', counters.sum(Counter.BytesRead)]
  yield ['bytes_written', counters.sum(Counter.BytesWritten)]
  yield ['limit_maxbytes', store.maxbytes]
  yield ['accepting_conns', facts.isAccepting ? 1 : 0]
  yield ['listen_disabled_num', counters.sum(Counter.ListenDisabled)]
  yield ['time_in_listen_disabled_us', counters.sum(Counter.ListenDisabledUs)]
  yield ['threads', facts.threads]
  yield ['conn_yields', counters.sum(Counter.ConnYields)]
  yield* tableRows(store)
  if (facts.slabReassign) {
    for (const [name, counter] of MOVED_ROWS) yield [name, counters.sum(counter)]
    yield ['slab_reassign_last_busy_status', BUSY_STATUSES[store.rebalance.busyStatus]!]
    yield ['slab_reassign_running', store.rebalance.isUnderWay ? 1 : 0]
    yield ['slabs_moved', counters.sum(Counter.SlabsMoved)]
  }
  if (store.crawler.isOn) {
    yield ['lru_crawler_running', store.crawler.isRunning ? 1 : 0]
    yield ['lru_crawler_starts', counters.sum(Counter.CrawlerStarts)]
  }
  if (facts.lruMaintainer) yield ['lru_maintainer_juggles', counters.sum(Counter.LruJuggles)]
  yield ['malloc_fails', 0]
  for (const [name, value] of LOG_ROWS) yield [name, value(store)]
  // threads are not chosen by the queue of the network card
  yield ['unexpected_napi_ids', 0]
  yield ['round_robin_fallback', 0]
  if (facts.tls !== undefined) {
    if (facts.tls.hasSessionCache) yield ['ssl_new_sessions', counters.sum(Counter.SslNewSessions)]
    yield ['ssl_handshake_errors', counters.sum(Counter.SslHandshakeErrors)]
    yield ['ssl_proto_errors', counters.sum(Counter.SslProtoErrors)]
    yield ['time_since_server_cert_refresh', facts.tls.secondsSinceRefresh]
  }
  yield ['bytes', store.itemBytes]
  yield ['curr_items', store.itemCount]
  yield ['total_items', counters.sum(Counter.TotalItems)]
  yield ['slab_global_page_pool', store.rebalance.poolPages]
  for (const [name, counter, onlyMaintained] of TOTAL_ROWS) {
    if (facts.lruMaintainer || !onlyMaintained) yield [name, counters.sumClasses(counter)]
  }
  // a hit is noted in its item, so there is no queue of hits that could be full
  if (facts.lruMaintainer) yield ['lru_bumps_dropped', 0]
}

/** The hash table, all shards together. */
function* tableRows(store: Store): Iterable<Row> {
  const buckets = store.shards.reduce((sum, shard) => sum + shard.table.bucketCount, 0)
  yield ['hash_power_level', Math.floor(Math.log2(buckets))]
  yield ['hash_bytes', buckets * 4]
  yield ['hash_is_expanding', store.isGrowing ? 1 : 0]
}

/** `stats hash`, which memcached does not have: what `stats` says of the hash table, and its longest chain. */
export function* hashReport(store: Store): Iterable<Row> {
  yield* tableRows(store)
  yield ['hash_longest_chain', store.longestChain]
}

/**
 * Buffers for requests and answers. In use are those of answers that slow readers have not taken, of requests that are not
 * complete, and those of the thread that is asked; the others wait for work.
 */
function* bufferRows({ counters }: Store, { threads, inputBytes, outputBytes, outputsPerThread }: ServerFacts): Iterable<Row> {
  const requests = counters.current(Counter.RequestsKept)
  const requestBytes = counters.current(Counter.RequestBytesKept)
  const outputs = threads * outputsPerThread + counters.current(Counter.OutputsAdded)
  const outputsInUse = counters.current(Counter.OutputsHeld) + 1
  const bytes = threads * inputBytes + requestBytes + outputs * outputBytes
  yield ['response_obj_oom', counters.sum(Counter.ResponseOom)]
  yield ['response_obj_count', outputsInUse]
  yield ['response_obj_bytes', outputsInUse * outputBytes]
  yield ['read_buf_count', threads + requests + outputs]
  yield ['read_buf_bytes', bytes]
  yield ['read_buf_bytes_free', bytes - inputBytes - requestBytes - outputsInUse * outputBytes]
  yield ['read_buf_oom', counters.sum(Counter.ReadBufOom)]
}

/** What was met in pages that were moved. */
const MOVED_ROWS: readonly (readonly [name: string, counter: Counter])[] = [
  ['slab_reassign_rescues', Counter.Rescues],
  ['slab_reassign_chunk_rescues', Counter.ChunkRescues],
  ['slab_reassign_inline_reclaim', Counter.InlineReclaims],
  ['slab_reassign_busy_items', Counter.BusyItems],
  ['slab_reassign_busy_deletes', Counter.BusyDeletes],
  ['slab_reassign_busy_nomem', Counter.BusyNoMemory],
]

/** By BusyStatus. */
const BUSY_STATUSES = ['none', 'refcount', 'nomem'] as const

/** What became of the events that `watch` shows. */
const LOG_ROWS: readonly (readonly [name: string, value: (store: Store) => number])[] = [
  ['log_worker_dropped', store => store.counters.sum(Counter.LogWorkerDropped)],
  ['log_worker_written', store => store.counters.sum(Counter.LogWorkerWritten)],
  ['log_watcher_skipped', store => store.counters.sum(Counter.LogWatcherSkipped)],
  ['log_watcher_sent', store => store.counters.sum(Counter.LogWatcherSent)],
  ['log_watchers', store => store.log.watchers],
]

/** `stats items`: the classes that hold items. */
export function* itemsReport(store: Store, facts: ServerFacts): Iterable<Row> {
  const now = store.context.now
  for (let slabClass = 1; slabClass <= store.classes.largest; slabClass++) {
    const number = sumShards(store, shard => shard.allocator.classItems(slabClass))
    if (number === 0) continue
    const listed = (segment: Segment) => sumShards(store, shard => shard.lru.get(slabClass, segment, ListWord.Count))
    const age = (segment: Segment) => ageOfTail(store, slabClass, segment, now)
    const counted = (counter: ClassCounter) => store.counters.sumClass(slabClass, counter)
    const name = (word: string) => `items:${slabClass}:${word}`
    yield [name('number'), number]
    if (facts.lruMaintainer) {
      yield [name('number_hot'), listed(Segment.Hot)]
      yield [name('number_warm'), listed(Segment.Warm)]
      yield [name('number_cold'), listed(Segment.Cold)]
      if (facts.tempLru) yield [name('number_temp'), listed(Segment.Temp)]
      yield [name('age_hot'), age(Segment.Hot)]
      yield [name('age_warm'), age(Segment.Warm)]
    }
    yield [name('age'), age(Segment.Cold)]
    yield [name('mem_requested'), sumShards(store, shard => shard.slabs.get(slabClass, ClassWord.RequestedBytes))]
    yield [name('evicted'), counted(ClassCounter.Evicted)]
    yield [name('evicted_nonzero'), counted(ClassCounter.EvictedNonzero)]
    yield [name('evicted_time'), Math.max(...store.shards.map(shard => shard.slabs.get(slabClass, ClassWord.EvictedAge)))]
    yield [name('outofmemory'), counted(ClassCounter.OutOfMemory)]
    yield [name('tailrepairs'), counted(ClassCounter.TailRepairs)]
    for (const [word, counter, onlyMaintained] of ITEM_ROWS) {
      if (facts.lruMaintainer || !onlyMaintained) yield [name(word), counted(counter)]
    }
    if (facts.lruMaintainer) {
      yield [name('hits_to_hot'), counted(ClassCounter.HitsToHot)]
      yield [name('hits_to_warm'), counted(ClassCounter.HitsToWarm)]
      yield [name('hits_to_cold'), counted(ClassCounter.HitsToCold)]
      yield [name('hits_to_temp'), counted(ClassCounter.HitsToTemp)]
    }
  }
}

/** `stats slabs`: the classes that own pages. */
export function* slabsReport(store: Store): Iterable<Row> {
  let active = 0
  for (let slabClass = 1; slabClass <= store.classes.largest; slabClass++) {
    const pages = sumShards(store, shard => shard.slabs.get(slabClass, ClassWord.PageCount))
    if (pages === 0) continue
    active++
    const chunks = sumShards(store, shard => shard.slabs.chunkCount(slabClass))
    const used = sumShards(store, shard => shard.slabs.get(slabClass, ClassWord.UsedCount))
    const counted = (counter: ClassCounter) => store.counters.sumClass(slabClass, counter)
    const name = (word: string) => `${slabClass}:${word}`
    // memcached's size of a chunk, which says what goes into it; here it takes a little less
    yield [name('chunk_size'), store.classes.nominalBytes[slabClass]!]
    yield [name('chunks_per_page'), store.classes.chunksPerPage[slabClass]!]
    yield [name('total_pages'), pages]
    yield [name('total_chunks'), chunks]
    yield [name('used_chunks'), used]
    yield [name('free_chunks'), chunks - used]
    yield [name('free_chunks_end'), 0]
    yield [name('get_hits'), HIT_COUNTERS.reduce((sum, counter) => sum + counted(counter), 0)]
    yield [name('cmd_set'), counted(ClassCounter.CmdSet)]
    yield [name('delete_hits'), counted(ClassCounter.DeleteHits)]
    yield [name('incr_hits'), counted(ClassCounter.IncrHits)]
    yield [name('decr_hits'), counted(ClassCounter.DecrHits)]
    yield [name('cas_hits'), counted(ClassCounter.CasHits)]
    yield [name('cas_badval'), counted(ClassCounter.CasBadval)]
    yield [name('touch_hits'), counted(ClassCounter.TouchHits)]
  }
  yield ['active_slabs', active]
  yield ['total_malloced', sumShards(store, shard => shard.slabs.bytesUsed)]
}

/** `stats sizes`, in parts: how many items there are by memcached's size of them, in steps of 32 bytes. */
export function* sizesReport(store: Store): Iterable<Row[]> {
  const { sizes } = store.context
  if (sizes === undefined) {
    yield [['sizes_status', 'disabled']]
    return
  }
  for (const part of sizes.parts()) yield part.map(([bytes, items]) => [String(bytes), items])
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

/** The age in seconds of the item that was longest unused in one of the lists, 0 if there is none. */
export function ageOfTail(store: Store, slabClass: number, segment: Segment, now: number): number {
  let age = 0
  for (const shard of store.shards) {
    const item = shard.lru.tail(slabClass, segment)
    if (item !== NO_ITEM) age = Math.max(age, shard.items.age(item, now))
  }
  return age
}

/** A hit is counted by the list it was in. */
const HIT_COUNTERS = [ClassCounter.HitsToHot, ClassCounter.HitsToWarm, ClassCounter.HitsToCold, ClassCounter.HitsToTemp]

function sumHits({ counters }: Store): number {
  return HIT_COUNTERS.reduce((sum, counter) => sum + counters.sumClasses(counter), 0)
}

function sumShards(store: Store, value: (shard: Store['shards'][number]) => number): number {
  return store.shards.reduce((sum, shard) => sum + value(shard), 0)
}

/** Microseconds as seconds with six digits. */
function seconds(microseconds: number): string { return (microseconds / 1e6).toFixed(6) }
