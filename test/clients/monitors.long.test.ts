// What watches a cache by day and night: programs that ask for statistics, and are to find all they look for.

import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { PHP, runClientProgram, skipWithout } from './programs.js'
import { spawnServer, type SpawnedServer } from './server.js'
import { until } from '../support/patience.js'

const DAMEMTOP = '/usr/share/memcached/scripts/damemtop'
const MUNIN_PLUGIN = '/usr/share/munin/plugins/memcached_'
const NAGIOS_CHECK = '/usr/lib/nagios/plugins/check_memcached'
const COLLECTD_PLUGIN = '/usr/lib/collectd/memcached.so'

t.test('web pages that split the lines of stats, such as phpMemcachedAdmin', t => runClientProgram(t, {
  language: PHP, libraries: ['standard'], file: 'admin.php',
}))

/** What Prometheus' memcached exporter makes metrics of, in each table. */
const EXPORTED: readonly (readonly [table: string, names: string])[] = [
  ['', `uptime time version rusage_user rusage_system bytes limit_maxbytes curr_items total_items bytes_read bytes_written
    curr_connections total_connections rejected_connections conn_yields listen_disabled_num evictions reclaimed store_too_large
    store_no_memory lru_crawler_starts direct_reclaims crawler_items_checked crawler_reclaimed moves_to_cold moves_to_warm
    moves_within_lru accepting_conns get_hits get_misses delete_hits delete_misses incr_hits incr_misses decr_hits decr_misses
    cas_hits cas_misses cas_badval touch_hits touch_misses cmd_flush cmd_set`],
  [' settings', `maxconns lru_crawler lru_crawler_sleep lru_crawler_tocrawl lru_maintainer_thread hot_lru_pct warm_lru_pct
    hot_max_factor warm_max_factor`],
  [' items', `items:1:number items:1:age items:1:hits_to_hot items:1:hits_to_warm items:1:hits_to_cold items:1:hits_to_temp
    items:1:crawler_reclaimed items:1:evicted items:1:evicted_nonzero items:1:evicted_time items:1:evicted_unfetched
    items:1:expired_unfetched items:1:outofmemory items:1:reclaimed items:1:tailrepairs items:1:mem_requested
    items:1:moves_to_cold items:1:moves_to_warm items:1:moves_within_lru items:1:number_hot items:1:number_warm
    items:1:number_cold items:1:age_hot items:1:age_warm`],
  [' slabs', `total_malloced 1:chunk_size 1:chunks_per_page 1:total_pages 1:total_chunks 1:used_chunks 1:free_chunks
    1:free_chunks_end 1:get_hits 1:cmd_set 1:delete_hits 1:incr_hits 1:decr_hits 1:cas_hits 1:cas_badval 1:touch_hits`],
]

t.test('Prometheus\' exporter finds all that it makes metrics of', async t => {
  const client = await (await startUsed()).client()
  for (const [table, names] of EXPORTED) {
    const answer = (await client.says(`stats${table}\r\n`, /^(STAT [^]*)END\r\n$/)).toString('latin1')
    const rows = new Map(Array.from(answer.matchAll(/^STAT (\S+) (.*)\r$/gm), ([, name, value]) => [name, value]))
    for (const name of names.split(/\s+/)) {
      if (name === 'version') t.match(rows.get(name), /^\d+\.\d+\.\d+$/)
      else if (name.startsWith('rusage')) t.match(rows.get(name), /^\d+\.\d{6}$/, name)
      else if (/^lru_(crawler|maintainer_thread)$/.test(name)) t.match(rows.get(name), /^(yes|no)$/, name)
      else t.match(rows.get(name), /^\d+(\.\d+)?$/, `stats${table} ${name}`)
    }
  }
  await client.hangUp()
})

let shared: Promise<SpawnedServer> | undefined

/** The server of them all, with two items of 10 and 2000 bytes, 3 hits and 1 miss. */
async function startUsed(): Promise<SpawnedServer> {
  const server = await (shared ??= spawnServer(t))
  const client = await server.client()
  await client.says('flush_all\r\nstats reset\r\n', 'OK\r\nRESET\r\n')
  await client.says(`set small 0 0 10\r\n${'s'.repeat(10)}\r\nset large 0 600 2000\r\n${'l'.repeat(2000)}\r\n`,
    'STORED\r\nSTORED\r\n')
  await client.says('get small large missing small\r\n', /^(VALUE [^]*)END\r\n$/)
  await client.hangUp()
  return server
}

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {},
  input = ''): Promise<{ code: unknown, output: string }> {
  return new Promise(resolve => {
    const options = { encoding: 'utf8', env: { ...process.env, ...env } } as const
    const child = execFile(command, args, options, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code ?? error.signal, output: stdout + stderr })
    })
    child.stdin!.end(input)
  })
}

function skipWithoutFile(path: string, what: string): string | false {
  return existsSync(path) ? false : `${what} is not installed`
}

t.test('munin\'s plugin draws all its graphs', {
  skip: skipWithoutFile(MUNIN_PLUGIN, 'munin-plugins-extra') || skipWithoutPerl('Cache::Memcached'),
}, async t => {
  const server = await startUsed()
  const folder = t.testdir()
  for (const [graph, names] of [
    ['rates', { cache_hits: 3, cache_misses: 1, cmd_get: 4, cmd_set: 2, total_items: 2 }],
    ['counters', { curr_items: 2 }],
    ['bytes', {}],
  ] as const) {
    const plugin = join(folder, `memcached_${graph}`)
    symlinkSync(MUNIN_PLUGIN, plugin)
    const { code, output } = await run('perl', [plugin], { host: '127.0.0.1', port: String(server.port) })
    t.equal(code, 0)
    t.notMatch(output, /\.value (?!\d+$)/m, 'every value is a number')
    for (const [name, value] of Object.entries(names)) t.match(output, new RegExp(`^memcache_${name}.value ${value}$`, 'm'))
  }
})

t.test('nagios\' check is content', { skip: skipWithoutFile(NAGIOS_CHECK, 'monitoring-plugins-contrib') }, async t => {
  const server = await startUsed()
  const check = (): ReturnType<typeof run> => run(NAGIOS_CHECK, ['-H', '127.0.0.1', '-p', String(server.port)])
  t.match(await check(), { code: 0, output: /^OK: / })
  t.match(await check(), { code: 0, output: /^OK: / }, 'with what it has stored in the cache about the last time')
})

t.test('damemtop shows what its columns ask for', {
  skip: skipWithoutFile(DAMEMTOP, 'damemtop') || skipWithoutPerl('AnyEvent', 'YAML', 'Term::ReadKey') || skipWithout('script'),
}, async t => {
  const server = await startUsed()
  const columns = ['hostname', 'all_version', 'all_fill_rate', 'hit_rate', 'evictions', 'all_1:total_pages', 'all_items:1:number',
    'all_get_hits']
  const settings = ['delay: 1', 'mode: t', 'top_mode:', '    sort_column: "hostname"', '    sort_order: "asc"', '    columns:',
    ...columns.map(column => `        - "${column}"`), 'servers:', `    - ${server.address}`, '']
  const home = t.testdir({ '.damemtop': { 'damemtop.yaml': settings.join('\n') } })
  const child = spawn('script', ['-qec', `stty cols 200 rows 30; perl ${DAMEMTOP}`, '/dev/null'],
    { stdio: ['pipe', 'pipe', 'ignore'], env: { ...process.env, HOME: home, TERM: 'xterm' } })
  const ended = once(child, 'close')
  let shown = ''
  child.stdout.setEncoding('utf8').on('data', text => { shown += text })
  const row = new RegExp(`^${server.address} +1\\.6\\.\\d+ +[\\d.e-]+ +(NA|[\\d.]+) +0 +1 +1 +3 *\\r?$`, 'm')
  await until('the server\'s row is there', () => row.test(shown) || child.exitCode !== null)
  t.match(shown, row)
  child.stdin.end('q')
  child.kill()
  await ended
})

t.test('collectd\'s plugin reads all it knows', {
  skip: skipWithoutFile(COLLECTD_PLUGIN, 'collectd-core') || skipWithout('collectd'),
}, async t => {
  const server = await startUsed()
  // not in t.testdir(): its name is too odd for collectd
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'collectd.conf')
  writeFileSync(file, [
    `BaseDir "${folder}"`, `PIDFile "${folder}/pid"`, 'PluginDir "/usr/lib/collectd"', 'TypesDB "/usr/share/collectd/types.db"',
    'Hostname "here"', 'Interval 1', 'LoadPlugin memcached', 'LoadPlugin csv', '<Plugin csv>', `DataDir "${folder}"`, '</Plugin>',
    '<Plugin memcached>', '<Instance "x">', 'Host "127.0.0.1"', `Port "${server.port}"`, '</Instance>', '</Plugin>', '',
  ].join('\n'))
  const child = spawn('collectd', ['-f', '-C', file], { stdio: 'ignore' })
  const ended = once(child, 'close')
  let isEnded = false
  void ended.then(() => { isEnded = true })
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  const wanted = ['df-cache', 'memcached_command-get', 'memcached_command-set', 'memcached_connections-current',
    'memcached_items-current',
    'memcached_octets', 'memcached_ops-evictions', 'memcached_ops-hits', 'memcached_ops-misses', 'ps_count', 'ps_cputime',
    'uptime']
  const found = (): string[] => {
    const path = join(folder, 'here', 'memcached-x')
    return existsSync(path) ? readdirSync(path) : []
  }
  const missing = (): string[] => wanted.filter(name => !found().some(file => file.startsWith(name)))
  await until('all of them are there', () => missing().length === 0 || isEnded)
  t.same(missing(), [])
})

function skipWithoutPerl(...libraries: string[]): string | false {
  const missing = libraries.find(library => spawnSync('perl', ['-e', `use ${library}`]).status !== 0)
  return missing === undefined ? false : `no perl with ${missing} is installed`
}
