// The metrics of Prometheus's memcached exporter, a row each. Dashboards and alerts know their names, types and labels, so these
// stay as they are, also where another choice would be better: `uptime_seconds` and `slab_items_evicted_time_seconds` are
// counters, and six counters have names without `_total`. metrics.ts makes their samples from the statistics of rows.ts.

export interface ExportedMetric {
  /** The name, which follows `memcached_`. */
  readonly name: string
  readonly type: 'counter' | 'gauge'
  /**
   * The statistic of each sample, by the sample's labels; '' for none. `a - b - c` is a difference of statistics. A sample is
   * left out if one of its statistics is.
   */
  readonly samples: Readonly<Record<string, string>>
  /** Default: the help text of its statistic. */
  readonly help?: string
}

function counter(name: string, samples: string | ExportedMetric['samples'], help?: string): ExportedMetric {
  return metric('counter', name, samples, help)
}

function gauge(name: string, samples: string | ExportedMetric['samples'], help?: string): ExportedMetric {
  return metric('gauge', name, samples, help)
}

function metric(type: ExportedMetric['type'], name: string, samples: string | ExportedMetric['samples'],
  help?: string): ExportedMetric {
  return { name, type, samples: typeof samples === 'string' ? { '': samples } : samples, ...(help !== undefined && { help }) }
}

/** A sample for each command, from its statistic with this ending. */
function commands(ending: 'hits' | 'misses'): Record<string, string> {
  const status = { hits: 'hit', misses: 'miss' }[ending]
  return Object.fromEntries(['get', 'delete', 'incr', 'decr', 'cas', 'touch'].map(command =>
    [`command="${command}",status="${status}"`, `${command}_${ending}`]))
}

const SET = 'command="set",status="hit"'
const CAS_BADVAL = 'command="cas",status="badval"'
const COMMANDS_HELP = 'Keys that commands asked for, by command and what came of it'

/** Metrics from `stats`. */
export const exportedGeneral: readonly ExportedMetric[] = [
  counter('uptime_seconds', 'uptime'),
  gauge('time_seconds', 'time'),
  counter('process_user_cpu_seconds_total', 'rusage_user'),
  counter('process_system_cpu_seconds_total', 'rusage_system'),
  counter('read_bytes_total', 'bytes_read'),
  counter('written_bytes_total', 'bytes_written'),
  gauge('current_connections', 'curr_connections'),
  counter('connections_total', 'total_connections'),
  counter('connections_rejected_total', 'rejected_connections'),
  counter('connections_yielded_total', 'conn_yields'),
  counter('connections_listener_disabled_total', 'listen_disabled_num'),
  gauge('accepting_connections', 'accepting_conns'),
  gauge('current_bytes', 'bytes'),
  gauge('limit_bytes', 'limit_maxbytes'),
  counter('commands_total', {
    ...commands('hits'), ...commands('misses'), [CAS_BADVAL]: 'cas_badval', 'command="flush",status="hit"': 'cmd_flush',
    // a cas counts among the sets too
    [SET]: 'cmd_set - cas_hits - cas_misses - cas_badval',
  }, COMMANDS_HELP),
  gauge('current_items', 'curr_items'),
  counter('items_total', 'total_items'),
  counter('items_evicted_total', 'evictions'),
  counter('items_reclaimed_total', 'reclaimed'),
  counter('item_too_large_total', 'store_too_large'),
  counter('item_no_memory_total', 'store_no_memory'),
  counter('direct_reclaims_total', 'direct_reclaims'),
  counter('lru_crawler_starts_total', 'lru_crawler_starts'),
  counter('lru_crawler_reclaimed_total', 'crawler_reclaimed'),
  counter('lru_crawler_items_checked_total', 'crawler_items_checked'),
  counter('lru_crawler_moves_to_cold_total', 'moves_to_cold'),
  counter('lru_crawler_moves_to_warm_total', 'moves_to_warm'),
  counter('lru_crawler_moves_within_lru_total', 'moves_within_lru'),
]

/** Metrics from `stats items`, which have the class as the label `slab`. */
export const exportedItems: readonly ExportedMetric[] = [
  gauge('slab_current_items', 'number'),
  gauge('slab_items_age_seconds', 'age'),
  counter('slab_items_crawler_reclaimed_total', 'crawler_reclaimed'),
  counter('slab_items_evicted_total', 'evicted'),
  counter('slab_items_evicted_nonzero_total', 'evicted_nonzero'),
  counter('slab_items_evicted_time_seconds', 'evicted_time'),
  counter('slab_items_evicted_unfetched_total', 'evicted_unfetched'),
  counter('slab_items_expired_unfetched_total', 'expired_unfetched'),
  counter('slab_items_outofmemory_total', 'outofmemory'),
  counter('slab_items_reclaimed_total', 'reclaimed'),
  counter('slab_items_tailrepairs_total', 'tailrepairs'),
  counter('slab_items_moves_to_cold', 'moves_to_cold'),
  counter('slab_items_moves_to_warm', 'moves_to_warm'),
  counter('slab_items_moves_within_lru', 'moves_within_lru'),
  gauge('slab_hot_items', 'number_hot'),
  gauge('slab_warm_items', 'number_warm'),
  gauge('slab_cold_items', 'number_cold'),
  gauge('slab_temporary_items', 'number_temp'),
  gauge('slab_hot_age_seconds', 'age_hot'),
  gauge('slab_warm_age_seconds', 'age_warm'),
  counter('slab_lru_hits_total', {
    'lru="hot"': 'hits_to_hot', 'lru="warm"': 'hits_to_warm', 'lru="cold"': 'hits_to_cold', 'lru="temporary"': 'hits_to_temp',
  }, 'Items found, by the list that they were in'),
  counter('slab_mem_requested_bytes', 'mem_requested'),
]

/** Metrics from the classes of `stats slabs`, which have the class as the label `slab`. */
export const exportedSlabs: readonly ExportedMetric[] = [
  gauge('slab_chunk_size_bytes', 'chunk_size'),
  gauge('slab_chunks_per_page', 'chunks_per_page'),
  gauge('slab_current_pages', 'total_pages'),
  gauge('slab_current_chunks', 'total_chunks'),
  gauge('slab_chunks_used', 'used_chunks'),
  gauge('slab_chunks_free', 'free_chunks'),
  gauge('slab_chunks_free_end', 'free_chunks_end'),
  counter('slab_commands_total', {
    ...commands('hits'), [CAS_BADVAL]: 'cas_badval', [SET]: 'cmd_set - cas_hits - cas_badval',
  }, COMMANDS_HELP),
]

/** Metrics from the end of `stats slabs`. */
export const exportedSlabTotals: readonly ExportedMetric[] = [
  gauge('malloced_bytes', 'total_malloced'),
]

/** A metric from `stats settings`. */
interface ExportedSetting {
  /** The name, which follows `memcached_`. */
  readonly name: string
  readonly setting: string
  readonly help: string
}

export const exportedSettings: readonly ExportedSetting[] = [
  { name: 'max_connections', setting: 'maxconns', help: 'Connections allowed at once' },
]

/** Metrics from `stats settings` that are there while the setting `lru_crawler` is yes. */
export const exportedCrawlerSettings: readonly ExportedSetting[] = [
  { name: 'lru_crawler_enabled', setting: 'lru_crawler', help: '1 while the crawler is on' },
  { name: 'lru_crawler_sleep', setting: 'lru_crawler_sleep', help: 'Microseconds that the crawler rests after an item' },
  { name: 'lru_crawler_to_crawl', setting: 'lru_crawler_tocrawl', help: 'Items that a crawl checks of each class, 0 for all' },
  { name: 'lru_crawler_maintainer_thread', setting: 'lru_maintainer_thread',
    help: '1 if lists are maintained in the background' },
  { name: 'lru_crawler_hot_percent', setting: 'hot_lru_pct', help: 'Share of HOT in the memory of a class, in percent' },
  { name: 'lru_crawler_warm_percent', setting: 'warm_lru_pct', help: 'Share of WARM in the memory of a class, in percent' },
  { name: 'lru_crawler_hot_max_factor', setting: 'hot_max_factor',
    help: 'Age of the oldest item of HOT, as a share of that of COLD' },
  { name: 'lru_crawler_warm_max_factor', setting: 'warm_max_factor',
    help: 'Age of the oldest item of WARM, as a multiple of that of COLD' },
]
