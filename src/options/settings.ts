// `stats settings`: the settings of a server, with memcached's names, order and formats. Settings that memcached does not have
// come last, and only if they differ from their defaults, so that a server without options has the same lines as memcached.
import { fieldsOf, optionRows, type OptionRow } from './rows.js'
import { completeOptions, LOOPBACK, type Options } from './values.js'

/** Settings that change while a server runs, or are known only then. Other settings are those of the start. */
export interface RunningSettings extends Partial<Options> {
  /** The ports that TCP and UDP are listening on, 0 if none. */
  readonly tcpPort: number
  readonly udpPort: number
  /** Seconds since the oldest item in the cache was last used. */
  readonly oldest: number
  /** The settings of the command `extstore`, by the names of their lines. */
  readonly external?: ReadonlyMap<string, string>
}

/** The lines of `stats settings`: name and value. */
export function settingsReport(options: Options, live: RunningSettings): readonly (readonly [string, string])[] {
  const current = { ...options, ...live }
  const valueOf = (name: string): string =>
    live.external?.get(name) ?? options.shown[name] ?? EXTRAS[name]?.(current) ?? settingOf(ROWS.get(name), current)
  const defaults = completeOptions({ maxbytes: options.maxbytes })
  const changed = OWN.filter(name => valueOf(name) !== settingOf(ROWS.get(name), defaults))
  return [...ORDER, ...changed].map(name => [name, valueOf(name)] as const)
}

/** The names of memcached's settings, in its order. */
const ORDER = `
  maxbytes maxconns tcpport udpport inter verbosity oldest evictions domain_socket umask shutdown_command growth_factor
  chunk_size num_threads num_threads_per_udp stat_key_prefix detail_enabled reqs_per_event cas_enabled tcp_backlog
  binding_protocol auth_enabled_sasl auth_enabled_ascii item_size_max maxconns_fast hashpower_init slab_reassign
  slab_automove slab_automove_ratio slab_automove_window slab_chunk_max lru_crawler lru_crawler_sleep
  lru_crawler_tocrawl tail_repair_time flush_enabled dump_enabled hash_algorithm lru_maintainer_thread lru_segmented
  hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor temp_lru temporary_ttl idle_timeout watcher_logbuf_size
  worker_logbuf_size read_buf_mem_limit track_sizes inline_ascii_response ext_item_size ext_item_age ext_low_ttl
  ext_recache_rate ext_wbuf_size ext_compact_under ext_drop_under ext_max_sleep ext_max_frag slab_automove_freeratio
  ext_drop_unread ssl_enabled ssl_chain_cert ssl_key ssl_verify_mode ssl_keyformat ssl_ciphers ssl_ca_cert
  ssl_wbuf_size ssl_session_cache ssl_kernel_tls ssl_min_version num_napi_ids memory_file client_flags_size
`.trim().split(/\s+/)

/** The values of settings that are not simply the value of an option. */
const EXTRAS: Readonly<Record<string, (current: Options & RunningSettings) => string>> = {
  // the port that the options name; if that is any free port, the one that was found
  tcpport: ({ port, tcpPort }) => String(port === -1 ? tcpPort : port),
  udpport: ({ udpport, udpPort }) => String(udpport === -1 ? udpPort : udpport),
  inter: ({ listen, socketPath }) => {
    if (listen.length > 0) return listen.join(',')
    return socketPath === undefined ? LOOPBACK.join(',') : 'NULL'
  },
  oldest: ({ oldest }) => String(oldest),
  evictions: ({ evictions }) => evictions ? 'on' : 'off',
  num_threads_per_udp: ({ listen, shown, threads }) => String((shown['inter'] ?? listen.join(',')).includes(',') ? 1 : threads),
  // memcached's default, for tools that compare it; ours is as many as one read brings
  reqs_per_event: ({ reqsPerEvent }) => String(reqsPerEvent === 0 ? 20 : reqsPerEvent),
  detail_enabled: ({ detailEnabled }) => yesOrNo(detailEnabled),
  binding_protocol: ({ protocol }) => protocol === 'auto' ? 'auto-negotiate' : protocol,
  auth_enabled_ascii: ({ authFile, sasl }) => sasl ? 'no' : authFile ?? 'no',
  lru_maintainer_thread: ({ lruMaintainer }) => yesOrNo(lruMaintainer),
  lru_segmented: ({ lruSegmented }) => yesOrNo(lruSegmented),
  temp_lru: ({ tempLru }) => yesOrNo(tempLru),
  ssl_chain_cert: ({ sslChainCert }) => sslChainCert ?? '(null)',
  ssl_key: ({ sslKey }) => sslKey ?? '(null)',
  ssl_verify_mode: ({ sslVerifyMode }) => String(OPENSSL_VERIFY[sslVerifyMode]),
  ssl_min_version: ({ sslMinVersion }) => `tlsv1.${sslMinVersion}`,
  client_flags_size: () => '4',
}

/** OpenSSL's flags by `ssl_verify_mode`, which memcached prints: peer 1, required 2, once 4. */
const OPENSSL_VERIFY = [0, 1, 1 | 2, 1 | 2 | 4]

const ROWS = new Map(optionRows.flatMap(row => row.setting === undefined ? [] : [[row.setting, row] as const]))

/** The names of settings that memcached does not have. */
const OWN = [...ROWS.keys()].filter(name => !ORDER.includes(name))

function settingOf(row: OptionRow | undefined, options: Options): string {
  if (row?.settingValue !== undefined) return row.settingValue
  const value = row?.value
  if (value === undefined) {
    const [field] = Object.keys(row?.sets ?? {}) as (keyof Options)[]
    return yesOrNo(field !== undefined && options[field] === true)
  }
  switch (value.kind) {
    case 'fraction': return options[value.field].toFixed(value.digits ?? 2)
    case 'octal': return options[value.field].toString(8)
    case 'names': return options[value.field].join(',') || 'NULL'
    case 'http': return typeof options.http === 'boolean' ? yesOrNo(options.http) : String(options.http)
    case 'choice': case 'shown': return String(options[fieldsOf(value)[0]])
    case 'quota': return Object.entries(options[value.field]).map(([prefix, percent]) => `${prefix}:${percent}%`).join(',')
    default: return String(options[value.field] ?? 'NULL')
  }
}

function yesOrNo(value: boolean): string {
  return value ? 'yes' : 'no'
}
