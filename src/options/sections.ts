// Which options belong together, for people: `--help` and the table of the README are in this order. What has no effect,
// or is not there yet, stands at the end of the table, whatever it is about, and not in the help.
import { optionRows, type OptionRow, type Support } from './rows.js'

export interface Section {
  readonly title: string
  readonly rows: readonly OptionRow[]
  /** Whether its options have an effect. */
  readonly works: boolean
}

/** The options of each section, by their letter or by their name after -o. */
const SECTIONS: readonly (readonly [title: string, names: string])[] = [
  ['General', 'h V i o'],
  ['Where to listen', 'p U l s a B b'],
  ['Memory and items', 'm M I C n f slab_sizes slab_chunk_max no_chunked_items'],
  ['Threads and limits', 't c maxconns_fast idle_timeout R read_buf_mem_limit request_mem_limit'],
  ['Who may do what', 'S Y auth_timeout A F X W'],
  ['TLS', `Z ssl_chain_cert ssl_key ssl_keyformat ssl_ca_cert ssl_verify_mode ssl_min_version ssl_ciphers
    ssl_session_cache`],
  ['LRU: which items go first', `hot_lru_pct warm_lru_pct hot_max_factor warm_max_factor temporary_ttl no_lru_maintainer
    no_modern`],
  ['Expired items', 'no_lru_crawler lru_crawler_sleep lru_crawler_tocrawl'],
  ['Slab pages', 'slab_reassign slab_automove slab_automove_ratio slab_automove_window slab_automove_freeratio'],
  ['Logs and statistics', 'v D track_sizes watcher_logbuf_size worker_logbuf_size'],
  ['The process', 'd u P debug_commands'],
]

/** All options, each in one section. */
export function optionSections(): Section[] {
  const byName = new Map(optionRows.map(row => [row.flag ?? row.name, row]))
  const isUsed = (row: OptionRow | undefined): row is OptionRow =>
    row !== undefined && row.support !== 'ignored' && row.support !== 'later'
  const used = SECTIONS.map(([title, names]) => ({
    title, works: true, rows: names.split(/\s+/).map(name => byName.get(name)).filter(isUsed),
  }))
  return [
    ...used,
    { title: 'Accepted for compatibility, without effect', works: false, rows: ofSupport('ignored') },
    { title: 'Not supported yet', works: false, rows: ofSupport('later') },
  ].filter(({ rows }) => rows.length > 0)
}

function ofSupport(wanted: Support): OptionRow[] { return optionRows.filter(({ support }) => support === wanted) }
