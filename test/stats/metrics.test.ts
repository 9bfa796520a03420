// The metrics, beside what `stats` answers: names, types and labels are those of the memcached exporter, as exporter.txt has them,
// and the values those of the statistics. promtool, if it is there, reads them too.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { Counter } from '../../src/stats/counters.js'
import { ownRows, type Statistic } from '../../src/stats/rows.js'
import { type Options } from '../../src/options/options.js'
import { scrapeOf, type Scrape } from '../support/metrics.js'
import { inProject } from '../support/places.js'
import { type Ends } from '../support/real.js'
import { startSessions, type SessionHost } from '../support/session.js'

// before the metrics are made, at the first scrape
const invented: Statistic = { name: 'invented', kind: 'counter', scope: 'thread', counter: Counter.CmdFlush, help: 'Made up here' }
;(ownRows as Statistic[]).push(invented)

/** A line of exporter.txt: a metric, and where its samples come from. */
const EXPORTED = readFileSync(inProject('test/stats/exporter.txt'), 'utf8').trim().split('\n').map(line => {
  const [name = '', type = '', labels = '', from = ''] = line.split('|')
  return { name: `memcached_${name}`, type: type === 'c' ? 'counter' : 'gauge', labels, from }
})

/** What a collector of processes has beside them. */
const PROCESS = ['cpu_seconds_total', 'open_fds', 'max_fds', 'virtual_memory_bytes', 'resident_memory_bytes', 'start_time_seconds']
  .map(name => `memcached_process_${name}`)

const isLinux = process.platform === 'linux'

/** A server with items in three classes, after all sorts of commands. */
async function startUsed(t: Ends, options: Partial<Options> = {}): Promise<SessionHost> {
  const host = await startSessions(t, options)
  const client = await host.connect()
  await client.send(Buffer.from('set a 0 0 1\r\n1\r\nset b 0 0 2000\r\n' + 'x'.repeat(2000) + '\r\nset c 0 0 600000\r\n' +
    'x'.repeat(600_000) + '\r\ngets a\r\nget a none b\r\nincr a 1\r\nincr none 1\r\ndecr a 1\r\ndecr none 1\r\n' +
    'cas a 0 0 1 99999\r\n2\r\ncas none 0 0 1 1\r\n2\r\nset d 0 0 1\r\nd\r\nms d 1 C999 T0\r\ne\r\nms d 1 MS\r\nf\r\n' +
    'touch a 0\r\ntouch none 0\r\ndelete d\r\ndelete d\r\nset large 0 0 2000000\r\n' + 'x'.repeat(2_000_000) + '\r\n'))
  host.clock.advance(7)
  await client.send(Buffer.from('get b\r\nset f 0 0 1\r\nf\r\nflush_all 1000\r\n'))
  return host
}

/** The rows of a report, without a request that would be counted. */
function statsOf(host: SessionHost, name: '' | 'settings' | 'items' | 'slabs'): ReadonlyMap<string, string> {
  return new Map(Array.from(host.server.host.report(name), ([row, value]) => [row, String(value)]))
}

function scrape(host: SessionHost): Scrape { return scrapeOf(host.server.host.metrics()) }

/** The samples that the exporter would make of a server's answers. */
function exporterWould(host: SessionHost): Map<string, number> {
  const [stats, settings] = [statsOf(host, ''), statsOf(host, 'settings')]
  const tables = { items: statsOf(host, 'items'), slabs: statsOf(host, 'slabs') }
  const samples = new Map<string, number>()
  for (const { name, labels, from } of EXPORTED) {
    const [, table, expression = ''] = /^(?:(items|slabs) N:|settings )?(.*)$/.exec(from)!
    if (name === 'memcached_up') samples.set(name, 1)
    else if (name === 'memcached_version') samples.set(`${name}{version="${stats.get('version')}"}`, 1)
    else if (name.startsWith('memcached_lru_crawler_') && from.startsWith('settings ')) {
      if (settings.get('lru_crawler') === 'yes') put(samples, name, settings, expression)
    } else if (from.startsWith('settings ')) put(samples, name, settings, expression)
    else if (labels === '') put(samples, name, stats.has(expression) ? stats : tables.slabs, expression)
    else if (table === undefined) for (const [sample, value] of commandSamples(stats, true)) samples.set(name + sample, value)
    else for (const slab of classesOf(tables[table as 'items' | 'slabs'])) {
      const rows = rowsOfClass(tables[table as 'items' | 'slabs'], slab)
      if (labels === 'slab') put(samples, `${name}{slab="${slab}"}`, rows, expression.split(' ')[0]!)
      else if (labels === 'slab,lru') {
        for (const [list, label] of [['hot', 'hot'], ['warm', 'warm'], ['cold', 'cold'], ['temp', 'temporary']]) {
          put(samples, `${name}{slab="${slab}",lru="${label}"}`, rows, `hits_to_${list}`)
        }
      } else {
        for (const [sample, value] of commandSamples(rows, false)) samples.set(name + sample.replace('{', `{slab="${slab}",`), value)
      }
    }
  }
  return samples
}

function put(samples: Map<string, number>, name: string, rows: ReadonlyMap<string, string>, row: string): void {
  const value = rows.get(row)
  if (value !== undefined) samples.set(name, value === 'yes' ? 1 : value === 'no' ? 0 : Number(value))
}

function commandSamples(rows: ReadonlyMap<string, string>, isWhole: boolean): Map<string, number> {
  const samples = new Map<string, number>()
  const numberOf = (row: string): number => Number(rows.get(row))
  for (const command of ['get', 'delete', 'incr', 'decr', 'cas', 'touch']) {
    samples.set(`{command="${command}",status="hit"}`, numberOf(`${command}_hits`))
    if (isWhole) samples.set(`{command="${command}",status="miss"}`, numberOf(`${command}_misses`))
  }
  samples.set('{command="cas",status="badval"}', numberOf('cas_badval'))
  const sets = numberOf('cmd_set') - numberOf('cas_hits') - numberOf('cas_badval')
  samples.set('{command="set",status="hit"}', isWhole ? sets - numberOf('cas_misses') : sets)
  if (isWhole) samples.set('{command="flush",status="hit"}', numberOf('cmd_flush'))
  return samples
}

function classesOf(rows: ReadonlyMap<string, string>): string[] {
  return [...new Set([...rows.keys()].flatMap(row => /(\d+):/.exec(row)?.[1] ?? []))]
}

function rowsOfClass(rows: ReadonlyMap<string, string>, slab: string): ReadonlyMap<string, string> {
  return new Map([...rows].flatMap(([row, value]) => row.replace('items:', '').startsWith(`${slab}:`)
    ? [[row.replace('items:', '').slice(slab.length + 1), value]] : []))
}

const CPU = /^memcached_process_(user|system)_cpu/

for (const [title, options] of Object.entries<Partial<Options>>({
  'a server': {},
  'without a crawler': { lruCrawler: false },
  'with a temporary list': { tempLru: true, temporaryTtl: 10 },
  'without maintenance and segments': { lruMaintainer: false, lruSegmented: false, slabReassign: false, slabAutomove: 0 },
})) {
  t.test(`${title} has the samples that the exporter would make of its answers, with their types`, async t => {
    const host = await startUsed(t, options)
    const expected = exporterWould(host)
    const { samples, types } = scrape(host)
    const others = [...PROCESS, 'memcached_exporter_build_info']
    const shown = new Map([...samples].filter(([name]) =>
      name.startsWith('memcached_') && !others.includes(name.replace(/\{.*/, ''))))
    for (const map of [expected, shown]) for (const name of map.keys()) if (CPU.test(name)) map.set(name, 0)
    t.same(Object.fromEntries(shown), Object.fromEntries(expected))
    t.ok(shown.size > 140, `${shown.size} samples`)
    for (const { name, type } of EXPORTED) if (types.has(name)) t.equal(types.get(name), type, name)
  })
}

t.test('each metric of the table is there, with lists, crawler and all', async t => {
  const { types } = scrape(await startUsed(t, { tempLru: true, temporaryTtl: 10 }))
  t.same(EXPORTED.filter(({ name }) => !types.has(name)).map(({ name }) => name), [])
})

t.test('the process has its metrics, and the build its versions', { skip: !isLinux && 'only Linux says all of it' }, async t => {
  const { samples, types } = scrape(await startUsed(t))
  t.same(PROCESS.filter(name => !samples.has(name)), [])
  const valueOf = (name: string): number => samples.get(`memcached_process_${name}`)!
  t.equal(types.get('memcached_process_cpu_seconds_total'), 'counter')
  const { user, system } = process.cpuUsage()
  t.ok(valueOf('cpu_seconds_total') > 0.01 && valueOf('cpu_seconds_total') <= (user + system) / 1e6)
  t.ok(valueOf('open_fds') > 5 && valueOf('open_fds') <= valueOf('max_fds'))
  t.ok(valueOf('resident_memory_bytes') > 20e6 && valueOf('resident_memory_bytes') < valueOf('virtual_memory_bytes'))
  t.ok(Math.abs(valueOf('start_time_seconds') + process.uptime() - Date.now() / 1000) < 1)
  const { version } = JSON.parse(readFileSync(inProject('package.json'), 'utf8')) as { version: string }
  t.equal(samples.get(`memcached_exporter_build_info{version="${version}"}`), 1)
  t.equal(samples.get(`memslab_build_info{version="${version}",node="${process.versions.node}"}`), 1)
})

t.test('what the exporter does not know has a name of memslab\'s, also a counter that is new', async t => {
  const host = await startUsed(t)
  const { samples, types } = scrape(host)
  t.equal(samples.get('memslab_invented_total'), 1, 'one flush')
  t.equal(types.get('memslab_invented_total'), 'counter')
  t.equal(samples.get('memslab_slabs_moved_total'), 0)
  t.equal(samples.get('memslab_active_slabs'), 4)
  t.equal(samples.get('memslab_lock_waits_total'), 0)
  t.equal(samples.get('memslab_refused_writes_total{reason="too_large"}'), 1)
  t.equal(samples.get('memslab_refused_writes_total{reason="bad_data"}'), 0)
  t.equal(types.get('memslab_lock_sleep_seconds_total'), 'counter')
  t.equal(samples.get('memslab_slab_evicted_active_total{slab="1"}'), 0)
  t.notOk(statsOf(host, '').has('invented'), 'stats has memcached\'s rows alone')
})

t.test('how long requests take is a histogram for each command', async t => {
  const { samples, types } = scrape(await startUsed(t, { hotkeys: 1 }))
  const name = 'memslab_command_duration_seconds'
  t.equal(types.get(name), 'histogram')
  t.equal(samples.get(`${name}_count{command="get"}`), 2)
  t.equal(samples.get(`${name}_bucket{command="get",le="+Inf"}`), 2)
  const buckets = [...samples].filter(([sample]) => sample.startsWith(`${name}_bucket{command="get"`)).map(([, count]) => count)
  t.same(buckets, [...buckets].sort((a, b) => a - b), 'each counts those below it')
  const sum = samples.get(`${name}_sum{command="get"}`)!
  t.ok(sum > 0 && sum < 10)
})

t.test('the hit ratio with more or less memory is that of `stats sizing`', async t => {
  const host = await startUsed(t)
  const rows = new Map([...host.server.host.reportOwn('sizing')].flatMap(part => [...part]))
  const { samples } = scrape(host)
  t.ok(Number(rows.get('requests')) > 0)
  for (const memory of ['0.25', '0.5', '1', '2', '4']) {
    t.equal(samples.get(`memslab_sizing_hit_ratio{memory="${memory}"}`), Number(rows.get(`${memory}:hit_ratio`)))
  }
  t.notOk(scrape(await startSessions(t)).types.has('memslab_sizing_hit_ratio'), 'of an empty server it is not known')
})

t.test('what `stats` leaves out has no metric', async t => {
  const moving = 'memslab_slabs_moved_total'
  t.ok(scrape(await startUsed(t)).types.has(moving))
  t.notOk(scrape(await startUsed(t, { slabReassign: false, slabAutomove: 0 })).types.has(moving))
})

t.test('an empty server has no metrics of classes', async t => {
  const { types } = scrape(await startSessions(t))
  t.notOk(types.has('memcached_slab_current_items'))
  t.notOk(types.has('memcached_slab_commands_total'))
  t.ok(types.has('memcached_malloced_bytes'))
})

/** The counters that the exporter has always called so. */
const COMPLAINTS = ['slab_items_evicted_time_seconds', 'slab_items_moves_to_cold', 'slab_items_moves_to_warm',
  'slab_items_moves_within_lru', 'slab_mem_requested_bytes', 'uptime_seconds']
  .map(name => `memcached_${name} counter metrics should have "_total" suffix`)

const hasPromtool = spawnSync('promtool', ['--version']).status === 0

t.test('promtool complains of the six counters alone', { skip: !hasPromtool && 'promtool is not installed' }, async t => {
  for (const options of [{}, { tempLru: true, temporaryTtl: 10, idleTimeout: 60, hotkeys: 1 }]) {
    const host = await startUsed(t, options)
    const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'],
      { input: host.server.host.metrics(), encoding: 'utf8' })
    t.same((stdout + stderr).trim().split('\n').sort(), COMPLAINTS)
  }
})
