// The same requests to the memcached of this machine and to memslab; then what their statistics say. Lines must be equal,
// values and all, but for those in the table, each with the reason.

import { setTimeout as sleep } from 'node:timers/promises'

import t, { type Test } from 'tap'

import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { realVersion, startReal } from '../support/real.js'
import { startServer } from '../support/server.js'
import type { Options } from '../../src/index.js'
import { OLDER_VERSION } from './differences.js'

interface Difference {
  readonly reason: string
  /** The lines it is about, as `report name`. */
  readonly lines: RegExp
  /** The scenarios it is about, by their title; without this all of them. */
  readonly scenario?: RegExp
}

const differences: readonly Difference[] = [
  { reason: 'is about the process, its time, its ports or its version',
    lines: /^(items items:\d+:evicted_time| pid| uptime| time| version| libevent| rusage_.*|settings tcpport)$/ },
  { reason: 'memcached counts its listeners as connections that came', lines: /^ (total_connections|connection_structures)$/ },
  { reason: 'counts file descriptors or buffers, and each has its own',
    lines: /^ (reserved_fds|response_obj_count|response_obj_bytes|read_buf_count|read_buf_bytes|read_buf_bytes_free)$/ },
  { reason: 'errors are longer or shorter in another version', lines: /^ bytes_written$/ },
  { reason: 'the hash table does not grow here', lines: /^ hash_(power_level|bytes)$/ },
  { reason: 'items have a smaller header here, and pages are smaller by as much',
    lines: /^( bytes|items items:\d+:mem_requested|slabs total_malloced)$/ },
  { reason: 'is of another version', lines: /^( slab_reassign_.*|settings (slab_automove_.*|num_napi_ids|client_flags_size))$/ },
  { reason: 'memcached shows when there was the last flush_all, here it is what protocol.txt says, the age of the oldest item',
    lines: /^settings oldest$/ },
  { reason: 'is about work in the background, of which each does its own at its own time',
    lines: new RegExp('^( |items items:\\d+:)(lru_crawler_starts|lru_maintainer_juggles|crawler_.*|moves_.*|reclaimed|' +
      'number_(hot|warm|cold)|hits_to_(hot|warm|cold)|age.*|expired_unfetched)$') },
  { reason: 'memcached looks at items in the hands of the connection that stores them',
    lines: /^( |items items:\d+:)lrutail_reflocked$/ },
  { reason: 'memcached counts each of its ten attempts to make room where nothing may be evicted',
    scenario: /nothing may be evicted/, lines: /^( |items items:\d+:)direct_reclaims$/ },
  { reason: 'which items are evicted follows other rules here, and the ghost of one key may be taken for that of another',
    scenario: /^more than there is memory for$/, lines: /^( |items items:\d+:)evicted_(unfetched|nonzero)$/ },
  { reason: 'a small cache drops what is flushed at once', lines: /^ get_flushed$/ },
  { reason: 'memcached, which does so a little later, is asked until it has', scenario: /then a flush/, lines: /^ bytes_read$/ },
  { reason: 'memcached keeps the beginning of a large item in a chunk of a class of its own, and cuts the value elsewhere',
    lines: /^slabs \d+:(total_pages|used_chunks|free_chunks|total_chunks)$/ },
]

const skip = realVersion === OLDER_VERSION ? false : `needs memcached ${OLDER_VERSION}, installed is ${realVersion ?? 'none'}`

const REPORTS = ['', 'items', 'slabs', 'sizes', 'settings', 'detail dump', 'reset', '', 'items', 'slabs', 'detail dump'] as const

/** Requests, each with the end of its answer. */
type Exchange = readonly [requests: string, end: RegExp]

const value = (bytes: number): string => 'x'.repeat(bytes)
const store = (command: string, key: string, bytes: number, exptime = 0): string =>
  `${command} ${key} 0 ${exptime} ${bytes}\r\n${value(bytes)}\r\n`
const DONE = 'version\r\n'

const EVERYTHING: readonly Exchange[] = [
  'get p:a none\r\n' + store('set', 'p:a', 5) + 'get p:a\r\nget p:a\r\ngets p:a p:a none\r\n',
  store('add', 'p:a', 1) + 'add q:b 0 0 1\r\n5\r\nreplace q:b 0 0 2\r\n10\r\n' + store('replace', 'none', 1),
  store('append', 'p:a', 3) + store('prepend', 'p:a', 3) +
    'incr q:b 1\r\ndecr q:b 1\r\nincr none 1\r\ndecr none 1\r\nincr p:a 1\r\n',
  'cas p:a 0 0 1 1\r\nx\r\ncas none 0 0 1 1\r\nx\r\ntouch p:a 100\r\ntouch none 1\r\ngat 100 p:a\r\ngat 100 none\r\n',
  'delete q:b\r\ndelete none\r\nset e 0 -1 1\r\nx\r\nget e\r\n' + store('set', 'big', 2_000_000) + store('set', 'f', 100),
  'mg p:a v\r\nmg none v\r\nms m 3 T100\r\nabc\r\nmg m v t h l s c f\r\nmd m\r\nma n N0 J5\r\nma n\r\nmn\r\n' +
    'me p:a\r\nmg viv N30 v\r\n',
  'mg p:a T50\r\nmd none\r\nma none\r\nms m2 2 MA\r\nab\r\nset z 0 0 3\r\nbad chunk\r\n' +
    'set q 0 0 1 noreply\r\nx\r\nget q\r\nmg q k q O1\r\n',
  'bogus\r\nset bad key\r\nincr p:a x\r\nverbosity 0\r\n',
].map(requests => [requests + DONE, /[^]*VERSION [^\r]+\r\n/] as const)

/** Twice what fits, some with an end to their life, and each third of it read once. */
const TOO_MUCH: readonly Exchange[] = Array.from({ length: 80 }, (_, batch) => [
  Array.from({ length: 100 }, (_, n) => store('set', `key${batch * 100 + n}`, 900, n % 10 === 0 ? 1000 : 0) +
    (n % 3 === 0 ? `get key${batch * 100 + n}\r\n` : '')).join('') + DONE, /[^]*VERSION [^\r]+\r\n/] as const)

interface Scenario {
  readonly title: string
  readonly options: readonly string[]
  readonly same: Partial<Options>
  readonly exchanges: readonly Exchange[]
}

const SCENARIOS: readonly Scenario[] = [
  { title: 'one of everything', options: ['-o', 'no_lru_crawler,track_sizes', '-D', ':'],
    same: { trackSizes: true, detailEnabled: true, lruCrawler: false }, exchanges: EVERYTHING },
  { title: 'one of everything, with one flat list', options: ['-o', 'no_lru_crawler,no_lru_maintainer'],
    same: { lruCrawler: false, lruMaintainer: false, lruSegmented: false }, exchanges: EVERYTHING },
  { title: 'one of everything, with a list of short-lived items',
    options: ['-o', 'temporary_ttl=200,hot_lru_pct=30,warm_max_factor=1.5'],
    same: { tempLru: true, temporaryTtl: 200, hotLruPct: 30, warmMaxFactor: 1.5 }, exchanges: EVERYTHING },
  { title: 'nothing may be evicted', options: ['-M', '-o', 'no_lru_crawler'], same: { evictions: false, lruCrawler: false },
    exchanges: EVERYTHING },
  { title: 'more than there is memory for', options: ['-m', '4', '-I', '512k', '-o', 'no_lru_crawler'],
    same: { maxbytes: 4 * 2 ** 20, itemSizeMax: 2 ** 19, lruCrawler: false }, exchanges: TOO_MUCH },
  { title: 'more than there is memory for, with one flat list',
    options: ['-m', '4', '-I', '512k', '-o', 'no_lru_crawler,no_lru_maintainer'],
    same: { maxbytes: 4 * 2 ** 20, itemSizeMax: 2 ** 19, lruCrawler: false, lruMaintainer: false, lruSegmented: false },
      exchanges: TOO_MUCH },
  { title: 'more than there is memory for, and nothing may be evicted',
    options: ['-M', '-m', '4', '-I', '512k', '-o', 'no_lru_crawler'],
    same: { maxbytes: 4 * 2 ** 20, itemSizeMax: 2 ** 19, evictions: false, lruCrawler: false }, exchanges: TOO_MUCH },
  { title: 'everything, and then a flush', options: [], same: {},
    exchanges: [...EVERYTHING,
      ['flush_all\r\nget p:a\r\n' + store('set', 'later', 10) + 'get later\r\n' + DONE, /[^]*VERSION [^\r]+\r\n/]] },
]

for (const { title, options, same, exchanges } of SCENARIOS) {
  t.test(title, { skip }, async t => {
    const { port } = await startReal(t, ['-t', '1', '-R', '1000', ...options])
    const real = await Client.connect({ host: '127.0.0.1', port })
    const { client: memslab } = await startServer(t, { ...same, reqsPerEvent: 1000 })
    for (const [requests, end] of exchanges) {
      for (const client of [real, memslab]) await client.says(requests, end)
    }
    if (/then a flush/.test(title)) await comesTo(real, { curr_items: Number((await statsOf(memslab, '')).get('curr_items')) })
    const known = differences.filter(({ scenario }) => scenario === undefined || scenario.test(title))
    for (const report of REPORTS) compare(t, known, report, await statsOf(real, report), await statsOf(memslab, report))
    for (const client of [real, memslab]) await client.hangUp()
  })
}

/** The lines of a report: name and value. */
type Lines = ReadonlyMap<string, string>

// What is counted in the background. Time goes by until memcached has come to an end with it; here it is a clock that is set.

/** The counters that both have to have the same, whatever goes on beside them. */
const IN_BACKGROUND = ['curr_items', 'total_items', 'get_expired', 'get_flushed', 'get_hits', 'get_misses', 'reclaimed',
  'expired_unfetched',
  'evictions', 'crawler_reclaimed', 'crawler_items_checked', 'lru_crawler_starts', 'moves_to_cold', 'moves_to_warm'] as const
type Counted = Readonly<Partial<Record<typeof IN_BACKGROUND[number] | 'lru_crawler_running', number>>>

/** Requests, how many seconds both have for what follows from them, and what memcached has counted when it has done it. */
type Episode = readonly [requests: string, seconds: number, until: Counted]

/** Items of the same size. */
const many = (count: number, name: string, exptime: number): string =>
  Array.from({ length: count }, (_, n) => `set ${name}${100 + n} 0 ${exptime} 1\r\nv\r\n`).join('')

/** What ends does so when memcached has long moved it to COLD, and is reclaimed two seconds later at the most. */
const TTL = 4
interface EpisodicScenario {
  readonly title: string
  readonly options?: readonly string[]
  readonly same?: Partial<Options>
  readonly episodes: readonly Episode[]
}

const EPISODES: readonly EpisodicScenario[] = [
  { title: 'a class that is nearly empty', episodes: [[many(1, 'k', 0), 2, { moves_to_cold: 1 }]] },
  { title: 'a hundred items', episodes: [[many(100, 'k', 0), 2, { moves_to_cold: 100 }]] },
  { title: 'an item that is in use', episodes: [
    [many(1, 'k', 0) + 'get k100\r\nget k100\r\n', 3, { moves_to_warm: 1, moves_to_cold: 1 }],
    ['get k100\r\n', 3, { moves_to_warm: 2, moves_to_cold: 2 }]] },
  { title: 'items that have ended', episodes: [
    [many(10, 'k', TTL) + many(5, 'z', 0), 2, { moves_to_cold: 15 }], ['', TTL, { reclaimed: 10 }]] },
  { title: 'items that have ended, and nothing may be evicted', options: ['-M'], same: { evictions: false },
    episodes: [[many(10, 'k', TTL), 2, { moves_to_cold: 10 }], ['', TTL, { reclaimed: 10 }]] },
  { title: 'items that have ended in a list of their own', options: ['-o', 'temporary_ttl=10'],
    same: { tempLru: true, temporaryTtl: 10 },
    episodes: [[many(10, 'k', TTL) + many(1, 'z', 0), 2, { moves_to_cold: 1 }], ['', TTL, { reclaimed: 10 }]] },
  { title: 'items that have ended among others, and a crawl', episodes: [
    [many(1, 'a', 0) + many(10, 'k', TTL) + many(1, 'z', 0), 2, { moves_to_cold: 12 }],
    ['', TTL, {}],
    ['get k100\r\nset k101 0 0 1\r\nv\r\nlru_crawler crawl all\r\n', 2, { crawler_reclaimed: 8, moves_to_cold: 13 }]] },
  { title: 'a flush', episodes: [
    [many(10, 'k', 0) + 'get k100\r\n', 2, { moves_to_cold: 10 }], ['flush_all\r\n', 2, { reclaimed: 10 }]] },
  { title: 'items that have ended in one flat list', options: ['-o', 'no_lru_maintainer'],
    same: { lruMaintainer: false, lruSegmented: false },
    episodes: [[many(12, 'k', 1), 4, {}], [many(1, 'n', 0), 0, {}], [many(1, 'n', 0), 0, {}],
      ['get k110\r\nset k111 0 0 1\r\nv\r\n', 0, {}]] },
]

t.test('what is counted in the background', { skip }, async t => {
  await Promise.all(EPISODES.map(async ({ title, options = [], same = {}, episodes }) => {
    const { port } = await startReal(t, ['-t', '1', ...options])
    const real = await Client.connect({ host: '127.0.0.1', port })
    const { client: memslab, clock } = await startServer(t, same)
    // the crawler looks around once at the start, before there is anything to see
    if (same.lruMaintainer !== false) await comesTo(real, { lru_crawler_starts: 1, lru_crawler_running: 0 })
    for (const [requests, seconds, counted] of episodes) {
      for (const client of [real, memslab]) await client.says(requests + DONE, /[^]*VERSION [^\r]+\r\n/)
      clock.advance(seconds)
      // memcached has no clock but the machine's
      await sleep(seconds * 1000)
      await comesTo(real, counted)
      const [ours, theirs] = [await statsOf(memslab, ''), await statsOf(real, '')]
      const of = (side: Lines) => IN_BACKGROUND.map(name => `${name} ${side.get(name)}`)
      t.same(of(ours), of(theirs), title)
    }
    for (const client of [real, memslab]) await client.hangUp()
  }))
})

/** Waits until a server counts as much as this. */
async function comesTo(client: Client, counted: Counted): Promise<void> {
  await until(`it counts ${JSON.stringify(counted)}`, async () => {
    const lines = await statsOf(client, '')
    return Object.entries(counted).every(([name, count]) => lines.get(name) === String(count))
  })
}

async function statsOf(client: Client, report: string): Promise<Lines> {
  const answer = String(await client.says(`stats ${report}\r\n`, /[^]*(END|RESET)\r\n/))
  const lines = answer.split('\r\n').filter(line => line !== '')
  return new Map(lines.map(line => {
    const [, word = '', name = '', text = ''] = /^(\S+) ?(\S*) ?(.*)$/.exec(line) ?? []
    return word === 'STAT' ? [name, text] : [line, '']
  }))
}

function compare(t: Test, known: readonly Difference[], report: string, real: Lines, memslab: Lines): void {
  const names = [...new Set([...real.keys(), ...memslab.keys()])]
    .filter(name => !known.some(({ lines }) => lines.test(`${report} ${name}`)))
  const of = (side: Lines): Record<string, string | undefined> =>
    Object.fromEntries(names.map(name => [name, side.get(name)]))
  t.same(of(memslab), of(real), `stats ${report}`)
}
