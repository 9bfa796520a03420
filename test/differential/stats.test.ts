// The same requests to the memcached of this machine and to memslab; then what their statistics say. Lines must be equal,
// values and all, but for those in the table, each with the reason.

import t, { type Test } from 'tap'

import { Client } from '../support/client.js'
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
    lines: /^( |items items:\d+:)(lru_crawler_starts|lru_maintainer_juggles|crawler_.*|moves_.*|reclaimed|number_(hot|warm|cold)|hits_to_(hot|warm|cold)|age.*|expired_unfetched)$/ },
  { reason: 'memcached looks at items in the hands of the connection that stores them',
    lines: /^( |items items:\d+:)lrutail_reflocked$/ },
  { reason: 'memcached counts each of its ten attempts to make room where nothing may be evicted',
    scenario: /nothing may be evicted/, lines: /^( |items items:\d+:)direct_reclaims$/ },
  { reason: 'a small cache drops what is flushed at once', lines: /^ get_flushed$/ },
  { reason: 'memcached drops at once only what was stored in the second of the flush',
    scenario: /then a flush/, lines: /^( curr_items|(items items|slabs )\S*:(number|used_chunks|free_chunks))$/ },
  { reason: 'memcached keeps the beginning of a large item in a chunk of a class of its own, and cuts the value elsewhere',
    lines: /^slabs \d+:(total_pages|used_chunks|free_chunks|total_chunks)$/ },
]

const skip = realVersion === OLDER_VERSION ? false : `needs memcached ${OLDER_VERSION}, installed is ${realVersion ?? 'none'}`

const REPORTS = ['', 'items', 'slabs', 'sizes', 'settings', 'detail dump', 'reset', '', 'items', 'slabs', 'detail dump'] as const

/** Requests, each with the end of its answer. */
type Exchange = readonly [requests: string, end: RegExp]

const value = (bytes: number): string => 'x'.repeat(bytes)
const store = (command: string, key: string, bytes: number, exptime = 0): string => `${command} ${key} 0 ${exptime} ${bytes}\r\n${value(bytes)}\r\n`
const DONE = 'version\r\n'

const EVERYTHING: readonly Exchange[] = [
  'get p:a none\r\n' + store('set', 'p:a', 5) + 'get p:a\r\nget p:a\r\ngets p:a p:a none\r\n',
  store('add', 'p:a', 1) + 'add q:b 0 0 1\r\n5\r\nreplace q:b 0 0 2\r\n10\r\n' + store('replace', 'none', 1),
  store('append', 'p:a', 3) + store('prepend', 'p:a', 3) + 'incr q:b 1\r\ndecr q:b 1\r\nincr none 1\r\ndecr none 1\r\nincr p:a 1\r\n',
  'cas p:a 0 0 1 1\r\nx\r\ncas none 0 0 1 1\r\nx\r\ntouch p:a 100\r\ntouch none 1\r\ngat 100 p:a\r\ngat 100 none\r\n',
  'delete q:b\r\ndelete none\r\nset e 0 -1 1\r\nx\r\nget e\r\n' + store('set', 'big', 2_000_000) + store('set', 'f', 100),
  'mg p:a v\r\nmg none v\r\nms m 3 T100\r\nabc\r\nmg m v t h l s c f\r\nmd m\r\nma n N0 J5\r\nma n\r\nmn\r\nme p:a\r\nmg viv N30 v\r\n',
  'mg p:a T50\r\nmd none\r\nma none\r\nms m2 2 MA\r\nab\r\nset z 0 0 3\r\nbad chunk\r\nset q 0 0 1 noreply\r\nx\r\nget q\r\nmg q k q O1\r\n',
  'bogus\r\nset bad key\r\nincr p:a x\r\nverbosity 0\r\n',
].map(requests => [requests + DONE, /[^]*VERSION [^\r]+\r\n/] as const)

/** Twice what fits, some with an end to their life, and each third of it read once. */
const TOO_MUCH: readonly Exchange[] = Array.from({ length: 80 }, (_, batch) => [
  Array.from({ length: 100 }, (_, n) => store('set', `key${batch * 100 + n}`, 900, n % 10 === 0 ? 1000 : 0) +
    (n % 3 === 0 ? `get key${batch * 100 + n}\r\n` : '')).join('') + DONE, /[^]*VERSION [^\r]+\r\n/] as const)

const SCENARIOS: readonly { title: string, options: readonly string[], same: Partial<Options>, exchanges: readonly Exchange[] }[] = [
  { title: 'one of everything', options: ['-o', 'no_lru_crawler,track_sizes', '-D', ':'],
    same: { trackSizes: true, detailEnabled: true, lruCrawler: false }, exchanges: EVERYTHING },
  { title: 'one of everything, with one flat list', options: ['-o', 'no_lru_crawler,no_lru_maintainer'],
    same: { lruCrawler: false, lruMaintainer: false, lruSegmented: false }, exchanges: EVERYTHING },
  { title: 'one of everything, with a list of short-lived items', options: ['-o', 'temporary_ttl=200,hot_lru_pct=30,warm_max_factor=1.5'],
    same: { tempLru: true, temporaryTtl: 200, hotLruPct: 30, warmMaxFactor: 1.5 }, exchanges: EVERYTHING },
  { title: 'nothing may be evicted', options: ['-M', '-o', 'no_lru_crawler'], same: { evictions: false, lruCrawler: false },
    exchanges: EVERYTHING },
  { title: 'more than there is memory for', options: ['-m', '4', '-I', '512k', '-o', 'no_lru_crawler'],
    same: { maxbytes: 4 * 2 ** 20, itemSizeMax: 2 ** 19, lruCrawler: false }, exchanges: TOO_MUCH },
  { title: 'more than there is memory for, with one flat list', options: ['-m', '4', '-I', '512k', '-o', 'no_lru_crawler,no_lru_maintainer'],
    same: { maxbytes: 4 * 2 ** 20, itemSizeMax: 2 ** 19, lruCrawler: false, lruMaintainer: false, lruSegmented: false }, exchanges: TOO_MUCH },
  { title: 'more than there is memory for, and nothing may be evicted', options: ['-M', '-m', '4', '-I', '512k', '-o', 'no_lru_crawler'],
    same: { maxbytes: 4 * 2 ** 20, itemSizeMax: 2 ** 19, evictions: false, lruCrawler: false }, exchanges: TOO_MUCH },
  { title: 'everything, and then a flush', options: [], same: {},
    exchanges: [...EVERYTHING, ['flush_all\r\nget p:a\r\n' + store('set', 'later', 10) + 'get later\r\n' + DONE, /[^]*VERSION [^\r]+\r\n/]] },
]

for (const { title, options, same, exchanges } of SCENARIOS) {
  t.test(title, { skip }, async t => {
    const { port } = await startReal(t, ['-t', '1', '-R', '1000', ...options])
    const real = await Client.connect({ host: '127.0.0.1', port })
    const { client: memslab } = await startServer(t, { ...same, reqsPerEvent: 1000 })
    for (const [requests, end] of exchanges) {
      for (const client of [real, memslab]) await client.says(requests, end)
    }
    const known = differences.filter(({ scenario }) => scenario === undefined || scenario.test(title))
    for (const report of REPORTS) compare(t, known, report, await statsOf(real, report), await statsOf(memslab, report))
    for (const client of [real, memslab]) await client.hangUp()
  })
}

/** The lines of a report: name and value. */
type Lines = ReadonlyMap<string, string>

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
