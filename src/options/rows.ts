// One row for each option, in the sections of `--help`. All facts about an option are in its row: parse.ts reads command lines by
// the rows, check.ts takes bounds from them, help.ts prints them, settings.ts shows them in `stats settings`.
import { MEMORY_MAX, MEMORY_MIN, type Options } from './values.js'

export interface OptionRow {
  /** One letter after `-`. */
  readonly flag?: string
  /** A word after `--`. */
  readonly long?: string
  /** A word after `-o`, as help prints it. A row with `clears` also has the opposite name, with or without `no_`. */
  readonly name?: string
  /** The name of its argument in the help. Without this it takes none. */
  readonly argument?: string
  /** Set if the argument may be left out. */
  readonly optional?: true
  /** The kind of the argument, the field that it sets, and the bounds of that field. */
  readonly value?: Value
  /** Fields that the option sets whatever its argument is. */
  readonly sets?: Partial<Options>
  /** Fields that it sets unless an option before it has. */
  readonly setsUnlessGiven?: Partial<Options>
  /** Fields that the opposite name sets. */
  readonly clears?: Partial<Options>
  /** The field without which the option has no effect. */
  readonly needs?: 'lruSegmented' | 'socketPath' | 'sslEnabled'
  /** The action that the option asks for, instead of serving. */
  readonly action?: 'help' | 'version' | 'license'
  /** The support for the option. Default 'live'. */
  readonly support?: Support
  /** The reason why it has no effect, in a few words. */
  readonly why?: string
  /** Its name in `stats settings`. */
  readonly setting?: string
  /** For a row without a field: its value in `stats settings` if the option is not given. */
  readonly settingValue?: string
  /** For a row without a field: its value in `stats settings` if the option is given. */
  readonly settingIfGiven?: string
  /** The lines of its help; `{default}` is the default value. */
  readonly help: readonly string[]
}

/**
 * The support for an option. live: it works. ignored: it makes no sense here, and is accepted with a warning. later: it is
 * refused as "not supported yet". The last two are not in the help.
 */
export type Support = 'live' | 'ignored' | 'later'

export type Value =
  | WholeValue
  | { readonly kind: 'size', readonly field: NumberField, readonly min: number, readonly max: number }
  | FractionValue
  | { readonly kind: 'octal', readonly field: 'umask', readonly min: number, readonly max: number }
  | { readonly kind: 'count', readonly field: 'verbosity', readonly min: number, readonly max: number }
  | { readonly kind: 'text', readonly field: TextField }
  | { readonly kind: 'character', readonly field: 'prefixDelimiter' }
  | { readonly kind: 'addresses', readonly field: 'listen' }
  | { readonly kind: 'sizes', readonly field: 'slabSizes' }
  | { readonly kind: 'http', readonly field: 'http' }
  | { readonly kind: 'names', readonly field: 'httpHosts' }
  | { readonly kind: 'quota', readonly field: 'prefixQuotas' }
  | { readonly kind: 'choice', readonly choices: Readonly<Record<string, Partial<Options>>> }
  | ShownValue

export interface WholeValue {
  readonly kind: 'whole'
  readonly field: NumberField
  /** The bounds of the field. */
  readonly min: number
  readonly max: number
  /** The factor from the number on the command line to the field. Default 1. */
  readonly unit?: number
  /** The least number that the command line accepts, if the field may be less by default. */
  readonly least?: number
  /** The value if the argument is left out. */
  readonly absent?: number
  /** Set if memcached refuses a number with other text behind it. Otherwise it ignores that text. */
  readonly isStrict?: true
  /** Set if memcached has no such bounds. Beyond them the command line takes the nearest number, with a warning. */
  readonly isOurBound?: true
  /** Set if 2 ** 32 is added to a negative number, as in memcached. */
  readonly isUnsigned?: true
  /** The letters that may follow the number as a unit, with their factors. */
  readonly letters?: Readonly<Record<string, number>>
}

export interface FractionValue {
  readonly kind: 'fraction'
  readonly field: NumberField
  readonly above: number
  /** Set if it may be 0, although that is not above `above`. */
  readonly orZero?: true
  /** The largest; Infinity for none. */
  readonly max: number
  /** The number of digits that `stats settings` shows behind the point. Default 2. */
  readonly digits?: number
  readonly isStrict?: true
}

/** The number of an option without effect. `stats settings` shows it as memcached would, times `unit`. */
export interface ShownValue {
  readonly kind: 'shown'
  readonly min: number
  readonly unit?: number
  readonly digits?: number
  readonly isStrict?: true
}

export type NumberField = { [Field in keyof Options]: Options[Field] extends number ? Field : never }[keyof Options]
export type TextField = { [Field in keyof Options]: undefined extends Options[Field] ? Field : never }[keyof Options]

const KIB = 1024
const MIB = 1024 * KIB
const INT_MAX = 2 ** 31 - 1
const UINT_MAX = 2 ** 32 - 1
const INT_MIN = -(2 ** 31)
/** The largest log buffer, in bytes. There is one for each watcher and one for each thread, so there may be many. */
const LOGBUF_MAX = 64 * MIB

/** The defaults of memcached 1.4, as far as they still exist: one flat list, and no background tasks. */
const OLD_DEFAULTS: Partial<Options> = {
  maxconnsFast: false,
  slabReassign: false,
  slabAutomove: 0,
  lruCrawler: false,
  lruMaintainer: false,
  lruSegmented: false,
  hashAlgorithm: 'jenkins',
}

const NO_RESTART = 'items are lost when the server ends; leave it out, and expect a cold cache after a restart'
const NO_STORAGE = 'all items are kept in memory; leave it out, and give -m all the memory that the cache may take'
const WITHOUT_STORAGE = 'there is no external storage'
const NO_PROXY = 'memslab has no proxy'
const NO_CALL = 'Node.js has no call for it'
const OWN_SIZE = 'the size of the hash table follows from the memory limit'

const GENERAL: readonly OptionRow[] = [
  { flag: 'h', long: 'help', action: 'help',
    help: ['print this help and exit'] },
  { flag: 'V', long: 'version', action: 'version',
    help: ['print version and exit'] },
  { flag: 'i', long: 'license', action: 'license',
    help: ['print memslab license'] },
  { flag: 'o', long: 'extended', argument: 'list',
    help: ['comma separated list of extended options;', 'most options have a \'no_\' prefix to disable'] },
]

const LISTENING: readonly OptionRow[] = [
  { flag: 'p', long: 'port', argument: 'num', value: { kind: 'whole', field: 'port', min: -1, max: 65535 },
    help: ['TCP port to listen on (default: {default});', '0 is off, -1 takes any free one and prints it,',
      'unless MEMCACHED_PORT_FILENAME names a file for it'] },
  { flag: 'U', long: 'udp-port', argument: 'num', value: { kind: 'whole', field: 'udpport', min: -1, max: 65535 },
    setting: 'udpport',
    help: ['UDP port to listen on, at the addresses of -l, whose own',
      'ports count before this one; without -p TCP takes it too', '(default: {default}, off; -1 takes any free one)'] },
  { flag: 'l', long: 'listen', argument: 'addr', value: { kind: 'addresses', field: 'listen' },
    setting: 'inter',
    help: ['interface to listen on (default: loopback only, 127.0.0.1 and ::1;',
      'memcached\'s is INADDR_ANY, which is -l 0.0.0.0 here);',
      '<addr> or <addr>:<port>, several with commas or with several -l;',
      'proto[ascii]:<addr>, proto[binary]: or proto[negotiating]: in place of -B;',
      'with -Z also notls:<addr> for no TLS there, btls: for TLS without',
      'and mtls: for TLS with certificates of the clients'] },
  { flag: 's', long: 'unix-socket', argument: 'file', value: { kind: 'text', field: 'socketPath' },
    setting: 'domain_socket',
    help: ['UNIX socket to listen on (disables network support)'] },
  { flag: 'a', long: 'unix-mask', argument: 'mask', value: { kind: 'octal', field: 'umask', min: 0, max: 0o777 },
    needs: 'socketPath',
    setting: 'umask',
    help: ['access mask for UNIX socket, in octal (default: {default})'] },
  { flag: 'B', long: 'protocol', argument: 'name',
    value: { kind: 'choice', choices: {
      auto: { protocol: 'auto' }, ascii: { protocol: 'ascii' }, binary: { protocol: 'binary' },
    } },
    help: ['protocol - one of ascii, binary, or auto (default: auto-negotiate)'] },
  { flag: 'b', long: 'listen-backlog', argument: 'num', value: { kind: 'whole', field: 'backlog', min: INT_MIN, max: INT_MAX },
    setting: 'tcp_backlog',
    help: ['set the backlog queue limit (default: {default})'] },
  { name: 'http', argument: 'addr', optional: true, value: { kind: 'http', field: 'http' }, clears: { http: false },
    setting: 'http',
    help: ['answer HTTP, too: a page about the server at /, /metrics for',
      'Prometheus, /healthz, /readyz and more; on the ports of all other',
      'clients, or with <port> or <addr>:<port> on a port of its own',
      '(default: off)'] },
  { name: 'http_host', argument: 'name', value: { kind: 'names', field: 'httpHosts' },
    setting: 'http_host',
    help: ['a name of this server, as in the addresses that people and Prometheus',
      'ask by HTTP, beside its addresses, localhost, the name of the machine',
      'and the names of -l; one for each http_host'] },
  { long: 'nodes', argument: 'num', value: { kind: 'whole', field: 'nodes', min: 0, max: 100, least: 1, isStrict: true },
    sets: { discovery: true },
    help: ['start so many servers in one process, each with memory, threads and',
      'connections of its own, on ports from -p (and -U) on; clients discover',
      'all of them through any (see -o discovery); -t is 1 unless given'] },
  { name: 'discovery', sets: { discovery: true },
    setting: 'discovery',
    help: ['answer \'config get cluster\', by which clients of ElastiCache and',
      'Memorystore find the nodes of a cluster, with the list that',
      '\'config set cluster\' has stored (default: {default})'] },
]

const MEMORY: readonly OptionRow[] = [
  { flag: 'm', long: 'memory-limit', argument: 'num',
    value: { kind: 'whole', field: 'maxbytes', min: MEMORY_MIN, max: MEMORY_MAX, unit: MIB, isOurBound: true,
      letters: { m: 1, g: 1024 } },
    setting: 'maxbytes',
    help: ['item memory in megabytes (default: {default})'] },
  { flag: 'M', long: 'disable-evictions', sets: { evictions: false },
    setting: 'evictions',
    help: ['return error on memory exhausted instead of evicting'] },
  { flag: 'I', long: 'max-item-size', argument: 'num',
    value: { kind: 'size', field: 'itemSizeMax', min: KIB, max: 1024 * MIB },
    setting: 'item_size_max',
    help: ['adjusts max item size', '(default: {default}, min: 1k, max: 1024m)'] },
  { flag: 'C', long: 'disable-cas', sets: { useCas: false },
    setting: 'cas_enabled',
    help: ['disable use of CAS'] },
  { flag: 'n', long: 'slab-min-size', argument: 'bytes', value: { kind: 'whole', field: 'chunkSize', min: 1, max: INT_MAX },
    setting: 'chunk_size',
    help: ['min space used for key+value+flags (default: {default})'] },
  { flag: 'f', long: 'slab-growth-factor', argument: 'num',
    value: { kind: 'fraction', field: 'factor', above: 1, max: Infinity },
    setting: 'growth_factor',
    help: ['chunk size growth factor (default: {default})'] },
  { name: 'slab_sizes', argument: 'list', value: { kind: 'sizes', field: 'slabSizes' },
    help: ['the sizes of all slab classes but the last in bytes, in place of',
      '-n and -f: 100-200-300; each from -n to slab_chunk_max and at',
      'least 9 more than the one before'] },
  { name: 'slab_chunk_max', argument: 'num',
    value: { kind: 'whole', field: 'slabChunkMax', min: KIB, max: MIB, unit: KIB, isStrict: true },
    setting: 'slab_chunk_max',
    help: ['largest chunk in kilobytes, larger items span several; it must', 'divide -I and 1024 evenly. (default: {default})'] },
  { name: 'prefix_quota', argument: 'prefix:percent%', value: { kind: 'quota', field: 'prefixQuotas' },
    setting: 'prefix_quota',
    help: ['the part of -m that the items of a prefix (-D) may take, as in',
      'app1:25%; above it they make room for each other. One prefix for',
      'each prefix_quota'] },
  { name: 'no_chunked_items', sets: { slabChunkMax: MIB },
    help: ['the largest chunk is a whole page'] },
]

const LIMITS: readonly OptionRow[] = [
  { flag: 't', long: 'threads', argument: 'num', value: { kind: 'whole', field: 'threads', min: 1, max: 256, isOurBound: true },
    setting: 'num_threads',
    help: ['number of threads to use (default: {default})'] },
  { flag: 'c', long: 'conn-limit', argument: 'num', value: { kind: 'whole', field: 'maxconns', min: 1, max: INT_MAX },
    setting: 'maxconns',
    help: ['max simultaneous connections (default: {default})'] },
  { name: 'maxconns_fast', sets: { maxconnsFast: true }, clears: { maxconnsFast: false },
    setting: 'maxconns_fast',
    help: ['immediately close new connections after limit (default: {default})'] },
  { name: 'idle_timeout', argument: 'seconds', value: { kind: 'whole', field: 'idleTimeout', min: INT_MIN, max: INT_MAX },
    setting: 'idle_timeout',
    help: ['timeout for idle connections. (default: {default}, no timeout)'] },
  { flag: 'R', long: 'max-reqs-per-event', argument: 'num',
    value: { kind: 'whole', field: 'reqsPerEvent', min: 0, max: INT_MAX, least: 1 },
    setting: 'reqs_per_event',
    help: ['maximum number of requests per event, limits the',
      'requests processed per connection to prevent',
      'starvation (default: {default}, as many as one read brings)'] },
  { name: 'read_buf_mem_limit', argument: 'num',
    value: { kind: 'whole', field: 'readBufMemLimit', min: 0, max: INT_MAX * MIB, unit: MIB, isStrict: true },
    setting: 'read_buf_mem_limit',
    help: ['megabytes for answers that wait, one for each key of a get, found',
      'or not, divided among the threads: with 1 and -t 1 a get',
      'may have 819 keys (default: {default}, unlimited)'] },
  { name: 'request_mem_limit', argument: 'num',
    value: { kind: 'whole', field: 'requestMemLimit', min: MIB, max: INT_MAX * MIB, unit: MIB, isStrict: true },
    setting: 'request_mem_limit',
    help: ['megabytes for unfinished requests of all clients together; if they',
      'need more, threads that use more than their share close the clients',
      'with the oldest of them (default: {default}, or a sixteenth of -m',
      'if that is more)'] },
]

const PERMISSIONS: readonly OptionRow[] = [
  { flag: 'S', long: 'enable-sasl', sets: { sasl: true },
    setting: 'auth_enabled_sasl',
    help: ['turn on Sasl authentication, only for the binary protocol;', 'the users are those of -Y, or of the file that the',
      'environment variable MEMCACHED_SASL_PWDB names'] },
  { flag: 'Y', long: 'auth-file', argument: 'file', value: { kind: 'text', field: 'authFile' },
    setting: 'auth_enabled_ascii',
    help: ['enable ASCII protocol authentication, or with -S Sasl\'s.', 'format: user:pass\\nuser2:pass2\\n'] },
  { name: 'auth_timeout', argument: 'seconds',
    value: { kind: 'whole', field: 'authTimeout', min: 0, max: INT_MAX, isStrict: true },
    setting: 'auth_timeout',
    help: ['timeout for clients that do not authenticate, with -Y or -S,', 'or do not complete their TLS handshake;',
      '0 is off (default: {default})'] },
  { flag: 'A', long: 'enable-shutdown', sets: { shutdownCommand: true },
    setting: 'shutdown_command',
    help: ['enable ascii "shutdown" command'] },
  { flag: 'F', long: 'disable-flush-all', sets: { flushEnabled: false },
    setting: 'flush_enabled',
    help: ['disable flush_all command'] },
  { flag: 'X', long: 'disable-dumping', sets: { dumpEnabled: false },
    setting: 'dump_enabled',
    help: ['disable stats cachedump and lru_crawler metadump'] },
  { flag: 'W', long: 'disable-watch', sets: { watchEnabled: false },
    help: ['disable watch commands (live logging)'] },
  { name: 'profile', argument: 'name',
    value: { kind: 'choice', choices: {
      memcached: { profile: 'memcached' }, 'elasticache-serverless': { profile: 'elasticache-serverless' },
    } },
    setting: 'profile',
    help: ['refuse what a service refuses: elasticache-serverless needs -Z, and',
      'has no binary protocol, no UDP, no commands that configure the server',
      'or reveal its state (me, watch, lru, lru_crawler, verbosity, slabs,',
      'stats but for \'stats\' and \'stats reset\', ...), no delayed flush_all',
      'and no get line above 16 KiB (default: {default})'] },
  { name: 'compat', argument: 'name',
    value: { kind: 'choice', choices: { extended: { compat: 'extended' }, strict: { compat: 'strict' } } },
    setting: 'compat',
    help: ['strict: answer commands and reports of stats that memcached does not',
      'have as it does, as unknown ones (default: {default})'] },
]

const TLS: readonly OptionRow[] = [
  { flag: 'Z', long: 'enable-ssl', sets: { sslEnabled: true },
    setting: 'ssl_enabled',
    help: ['enable TLS/SSL'] },
  { name: 'ssl_chain_cert', argument: 'file', value: { kind: 'text', field: 'sslChainCert' },
    needs: 'sslEnabled', setting: 'ssl_chain_cert',
    help: ['certificate chain file in PEM format'] },
  { name: 'ssl_key', argument: 'file', value: { kind: 'text', field: 'sslKey' },
    needs: 'sslEnabled', setting: 'ssl_key',
    help: ['private key, if not part of the ssl_chain_cert'] },
  { name: 'ssl_keyformat', argument: 'name',
    value: { kind: 'choice', choices: {
      PEM: { sslKeyFormat: 1 }, DER: { sslKeyFormat: 2 }, 1: { sslKeyFormat: 1 }, 2: { sslKeyFormat: 2 },
    } },
    needs: 'sslEnabled', setting: 'ssl_keyformat',
    help: ['private key format, PEM or 1, DER or 2 (default: PEM)'] },
  { name: 'ssl_ca_cert', argument: 'file', value: { kind: 'text', field: 'sslCaCert' },
    needs: 'sslEnabled', setting: 'ssl_ca_cert',
    help: ['PEM format file of acceptable client CA\'s'] },
  { name: 'ssl_verify_mode', argument: 'num', value: { kind: 'whole', field: 'sslVerifyMode', min: 0, max: 3, isStrict: true },
    needs: 'sslEnabled', setting: 'ssl_verify_mode',
    help: ['peer certificate verification mode, default is {default}(None).',
      'valid values are 0(None), 1(Request), 2(Require)', 'or 3(Once)'] },
  { name: 'ssl_min_version', argument: 'num', value: { kind: 'whole', field: 'sslMinVersion', min: 0, max: 3, isStrict: true },
    needs: 'sslEnabled', setting: 'ssl_min_version',
    help: ['minimum protocol version to accept (default: {default}, tlsv1.2)',
      'valid values are 0(tlsv1.0), 1(tlsv1.1), 2(tlsv1.2), or 3(tlsv1.3).'] },
  { name: 'ssl_ciphers', argument: 'list', value: { kind: 'text', field: 'sslCiphers' },
    needs: 'sslEnabled', setting: 'ssl_ciphers',
    help: ['specify cipher list to be used'] },
  { name: 'ssl_session_cache', sets: { sslSessionCache: true },
    needs: 'sslEnabled', setting: 'ssl_session_cache',
    help: ['enable server-side SSL session cache, to support session', 'resumption'] },
]

const LRU: readonly OptionRow[] = [
  { name: 'hot_lru_pct', argument: 'num', value: { kind: 'whole', field: 'hotLruPct', min: 1, max: 79 },
    needs: 'lruSegmented', setting: 'hot_lru_pct',
    help: ['pct of slab memory to reserve for hot lru.', '(requires lru_maintainer, default pct: {default})'] },
  { name: 'warm_lru_pct', argument: 'num', value: { kind: 'whole', field: 'warmLruPct', min: 1, max: 79 },
    needs: 'lruSegmented', setting: 'warm_lru_pct',
    help: ['pct of slab memory to reserve for warm lru.', '(requires lru_maintainer, default pct: {default})'] },
  { name: 'hot_max_factor', argument: 'num',
    value: { kind: 'fraction', field: 'hotMaxFactor', above: 0, max: Infinity },
    needs: 'lruSegmented', setting: 'hot_max_factor',
    help: ['items idle > cold lru age * drop from hot lru. (default: {default})'] },
  { name: 'warm_max_factor', argument: 'num',
    value: { kind: 'fraction', field: 'warmMaxFactor', above: 0, max: Infinity },
    needs: 'lruSegmented', setting: 'warm_max_factor',
    help: ['items idle > cold lru age * this drop from warm. (default: {default})'] },
  { name: 'temporary_ttl', argument: 'seconds', sets: { tempLru: true },
    value: { kind: 'whole', field: 'temporaryTtl', min: 0, max: UINT_MAX, isUnsigned: true },
    setting: 'temporary_ttl',
    help: ['TTL\'s below get separate LRU, can\'t be evicted.', '(requires lru_maintainer, default: {default})'] },
  { name: 'no_lru_maintainer', sets: { lruMaintainer: false, lruSegmented: false },
    clears: { lruMaintainer: true, lruSegmented: true },
    setting: 'lru_maintainer_thread',
    help: ['one flat LRU instead of the segmented one, maintained by', 'requests only'] },
  { name: 'no_modern', sets: OLD_DEFAULTS, setsUnlessGiven: { slabChunkMax: MIB },
    help: ['uses defaults of previous major version (1.4.x)'] },
]

const EXPIRED: readonly OptionRow[] = [
  { name: 'no_lru_crawler', sets: { lruCrawler: false }, clears: { lruCrawler: true },
    setting: 'lru_crawler',
    help: ['do not look for expired items in the background,', 'but at the tails of lists'] },
  { name: 'lru_crawler_sleep', argument: 'num', value: { kind: 'whole', field: 'lruCrawlerSleep', min: 0, max: 1000000 },
    setting: 'lru_crawler_sleep',
    help: ['microseconds to sleep in 1000 items (default: {default})'] },
  { name: 'lru_crawler_tocrawl', argument: 'num',
    value: { kind: 'whole', field: 'lruCrawlerTocrawl', min: 0, max: UINT_MAX, isStrict: true },
    setting: 'lru_crawler_tocrawl',
    help: ['max items to crawl per slab per run (default: {default}, unlimited)'] },
]

const PAGES: readonly OptionRow[] = [
  { name: 'slab_reassign', sets: { slabReassign: true }, clears: { slabReassign: false },
    setting: 'slab_reassign',
    help: ['let pages move between slab classes (default: {default})'] },
  { name: 'slab_automove', argument: 'mode', optional: true,
    value: { kind: 'whole', field: 'slabAutomove', min: 0, max: 2, absent: 1 }, clears: { slabAutomove: 0 },
    setting: 'slab_automove',
    help: ['move pages by themselves: 0 never, 1 to classes whose items',
      'are evicted young, 2 to any class that evicts (default: {default})'] },
  { name: 'slab_automove_ratio', argument: 'num',
    value: { kind: 'fraction', field: 'slabAutomoveRatio', above: 0, max: 1 },
    setting: 'slab_automove_ratio',
    help: ['how young the items that a class evicts must be, compared with',
      'those of the class that gives it a page (default: {default})'] },
  { name: 'slab_automove_window', argument: 'num',
    value: { kind: 'whole', field: 'slabAutomoveWindow', min: 3, max: INT_MAX },
    setting: 'slab_automove_window',
    help: ['seconds over which ages are compared (default: {default})'] },
  { name: 'slab_automove_freeratio', argument: 'num',
    value: { kind: 'fraction', field: 'slabAutomoveFreeratio', above: -Infinity, max: Infinity, digits: 3, isStrict: true },
    setting: 'slab_automove_freeratio',
    help: ['ratio of memory that a class may hold free as buffer', 'before it gives pages to others (default: {default})'] },
]

const LOGS: readonly OptionRow[] = [
  { flag: 'v', long: 'verbose', value: { kind: 'count', field: 'verbosity', min: 0, max: INT_MAX },
    setting: 'verbosity',
    help: ['verbose (print errors/warnings while in event loop);',
      '-vv: very verbose (also print client commands/responses);',
      '-vvv: extremely verbose (also state transitions)'] },
  { flag: 'D', argument: 'char', value: { kind: 'character', field: 'prefixDelimiter' },
    setting: 'stat_key_prefix',
    help: ['Use <char> as the delimiter between key prefixes and IDs.',
      'This is used for per-prefix stats reporting. The default is',
      '"{default}" (colon). If this option is specified, stats collection',
      'is turned on automatically; if not, then it may be turned on',
      'by sending the "stats detail on" command to the server.'] },
  { name: 'hotkeys', argument: 'rate', value: { kind: 'fraction', field: 'hotkeys', above: 0, orZero: true, max: 1, digits: 4,
    isStrict: true },
    setting: 'hotkeys',
    help: ['share of the requests from which hot and big keys and the time',
      'that requests take are learned, 0 to 1 (default: {default})'] },
  { name: 'explain', argument: 'num',
    value: { kind: 'whole', field: 'explainEntries', min: -1, max: 2 ** 20, least: 0, isStrict: true },
    setting: 'explain',
    help: ['items that left, which are remembered for \'stats explain\', with 28',
      'bytes each beside -m; 0 for none', '(default: as many as a hundredth of -m has room for)'] },
  { name: 'track_sizes', sets: { trackSizes: true },
    setting: 'track_sizes',
    help: ['enable dynamic reports for \'stats sizes\' command.'] },
  { name: 'track_prefixes', sets: { trackPrefixes: true },
    help: ['count items, bytes, hits, misses and evictions by prefix for',
      '\'stats prefixes\'; -D and prefix_quota do so too.'] },
  { name: 'no_sizing', sets: { sizing: false },
    setting: 'sizing',
    help: ['do not estimate the hit ratio with more or less memory,', 'which \'stats sizing\' shows'] },
  { name: 'watcher_logbuf_size', argument: 'num',
    value: { kind: 'whole', field: 'watcherLogbufSize', min: KIB, max: LOGBUF_MAX, unit: KIB, isStrict: true, isOurBound: true },
    setting: 'watcher_logbuf_size',
    help: ['size in kilobytes of per-watcher write buffer. (default: {default})'] },
  { name: 'worker_logbuf_size', argument: 'num',
    value: { kind: 'whole', field: 'workerLogbufSize', min: KIB, max: LOGBUF_MAX, unit: KIB, isStrict: true, isOurBound: true },
    setting: 'worker_logbuf_size',
    help: ['size in kilobytes of per-worker-thread buffer',
      'read by background thread, then written to watchers. (default: {default})'] },
]

const PROCESS: readonly OptionRow[] = [
  { flag: 'd', long: 'daemon', sets: { daemonize: true },
    help: ['run as a daemon'] },
  { flag: 'u', long: 'user', argument: 'user', value: { kind: 'text', field: 'user' },
    help: ['assume identity of <user> (only when run as root)'] },
  { flag: 'P', long: 'pidfile', argument: 'file', value: { kind: 'text', field: 'pidFile' },
    help: ['save PID in <file>, removed when the server ends'] },
  { name: 'debug_commands', sets: { debugCommands: true },
    help: ['for tests only: the command \'debugtime\' moves the time by which',
      'items expire, for all clients (default: {default})'] },
]

const IGNORED: readonly OptionRow[] = [
  { flag: 'r', long: 'enable-coredumps', support: 'ignored', why: NO_CALL,
    help: ['maximize core file limit'] },
  { flag: 'k', long: 'lock-memory', support: 'ignored', why: NO_CALL,
    help: ['lock down all paged memory'] },
  { flag: 'L', long: 'enable-largepages', support: 'ignored', why: NO_CALL,
    help: ['try to use large memory pages (if available)'] },
  { name: 'hashpower', argument: 'num', value: { kind: 'whole', field: 'hashpowerInit', min: 0, max: 32, least: 12 },
    support: 'ignored', why: OWN_SIZE,
    setting: 'hashpower_init',
    help: ['the size of the hash table as a power of two (default: {default})'] },
  { name: 'tail_repair_time', argument: 'seconds',
    value: { kind: 'whole', field: 'tailRepairTime', min: 0, max: INT_MAX, least: 10 },
    support: 'ignored', why: 'there are no leaked references to repair',
    setting: 'tail_repair_time',
    help: ['seconds to wait before forcefully killing LRU tail item (default: {default})'] },
  { name: 'hash_algorithm', argument: 'name', support: 'ignored', why: 'there is one hash, keyed at random at the start',
    value: { kind: 'choice', choices: {
      murmur3: { hashAlgorithm: 'murmur3' }, jenkins: { hashAlgorithm: 'jenkins' }, xxh3: { hashAlgorithm: 'xxh3' },
    } },
    setting: 'hash_algorithm',
    help: ['the hash table algorithm;', 'default is murmur3 hash. options: jenkins, murmur3, xxh3'] },
  { name: 'resp_obj_mem_limit', argument: 'num', optional: true, support: 'ignored', why: 'memcached does not use it either',
    help: ['no longer used, see read_buf_mem_limit'] },
  { name: 'no_hashexpand', support: 'ignored', why: OWN_SIZE,
    help: ['disables hash table expansion'] },
  { name: 'modern', support: 'ignored', why: 'these are the defaults',
    help: ['enables options which will be default in future.', 'currently: nothing'] },
  { name: 'inline_ascii_resp', support: 'ignored', why: 'memcached does not use it either',
    clears: {},
    setting: 'inline_ascii_response', settingValue: 'no',
    help: ['no longer used'] },
  { name: 'no_drop_privileges', support: 'ignored', why: NO_CALL,
    clears: {},
    help: ['do not confine system calls'] },
  { name: 'relaxed_privileges', support: 'ignored', why: NO_CALL,
    help: ['confine system calls less strictly'] },
  { name: 'sock_cookie_id', argument: 'num', support: 'ignored', why: NO_CALL,
    help: ['attributes an ID to a socket for ip filtering/firewalls'] },
  { name: 'ext_page_size', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    help: ['size in megabytes of storage pages. (default: 64)'] },
  { name: 'ext_wbuf_size', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, unit: MIB, isStrict: true },
    setting: 'ext_wbuf_size', settingValue: '4194304',
    help: ['size in megabytes of page write buffers. (default: 4)'] },
  { name: 'ext_threads', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    help: ['number of IO threads to run. (default: 1)'] },
  { name: 'ext_io_depth', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    help: ['IO calls that a thread makes at once. (default: 1)'] },
  { name: 'ext_item_size', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_item_size', settingValue: '512',
    help: ['store items larger than this (bytes, default 512)'] },
  { name: 'ext_item_age', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_item_age', settingValue: '4294967295',
    help: ['store items idle at least this long (seconds, default: no age limit)'] },
  { name: 'ext_low_ttl', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_low_ttl', settingValue: '0',
    help: ['consider TTLs lower than this specially (default: 0)'] },
  { name: 'ext_drop_unread', support: 'ignored', why: WITHOUT_STORAGE,
    setting: 'ext_drop_unread', settingValue: 'no', settingIfGiven: 'yes',
    help: ['don\'t re-write unread values during compaction (default: disabled)'] },
  { name: 'ext_recache_rate', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_recache_rate', settingValue: '2000',
    help: ['recache an item every N accesses (default: 2000)'] },
  { name: 'ext_compact_under', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_compact_under', settingValue: '0',
    help: ['compact when fewer than this many free pages', '(default: 1/4th of the assigned storage)'] },
  { name: 'ext_drop_under', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_drop_under', settingValue: '0',
    help: ['drop COLD items when fewer than this many free pages', '(default: 1/4th of the assigned storage)'] },
  { name: 'ext_max_frag', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, digits: 2, isStrict: true },
    setting: 'ext_max_frag', settingValue: '0.80',
    help: ['max page fragmentation to tolerate (default: 0.80)'] },
  { name: 'ext_max_sleep', argument: 'num', support: 'ignored', why: WITHOUT_STORAGE,
    value: { kind: 'shown', min: 0, isStrict: true },
    setting: 'ext_max_sleep', settingValue: '1000000',
    help: ['max sleep time of background threads in us (default: 1000000)'] },
  { name: 'ssl_wbuf_size', argument: 'num', support: 'ignored', why: NO_CALL,
    value: { kind: 'shown', min: 0, unit: KIB, isStrict: true },
    setting: 'ssl_wbuf_size', settingValue: '16384',
    help: ['size in kilobytes of per-connection SSL output buffer', '(default: 16)'] },
  { name: 'ssl_kernel_tls', support: 'ignored', why: NO_CALL,
    setting: 'ssl_kernel_tls', settingValue: 'no', settingIfGiven: 'yes',
    help: ['enable kernel TLS offload'] },
  { flag: 'N', long: 'napi-ids', argument: 'num', support: 'ignored', why: NO_CALL,
    value: { kind: 'shown', min: 1 },
    setting: 'num_napi_ids', settingValue: '0',
    help: ['number of napi ids'] },
]

const LATER: readonly OptionRow[] = [
  { flag: 'e', long: 'memory-file', argument: 'file', support: 'later', why: NO_RESTART,
    setting: 'memory_file', settingValue: '(null)',
    help: ['mmap a file for item memory'] },
  { name: 'ext_path', argument: 'file', support: 'later', why: NO_STORAGE,
    help: ['file to write to for external storage.', 'ie: ext_path=/mnt/d1/extstore:1G'] },
  { name: 'proxy_config', argument: 'file', support: 'later', why: NO_PROXY,
    help: ['run as a proxy, configured by a Lua program'] },
  { name: 'proxy_arg', argument: 'text', support: 'later', why: NO_PROXY,
    help: ['string to pass to proxy_config'] },
]

/** A section of `--help` and of the table of options. */
export interface Section {
  readonly title: string
  readonly rows: readonly OptionRow[]
  /** True if its options have an effect, so that `--help` prints them. */
  readonly works: boolean
}

/** All options, in the order of `--help` and of the table. */
export const optionSections: readonly Section[] = [
  { title: 'General', rows: GENERAL, works: true },
  { title: 'Where to listen', rows: LISTENING, works: true },
  { title: 'Memory and items', rows: MEMORY, works: true },
  { title: 'Threads and limits', rows: LIMITS, works: true },
  { title: 'Permissions', rows: PERMISSIONS, works: true },
  { title: 'TLS', rows: TLS, works: true },
  { title: 'LRU: which items go first', rows: LRU, works: true },
  { title: 'Expired items', rows: EXPIRED, works: true },
  { title: 'Slab pages', rows: PAGES, works: true },
  { title: 'Logs and statistics', rows: LOGS, works: true },
  { title: 'The process', rows: PROCESS, works: true },
  { title: 'Accepted for compatibility, without effect', rows: IGNORED, works: false },
  { title: 'Not supported yet', rows: LATER, works: false },
]

export const optionRows: readonly OptionRow[] = optionSections.flatMap(({ rows }) => rows)

/** The name of an option in a message: `-m/--memory-limit`, `-D`, `--nodes`, `-o idle_timeout`. */
export function optionName({ flag, long, name }: OptionRow): string {
  if (flag === undefined) return long === undefined ? `-o ${name}` : `--${long}`
  return long === undefined ? `-${flag}` : `-${flag}/--${long}`
}

/** The fields that a value sets. */
export function fieldsOf(value: Value): [keyof Options, ...(keyof Options)[]] {
  if (value.kind === 'shown') return ['shown']
  return value.kind === 'choice' ? Object.keys(Object.values(value.choices)[0] ?? {}) as [keyof Options] : [value.field]
}

/** A size in the form of the command line: 1048576 is 1m, 524288 is 512k. */
export function printSize(bytes: number): string {
  if (bytes !== 0 && bytes % (1024 * 1024) === 0) return `${bytes / (1024 * 1024)}m`
  return bytes !== 0 && bytes % 1024 === 0 ? `${bytes / 1024}k` : String(bytes)
}
