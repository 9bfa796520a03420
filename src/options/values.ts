// The settings of a server, a field each, named after memcached's `stats settings`. The command line sets them by the rows in
// rows.ts. The allowed values are in rows.ts and contradictions.ts.

/** The least memory for items, in bytes. */
export const MEMORY_MIN = 1024 * 1024
/** The most memory for items, in bytes. */
export const MEMORY_MAX = 256 * 1024 ** 3

/** The least that `-I` may be, in bytes. */
export const ITEM_SIZE_MIN = 1024

/** The size of a page, from which chunks are cut. */
export const PAGE_BYTES = 1024 * 1024

/** The memory for unfinished requests, in bytes. */
const REQUEST_MEM_LIMIT = 64 * 1024 * 1024
/** The same as a part of the items' memory; the larger of both is the limit. */
const REQUEST_MEM_PART = 1 / 16

/** The addresses that a server listens on by default. */
export const LOOPBACK: readonly string[] = ['127.0.0.1', '::1']

/** The protocol of a connection; 'auto' lets its first byte decide. */
export type ProtocolName = 'auto' | 'ascii' | 'binary'

/** The service whose commands a server has. */
export type ProfileName = 'memcached' | 'elasticache-serverless'

/** How a server takes what memcached does not have: commands, and reports of `stats`. */
export type CompatName = 'extended' | 'strict'

/** The settings of a server. Sizes are in bytes. Only `threads` has another default on the command line. */
export interface Options {
  /** Memory for items, in bytes: from 1 MiB to 256 GiB. `-m`, and `memory` of a program, give it in MiB. Default 64 MiB. */
  maxbytes: number
  /** The most connections at a time, from 1, `-c`. Default 1024. */
  maxconns: number
  /** TCP port, `-p`: 0 opens none, -1 takes any free one. Default 11211. */
  port: number
  /** UDP port, `-U`: 0 opens none, -1 takes any free one. It listens at the addresses of `listen`. Default 0. */
  udpport: number
  /**
   * Addresses to listen on, `-l`: addresses, names or `address:port`, each with prefixes as `parseAddress` reads them. Default
   * none, which means loopback only: 127.0.0.1 and ::1.
   */
  listen: readonly string[]
  /**
   * Where it answers HTTP, `-o http`: true for the ports of all other clients; a port number, or a text `address:port`, for a
   * port of its own, where 0 is any free one. A port alone is opened on the addresses of `listen`. Default false, nowhere.
   */
  http: boolean | number | string
  /**
   * Names of the server that requests by HTTP may have as their host, beside its addresses, localhost, the name of the machine
   * and the names of `listen`. Default none.
   */
  httpHosts: readonly string[]
  /** Path of a Unix socket, of at most 107 bytes, `-s`. With it there is neither TCP nor UDP. Default none. */
  socketPath: string | undefined
  /** Access mask of the Unix socket, from 0 to 0o777, `-a`. Default 0o700. */
  umask: number
  /** True: the `shutdown` command works, `-A`. Default false. */
  shutdownCommand: boolean
  /** Level of the log, `-v`: 0 to 3; more has the effect of 3. Default 0. */
  verbosity: number
  /** True: old items are evicted to make room for new ones. False, `-M`: a full server answers with an error. Default true. */
  evictions: boolean
  /** Ratio of the chunk size of a slab class to that of the next smaller class, above 1, `-f`. Default 1.25. */
  factor: number
  /** Least space for key, value and flags, in bytes, from 1, `-n`. Default 48. */
  chunkSize: number
  /** Threads that serve clients, 1 to 256, `-t`; with 1, the thread that makes the server. Default 1, on the command line 4. */
  threads: number
  /** The character that ends the prefix of a key in `stats detail`, `-D`: one printable character. Default ':'. */
  prefixDelimiter: string
  /** True: `stats detail` counts from the start; `-D` sets it. Default false. */
  detailEnabled: boolean
  /** Requests of a connection that are served before it is another's turn, `-R`. Default 0: those of one read of 96 KiB. */
  reqsPerEvent: number
  /** True: items carry a cas number; `-C` clears it. Default true. */
  useCas: boolean
  /** Connections that the kernel queues, `-b`: 0 means one, a negative number as many as the system allows. Default 1024. */
  backlog: number
  /** The protocol of listeners whose address names none, `-B`. Default 'auto': a connection's first byte decides. */
  protocol: ProtocolName
  /** True: clients of the binary protocol must authenticate (SASL), `-S`. Default false. */
  sasl: boolean
  /** File of the users and their passwords, `-Y`; without `sasl` for clients of the text protocol. Default none. */
  authFile: string | undefined
  /** File of users for `sasl` if there is no `authFile`: the environment variable MEMCACHED_SASL_PWDB. Default none. */
  saslPwdb: string | undefined
  /** Largest item, in bytes: from 1 KiB to 1 GiB, and at most half of `maxbytes`, `-I`. Default 1 MiB. */
  itemSizeMax: number
  /** True: a connection over the limit gets an error and is closed. False: it waits. Default true. */
  maxconnsFast: boolean
  /** Size of the hash table as a power of two, from 0 to 32. It has no effect, but `stats settings` shows it. Default 0. */
  hashpowerInit: number
  /** True: `flush_all` works; `-F` clears it. Default true. */
  flushEnabled: boolean
  /** True: clients may list items; `-X` clears it. Default true. */
  dumpEnabled: boolean
  /** True: `watch` works; `-W` clears it. Default true. */
  watchEnabled: boolean
  /**
   * Largest chunk, in bytes: from 1 KiB to 1 MiB, which it must divide evenly. Larger items span several chunks. Default 512 KiB,
   * or the largest power of two within `itemSizeMax` if that is less.
   */
  slabChunkMax: number
  /**
   * Chunk sizes of all slab classes except the last, whose chunks have `slabChunkMax`. They are in bytes as memcached counts
   * them: an item takes its key, flags and value and 59 bytes. Each is from `chunkSize` to `slabChunkMax`, and at least 9 more
   * than the one before. There are at most 62. Default none: the classes follow from `chunkSize` and `factor`.
   */
  slabSizes: readonly number[]
  /**
   * The share of the requests from which `stats hotkeys`, `stats bigkeys`, `stats advice` and the histograms of latency are made,
   * 0 to 1. Default 0.01.
   */
  hotkeys: number
  /**
   * Items that left, which are remembered to explain why a key is not there: about so many, at most 1,048,576, each with 28
   * bytes of memory beside that of the items; 0 for none. Default -1: as many as a hundredth of `maxbytes` has room for.
   */
  explainEntries: number
  /** True: items are counted by size for `stats sizes`. Default false. */
  trackSizes: boolean
  /**
   * True: what each prefix of keys has is counted for `stats prefixes`. Default false, or true with `detailEnabled` or
   * `prefixQuotas`.
   */
  trackPrefixes: boolean
  /**
   * The percents of `maxbytes` that the items of prefixes may take, above 0 and up to 100, such as `{ app1: 25 }`. A prefix above
   * its percents has its own items evicted. At most 1,024 prefixes. Default none.
   */
  prefixQuotas: Readonly<Record<string, number>>
  /** True: `stats sizing` says what the hit ratio would be with more or less memory. Default true. */
  sizing: boolean
  /** Seconds until an idle connection is closed; 0 or less for never. Default 0. */
  idleTimeout: number
  /** Seconds that a client may take to authenticate, and for its TLS handshake; 0 for no limit. Default 30. */
  authTimeout: number
  /** True: each class has HOT, WARM and COLD lists. False: it has one. Default true. */
  lruSegmented: boolean
  /** True: a background task maintains the lists, too. Default true. */
  lruMaintainer: boolean
  /** True: memory of expired items is reclaimed in the background. Default true. */
  lruCrawler: boolean
  /** Pause of the crawler for each 1000 items, in microseconds, at most 1,000,000. Default 100. */
  lruCrawlerSleep: number
  /** The most items of a class that the crawler checks in one run; 0 for all. Default 0. */
  lruCrawlerTocrawl: number
  /** Percent of a class's memory for its HOT list, 1 to 79; with `warmLruPct` at most 80. Default 20. */
  hotLruPct: number
  /** Percent of a class's memory for its WARM list, 1 to 79. Default 40. */
  warmLruPct: number
  /** Items leave HOT when they are idle longer than the age of COLD times this factor, above 0. Default 0.2. */
  hotMaxFactor: number
  /** Items leave WARM when they are idle longer than the age of COLD times this factor, above 0. Default 2. */
  warmMaxFactor: number
  /** True: items with a short life have a list of their own. Default false; `temporaryTtl` on the command line sets it. */
  tempLru: boolean
  /** The longest life that counts as short, in seconds. Default 61. */
  temporaryTtl: number
  /** Seconds until memcached repairs the tail of a list. It has no effect, but `stats settings` shows it. Default 0. */
  tailRepairTime: number
  /** True: pages may move between slab classes. Default true. */
  slabReassign: boolean
  /** 0: pages move only by command. 1: automove moves them too. 2: also whenever a class evicts. Default 1. */
  slabAutomove: number
  /**
   * A class gives a page to another if the age of the other's evicted items is less than its own times this factor, above 0 and
   * at most 1. Default 0.8.
   */
  slabAutomoveRatio: number
  /** Seconds over which these ages are averaged, from 3. Default 10. */
  slabAutomoveWindow: number
  /** Share of the memory that a class may keep in free chunks. Default 0.01. */
  slabAutomoveFreeratio: number
  /** Name of memcached's hash. It has no effect, as there is one keyed hash; `stats settings` shows it. Default 'murmur3'. */
  hashAlgorithm: string
  /** Buffer of each watcher, in bytes: 1 KiB to 64 MiB. Default 256 KiB. */
  watcherLogbufSize: number
  /** Buffer of each thread for events on their way to watchers, in bytes: 1 KiB to 64 MiB. Default 64 KiB. */
  workerLogbufSize: number
  /** Memory for answers that are not written yet, in bytes, which limits the keys of a get; 0 for no limit. Default 0. */
  readBufMemLimit: number
  /**
   * Memory for unfinished requests of all connections together, in bytes, from 1 MiB. Default 64 MiB, or a sixteenth of
   * `maxbytes` if that is more.
   */
  requestMemLimit: number
  /** True: TCP is encrypted unless a listener's address says otherwise, `-Z`. Default false. */
  sslEnabled: boolean
  /** File of the certificate chain, in PEM. Default none. */
  sslChainCert: string | undefined
  /** File of the private key. Default none: the key is in the file of the certificate. */
  sslKey: string | undefined
  /** Format of the private key, in OpenSSL's numbers: 1 PEM, 2 DER. Default 1. */
  sslKeyFormat: number
  /** Client certificates: 0 not requested, 1 requested, and checked if the client sends one, 2 and 3 required. Default 0. */
  sslVerifyMode: number
  /** Allowed ciphers, in OpenSSL's format. Default none: those of Node.js. */
  sslCiphers: string | undefined
  /** File of the CA certificates for those of clients, in PEM. Default none. */
  sslCaCert: string | undefined
  /** True: clients may resume a session. Default false. */
  sslSessionCache: boolean
  /** Oldest version of TLS: 0 is 1.0, 1 is 1.1, 2 is 1.2, 3 is 1.3. Default 2. */
  sslMinVersion: number
  /** True: clients may move the server's time with the command `debugtime`. Only for tests. Default false. */
  debugCommands: boolean
  /**
   * True: clients discover a cluster, as with ElastiCache and Memorystore: `config get cluster` answers with the list of nodes
   * that `config set cluster` has stored. Default false.
   */
  discovery: boolean
  /**
   * The service whose restrictions the server has. 'elasticache-serverless' refuses what that service refuses: it needs TLS, and
   * has the text protocol alone, no commands that configure the server or reveal its state, no delayed `flush_all`, and no get
   * line above 16 KiB. Default 'memcached', which refuses nothing.
   */
  profile: ProfileName
  /**
   * `extended`: there are commands and reports that memcached does not have. `strict`, `-o compat=strict`: they are answered as
   * unknown ones. Default extended.
   */
  compat: CompatName
  /** Values that `stats settings` shows for options without effect, by their names there. Default none: their defaults. */
  shown: Readonly<Record<string, string>>
  /** Command line only: the servers to start, `--nodes`; 0 for one that is no node of a cluster. Default 0. */
  nodes: number
  /** Command line only: the server leaves the terminal, `-d`. Default false. */
  daemonize: boolean
  /** Command line only: the user to become once secret files are read, `-u`. Default none. */
  user: string | undefined
  /** Command line only: the file to write the process id to, `-P`. Default none. */
  pidFile: string | undefined
}

/** The defaults of all options. */
export function defaultOptions(): Options {
  return {
    maxbytes: 64 * 1024 * 1024,
    maxconns: 1024,
    port: 11211,
    udpport: 0,
    listen: [],
    http: false,
    httpHosts: [],
    socketPath: undefined,
    umask: 0o700,
    shutdownCommand: false,
    verbosity: 0,
    evictions: true,
    factor: 1.25,
    chunkSize: 48,
    threads: 1,
    prefixDelimiter: ':',
    detailEnabled: false,
    reqsPerEvent: 0,
    useCas: true,
    backlog: 1024,
    protocol: 'auto',
    sasl: false,
    authFile: undefined,
    saslPwdb: undefined,
    itemSizeMax: 1024 * 1024,
    maxconnsFast: true,
    hashpowerInit: 0,
    flushEnabled: true,
    dumpEnabled: true,
    watchEnabled: true,
    slabChunkMax: 512 * 1024,
    slabSizes: [],
    hotkeys: 0.01,
    explainEntries: -1,
    trackSizes: false,
    trackPrefixes: false,
    prefixQuotas: {},
    sizing: true,
    idleTimeout: 0,
    authTimeout: 30,
    lruSegmented: true,
    lruMaintainer: true,
    lruCrawler: true,
    lruCrawlerSleep: 100,
    lruCrawlerTocrawl: 0,
    hotLruPct: 20,
    warmLruPct: 40,
    hotMaxFactor: 0.2,
    warmMaxFactor: 2,
    tempLru: false,
    temporaryTtl: 61,
    tailRepairTime: 0,
    slabReassign: true,
    slabAutomove: 1,
    slabAutomoveRatio: 0.8,
    slabAutomoveWindow: 10,
    slabAutomoveFreeratio: 0.01,
    hashAlgorithm: 'murmur3',
    watcherLogbufSize: 256 * 1024,
    workerLogbufSize: 64 * 1024,
    readBufMemLimit: 0,
    requestMemLimit: REQUEST_MEM_LIMIT,
    sslEnabled: false,
    sslChainCert: undefined,
    sslKey: undefined,
    sslKeyFormat: 1,
    sslVerifyMode: 0,
    sslCiphers: undefined,
    sslCaCert: undefined,
    sslSessionCache: false,
    sslMinVersion: 2,
    debugCommands: false,
    discovery: false,
    profile: 'memcached',
    compat: 'extended',
    shown: {},
    nodes: 0,
    daemonize: false,
    user: undefined,
    pidFile: undefined,
  }
}

/** The defaults of the command line that differ: they are memcached's. */
export const COMMAND_LINE_DEFAULTS: Partial<Options> = { threads: 4 }
/** The same with `--nodes`: all nodes are served from the main thread. */
export const NODE_DEFAULTS: Partial<Options> = { threads: 1 }

/**
 * The given options with defaults for all others that fit them: `-m 1` alone lowers the largest item to half a MiB, no chunk is
 * larger than the largest item, and authentication chooses its protocol.
 */
export function completeOptions(given: Partial<Options>): Options {
  const options: Options = { ...defaultOptions(), ...withoutUndefined(given) }
  // a program may have passed values of any type; checkOptions reports those that are not numbers
  const sizes: readonly unknown[] = [options.maxbytes, options.itemSizeMax, options.slabChunkMax]
  if (sizes.every(size => typeof size === 'number')) fitSizes(options, given)
  if (given.protocol === undefined) options.protocol = protocolOf(options)
  if (given.trackPrefixes === undefined) options.trackPrefixes = options.detailEnabled || hasQuotas(options)
  return options
}

/** True if there are quotas. A program may have passed a value of any type; checkOptions reports it. */
function hasQuotas({ prefixQuotas }: Options): boolean {
  return typeof prefixQuotas === 'object' && prefixQuotas !== null && Object.keys(prefixQuotas).length > 0
}

/** Fits the largest item, the memory of unfinished requests and the largest chunk to the memory for items. */
function fitSizes(options: Options, given: Partial<Options>): void {
  if (given.itemSizeMax === undefined && options.maxbytes < 2 * options.itemSizeMax) {
    options.itemSizeMax = Math.max(ITEM_SIZE_MIN, Math.floor(options.maxbytes / 2))
  }
  if (given.requestMemLimit === undefined) {
    options.requestMemLimit = Math.max(REQUEST_MEM_LIMIT, Math.floor(options.maxbytes * REQUEST_MEM_PART))
  }
  if (options.slabChunkMax > options.itemSizeMax && options.slabChunkMax <= PAGE_BYTES) {
    options.slabChunkMax = largestPowerOfTwo(Math.max(ITEM_SIZE_MIN, options.itemSizeMax))
  }
}

/** The protocol that authentication works with: the binary one with SASL, the text protocol with only a file of users. */
function protocolOf({ sasl, authFile, profile }: Options): ProtocolName {
  if (sasl) return 'binary'
  return authFile === undefined && profile !== 'elasticache-serverless' ? 'auto' : 'ascii'
}

function withoutUndefined(given: Partial<Options>): Partial<Options> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** The largest power of two up to `limit`. A power of two, as the largest chunks must divide a page evenly. */
function largestPowerOfTwo(limit: number): number {
  return 2 ** Math.floor(Math.log2(limit))
}
