// What a server is set to: one field for each thing that can be set, named after memcached's `stats settings`.
// How the command line sets them is in rows.ts; which values are allowed, in rows.ts and check.ts.

/** The least that `-I` may be. */
export const ITEM_SIZE_MIN = 1024

/** What chunks are cut from. */
export const PAGE_BYTES = 1024 * 1024

/** What unfinished requests may take, or this part of the items' memory. */
const REQUEST_MEM_LIMIT = 64 * 1024 * 1024
const REQUEST_MEM_PART = 1 / 16

/** Where a server listens that is not told where. */
export const LOOPBACK: readonly string[] = ['127.0.0.1', '::1']

/** What a connection may speak; 'auto' lets its first byte decide. */
export type ProtocolName = 'auto' | 'ascii' | 'binary'

/** What a server can be told. Every field but `threads` has the default of the command line. */
export interface Options {
  /** Memory for items in bytes, `-m` gives it in MiB. Default 64 MiB. */
  maxbytes: number
  /** Simultaneous connections, `-c`. Default 1024. */
  maxconns: number
  /** TCP port, `-p`: 0 opens none, -1 takes any free one. Default 11211. */
  port: number
  /** UDP port, `-U`: 0 opens none, -1 takes any free one. It listens where TCP would. Default 0. */
  udpport: number
  /**
   * Addresses, names or `address:port`, each with prefixes as `parseAddress` reads them, `-l`. Default none, meaning
   * loopback only: 127.0.0.1 and ::1.
   */
  listen: readonly string[]
  /** Path of a Unix socket, `-s`; there is no TCP then. */
  socketPath: string | undefined
  /** Access mask of the Unix socket, `-a`. Default 0o700. */
  umask: number
  /** Whether the `shutdown` command works, `-A`. Default false. */
  shutdownCommand: boolean
  /** How much is logged, `-v`: 3 is all there is. Default 0. */
  verbosity: number
  /** Whether old items make room for new ones; `-M` answers an error instead. Default true. */
  evictions: boolean
  /** How much larger each slab class's chunks are than the last's, `-f`. Default 1.25. */
  factor: number
  /** Least space for key, value and flags in bytes, `-n`. Default 48. */
  chunkSize: number
  /** Threads that serve, `-t`: 1 is the one that makes the server. Default 1, on the command line 4. */
  threads: number
  /** What ends the prefix of a key in `stats detail`, `-D`. Default ':'. */
  prefixDelimiter: string
  /** Whether `stats detail` counts from the start, set by `-D`. Default false. */
  detailEnabled: boolean
  /** Requests served in one go for each connection, `-R`. Default 0: as many as one read of 96 KiB brings. */
  reqsPerEvent: number
  /** Whether items carry a cas number; `-C` clears it. Default true. */
  useCas: boolean
  /** Connections the kernel queues, `-b`: 0 is one, less than 0 as many as the system allows. Default 1024. */
  backlog: number
  /** What is spoken where a listener's address says nothing else, `-B`. Default 'auto', by a connection's first byte. */
  protocol: ProtocolName
  /** Whether clients of the binary protocol say who they are (SASL), `-S`. Default false. */
  sasl: boolean
  /** File of the users and their passwords, `-Y`; without `sasl` for clients of the text protocol. */
  authFile: string | undefined
  /** Another such file, for `sasl` alone: the environment variable MEMCACHED_SASL_PWDB. */
  saslPwdb: string | undefined
  /** Largest item in bytes, `-I`. Default 1 MiB. */
  itemSizeMax: number
  /** Whether a connection over the limit is told so and closed, rather than left waiting. Default true. */
  maxconnsFast: boolean
  /** Power of two of the hash table's size at the start; 0 leaves it to `maxbytes`. Default 0. */
  hashpowerInit: number
  /** Whether `flush_all` works; `-F` clears it. Default true. */
  flushEnabled: boolean
  /** Whether items may be listed; `-X` clears it. Default true. */
  dumpEnabled: boolean
  /** Whether `watch` works; `-W` clears it. Default true. */
  watchEnabled: boolean
  /** Largest chunk in bytes; larger items span several. Default 512 KiB, or what `itemSizeMax` allows. */
  slabChunkMax: number
  /**
   * The sizes in bytes of the slab classes but the last, whose chunks have `slabChunkMax`, as memcached counts them: an
   * item takes its key, flags and value and 59 bytes. Each is from `chunkSize` to `slabChunkMax` and at least 9 more than
   * the one before; 1 to 62 of them. Default none: `chunkSize` and `factor` make the classes.
   */
  slabSizes: readonly number[]
  /** Whether `stats sizes` is kept. Default false. */
  trackSizes: boolean
  /** Seconds until an idle connection is closed, 0 or less for never. Default 0. */
  idleTimeout: number
  /** Seconds in which a client has to say who it is, where it must, and to agree on TLS; 0 for any time. Default 30. */
  authTimeout: number
  /** Whether each class has HOT, WARM and COLD lists rather than one. Default true. */
  lruSegmented: boolean
  /** Whether the lists are also put in order in the background. Default true. */
  lruMaintainer: boolean
  /** Whether memory of expired items is reclaimed in the background. Default true. */
  lruCrawler: boolean
  /** The pause of the crawler in 1000 items, in microseconds. Default 100. */
  lruCrawlerSleep: number
  /** How many items of a class the crawler looks at in one run; 0 for all. Default 0. */
  lruCrawlerTocrawl: number
  /** Percent of a class's memory for its HOT list. Default 20. */
  hotLruPct: number
  /** Percent of a class's memory for its WARM list. Default 40. */
  warmLruPct: number
  /** Items idle longer than this times the age of COLD leave HOT. Default 0.2. */
  hotMaxFactor: number
  /** Items idle longer than this times the age of COLD leave WARM. Default 2. */
  warmMaxFactor: number
  /** Whether items with a short life have a list of their own. Default false, `temporaryTtl` on the command line sets it. */
  tempLru: boolean
  /** What a short life is, in seconds. Default 61. */
  temporaryTtl: number
  /** Kept for `stats settings`. Default 0. */
  tailRepairTime: number
  /** Whether pages may move between slab classes. Default true. */
  slabReassign: boolean
  /** 0: pages move only by command; 1: also by themselves; 2: also whenever a class evicts. Default 1. */
  slabAutomove: number
  /** A class gives a page to one whose items are younger when evicted than this times its own. Default 0.8. */
  slabAutomoveRatio: number
  /** Seconds over which these ages are averaged. Default 10. */
  slabAutomoveWindow: number
  /** Share of the memory that a class may keep in free chunks. Default 0.01. */
  slabAutomoveFreeratio: number
  /** Kept for `stats settings`; memslab has one keyed hash. Default 'murmur3'. */
  hashAlgorithm: string
  /** Bytes; kept for `stats settings`. Default 256 KiB. */
  watcherLogbufSize: number
  /** Bytes; kept for `stats settings`. Default 64 KiB. */
  workerLogbufSize: number
  /** Bytes; kept for `stats settings`. Default 0. */
  readBufMemLimit: number
  /**
   * Bytes for what clients have begun and not finished, of all connections together. Default 64 MiB, or a sixteenth of
   * `maxbytes` if that is more.
   */
  requestMemLimit: number
  /** Whether TCP is encrypted where a listener's address says nothing else, `-Z`. Default false. */
  sslEnabled: boolean
  /** File of the certificate and those that vouch for it, PEM. */
  sslChainCert: string | undefined
  /** File of the private key, if it is not in that of the certificate. */
  sslKey: string | undefined
  /** How the private key is written, in OpenSSL's numbers: 1 PEM, 2 DER. Default 1. */
  sslKeyFormat: number
  /** Certificates of clients: 0 not asked for, 1 asked for and checked if there is one, 2 and 3 required. Default 0. */
  sslVerifyMode: number
  /** Ciphers allowed, in OpenSSL's words. Default Node's. */
  sslCiphers: string | undefined
  /** File of who may vouch for clients, PEM. */
  sslCaCert: string | undefined
  /** Whether clients may resume a session. Default false. */
  sslSessionCache: boolean
  /** The oldest TLS: 0 is 1.0, 1 is 1.1, 2 is 1.2, 3 is 1.3. Default 2. */
  sslMinVersion: number
  /** Whether there is the command `debugtime`, which moves the time: for tests alone. Default false. */
  debugCommands: boolean
  /** What `stats settings` says of options that have no effect, by its names. Default nothing but their defaults. */
  shown: Readonly<Record<string, string>>
  /** Command line only: leave the terminal, `-d`. Default false. */
  daemonize: boolean
  /** Command line only: the user to become once the port is open, `-u`. */
  user: string | undefined
  /** Command line only: the file that gets the process id, `-P`. */
  pidFile: string | undefined
}

/** What a server is set to when it is told nothing. */
export function defaultOptions(): Options {
  return {
    maxbytes: 64 * 1024 * 1024,
    maxconns: 1024,
    port: 11211,
    udpport: 0,
    listen: [],
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
    trackSizes: false,
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
    shown: {},
    daemonize: false,
    user: undefined,
    pidFile: undefined,
  }
}

/** What the command line has in place of some of these, as memcached does. */
export const COMMAND_LINE_DEFAULTS: Partial<Options> = { threads: 4 }

/**
 * The defaults with what was given in their place, made to fit each other: `-m 1` alone lowers the largest item to half
 * a MiB, no chunk is larger than the largest item, and authentication chooses the protocol that has it.
 */
export function completeOptions(given: Partial<Options>): Options {
  const options: Options = { ...defaultOptions(), ...withoutUndefined(given) }
  // a program may have handed in anything; what is no number is complained of by checkOptions
  const sizes: readonly unknown[] = [options.maxbytes, options.itemSizeMax, options.slabChunkMax]
  if (sizes.every(size => typeof size === 'number')) fitSizes(options, given)
  if (given.protocol === undefined) options.protocol = protocolOf(options)
  return options
}

/** Lowers the largest item to what fits the memory, and the largest chunk to that; unfinished requests may have their part. */
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

/** SASL is for the binary protocol, an authentication file without it for the text protocol. */
function protocolOf({ sasl, authFile }: Options): ProtocolName {
  if (sasl) return 'binary'
  return authFile === undefined ? 'auto' : 'ascii'
}

function withoutUndefined(given: Partial<Options>): Partial<Options> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
}

/** The largest power of two that is not above `limit`: the chunks of a class must fill a page evenly. */
function largestPowerOfTwo(limit: number): number {
  return 2 ** Math.floor(Math.log2(limit))
}
