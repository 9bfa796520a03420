// The commands by which requests are told apart in what an Insight shows. The binary opcodes have the names of the text commands
// that do the same.

export const enum Command {
  /** Anything without a number of its own, such as a line that is no command. */
  Other,
  Get, Gets, Gat, Gats, Set, Add, Replace, Append, Prepend, Cas, Delete, Incr, Decr, Touch,
  Mg, Ms, Md, Ma, Me, Mn,
  FlushAll, FlushPrefix, Keys, Stats, CacheMemlimit, Slabs, Lru, LruCrawler, Extstore,
  Version, Verbosity, Watch, RefreshCerts, Quit, Shutdown, Debugtime, Config, Noop, Sasl,
  Count,
}

/** The name of each command, as clients write it. */
export const COMMAND_NAMES: readonly string[] = [
  'other',
  'get', 'gets', 'gat', 'gats', 'set', 'add', 'replace', 'append', 'prepend', 'cas', 'delete', 'incr', 'decr', 'touch',
  'mg', 'ms', 'md', 'ma', 'me', 'mn',
  'flush_all', 'flush_prefix', 'keys', 'stats', 'cache_memlimit', 'slabs', 'lru', 'lru_crawler', 'extstore',
  'version', 'verbosity', 'watch', 'refresh_certs', 'quit', 'shutdown', 'debugtime', 'config', 'noop', 'sasl',
]
