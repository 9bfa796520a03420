// Start lines, as they stand in scripts and compose files, to the memcached of this machine and to memslab: both start or
// both refuse, and then `stats settings` is the same. Only lines of which 1.6.18 and 1.6.45 make the same.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { NetConnectOpts } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import t from 'tap'

import { parseArguments } from '../../src/options/options.js'
import { settingsReport } from '../../src/options/settings.js'
import { Client } from '../support/client.js'
import { realVersion } from '../support/real.js'
import { OLDER_VERSION } from './differences.js'

/** Each starts on a Unix socket, so that no port is in the way of another program. */
const ACCEPTED = [
  '-m 128', '-m128', '-m 64m', '-m 512m', '-m 64M', '-m 512k', '-m 100x', '-m 64 MB', '--memory-limit=100', '--memory-l=100',
  '-m 64 -m 128', '-m 4294967360', '-p 0', '-p 0 -U 0', '-p x', '-p 12345', '-p 12345/tcp', '-p=12345', '-U 0', '-U off',
  '-U 12345', '-U 12345 -p 12346', '-U 12345udp', '-U 12345 -p 0', '-b 0', '-b -5', '-b 4000', '-b 4k', '-b x', '-c 100',
  '-c 100k', '-c 200x', '-R 5', '-R 5x', '-t 2', '-t 2x', '--thr 2', '--threads=3', '-n 70', '-n 70x', '-n 600000', '-f 1.5',
  '-f 1.5x', '-f 1.5e0', '-f 2', '-D /', '-D ::', '-I 2m', '-I 2M', '-I 1.5m', '-I 2xm', '-I 1048576b', '-I 512k', '-I 1024k',
  '-C -M -F -X -W -A', '-vvvvv', '--verbose=2', '--verb -v', '-B ascii', '-B auto', '-l 127.0.0.1', '-l 127.0.0.1,127.0.0.2',
  '-l 127.0.0.1 -l 127.0.0.1', '-l 127.0.0.1:12345 -l 127.0.0.1', '-l 127.0.0.1 -l 127.0.0.2', '-l 127.0.0.1;127.0.0.2', '-l ,',
  'memcached -m 100', 'foo bar -m 100', '-m 100 -- -t 2', '-o modern', '-o modern=1', '-o lru_crawler=1', '-o lru_crawler=0',
  '-o maxconns_fast=1', '-o slab_reassign=1', '-o no_maxconns_fast=0', '-o track_sizes=1',
  '-o lru_maintainer=1,no_inline_ascii_resp=1,drop_privileges=1', '-o no_lru_crawler', '-o no_slab_reassign',
  '-o no_lru_maintainer', '-o no_modern', '-o no_modern,slab_automove',
  '-o no_modern,maxconns_fast,slab_reassign=1,lru_crawler=1', '-o slab_automove', '-o slab_automove=', '-o slab_automove=2x',
  '-o no_slab_automove', '-o slab_automove_ratio=1', '-o slab_automove_ratio=0.5x', '-o slab_automove_window=20s',
  '-o slab_automove_freeratio=2', '-o slab_automove_freeratio=0.02', '-o hashpower=20', '-o hashpower=20x',
  '-o tail_repair_time=10s', '-o hash_algorithm=jenkins', '-o hash_algorithm=xxh3', '-o lru_crawler_sleep=5x',
  '-o lru_crawler_sleep=', '-o lru_crawler_tocrawl=5', '-o hot_lru_pct=10x,warm_lru_pct=70', '-o slab_sizes=100-200-300',
  '-o slab_sizes=48-57', '-n 100 -o slab_sizes=100-524288', '-o no_chunked_items', '-I 2m -o no_chunked_items',
  '-o no_chunked_items -I 2m', '-I 2m -o no_modern', '-o hot_max_factor=0.1x,warm_max_factor=3', '-o temporary_ttl=30',
  '-o temporary_ttl=x', '-o temporary_ttl=-1', '-o idle_timeout=30s', '-o idle_timeout=', '-o idle_timeout=-1',
  '-o idle_timeout=5,', '-o watcher_logbuf_size=512', '-o read_buf_mem_limit=5', '-o resp_obj_mem_limit',
  '-o resp_obj_mem_limit=5', '-o no_hashexpand=1', '-o ext_item_size=600',
  '-o ext_item_age=60,ext_low_ttl=5,ext_recache_rate=3,ext_wbuf_size=8', '-o ext_drop_unread=1',
  '-o ext_compact_under=3,ext_drop_under=4,ext_max_sleep=3000,ext_max_frag=0.5',
  '-o ext_page_size=8,ext_threads=2,ext_io_depth=2', '-o ext_max_frag=5', '-o ext_item_size=0',
  '-o ssl_wbuf_size=32,ssl_kernel_tls', '-o ssl_keyformat=1', '-o ssl_min_version=3',
]

const REFUSED = [
  '-z', '--nope', '--memory=64', '--daemon=1', '-m', '-m 0', '-m x', '-m=64', '-c 0', '-c x', '-c -1', '-R 0', '-R x', '-t 0',
  '-t x', '-n 0', '-n x', '-f 1', '-f x', '-f 1,5', '-I 1023', '-I 2x', '-I 2g', '-I 1025m -m 4096', '-I 33m', '-B foo', '-B',
  '-p 65536', '-U 65536', '-S -U 12345', '-S -B ascii', '-S -B auto', '-Z -p 0', '-N 0', '-N x', '-N 5', '-N 3 -t 2', '-o nope',
  '-o no_idle_timeout', '-o no_track_sizes', '-o idle_timeout', '-o slab_automove=3', '-o slab_automove_ratio=0',
  '-o slab_automove_ratio=1.1', '-o slab_automove_ratio=x', '-o slab_automove_window=2', '-o slab_automove_freeratio=0.1x',
  '-o hashpower=11', '-o hashpower=33', '-o hashpower', '-o tail_repair_time=9', '-o hash_algorithm=md5',
  '-o lru_crawler_sleep=1000001', '-o lru_crawler_sleep=-1', '-o lru_crawler_tocrawl=5x', '-o lru_crawler_tocrawl=',
  '-o hot_lru_pct=0', '-o hot_lru_pct=80', '-o hot_lru_pct=50,warm_lru_pct=31', '-o slab_chunk_max=3', '-o slab_sizes=100-108',
  '-o slab_sizes=10', '-o slab_sizes=100-90', '-o slab_sizes=100x', '-o slab_sizes=', '-o slab_sizes=100-524289',
  '-n 100 -o slab_sizes=99', '-o hot_max_factor=0', '-o warm_max_factor=x', '-o temporary_ttl',
  '-o temporary_ttl=9,no_lru_maintainer', '-o no_modern,temporary_ttl=9', '-o watcher_logbuf_size=64k',
  '-o read_buf_mem_limit=5m', '-o ext_item_size=600k', '-o ext_threads', '-o ext_max_frag=x', '-o ext_page_size=x',
  '-o ssl_verify_mode=4', '-o ssl_verify_mode=x', '-o ssl_min_version=4', '-o ssl_min_version=tlsv1.2', '-o ssl_wbuf_size=x',
  '-o proxy_config=x',
]

/** What only shows where somebody listens on it: `-l`, on a free port. */
const LISTENING = [
  '-l tag[abc]:127.0.0.1', '-l tag[12345678]:127.0.0.1', '-l proto[ascii]:127.0.0.1', '-l proto[a]:127.0.0.1',
  '-l proto[]:127.0.0.1', '-l proto[as]:tag[x]:127.0.0.1', '-l proto[zz]:127.0.0.1', '-l proto[n]:127.0.0.1:-1',
  '-U -1 -l 127.0.0.1', '-a 700 -l 127.0.0.1', '-a 0777 -l 127.0.0.1', '-a 8 -l 127.0.0.1', '-a 079 -l 127.0.0.1',
  '-a 1750 -l 127.0.0.1', '-a x -l 127.0.0.1',
]
const NOT_LISTENING = [
  '-l tag[123456789]:127.0.0.1', '-l tag[]:127.0.0.1', '-l 127.0.0.1:x', '-l 127.0.0.1:', '-l notls:127.0.0.1',
]

const JOBS = 4

type Settings = ReadonlyMap<string, string>

/** What memcached makes of a line: its settings, or why it has ended. */
type Outcome = Settings | { readonly code: number | null, readonly said: string }

const folder = mkdtempSync(join(tmpdir(), 'lines-'))
t.teardown(() => rmSync(folder, { recursive: true, force: true }))
const asRoot = process.getuid?.() === 0 ? ['-u', 'root'] : []
let starts = 0

/** @param where what it listens on: a Unix socket, or any free port */
async function startMemcached(words: readonly string[], where: 'socket' | 'port'): Promise<Outcome> {
  const path = join(folder, String(starts++))
  const child = spawn('memcached', [...asRoot, ...(where === 'socket' ? ['-s', path] : ['-p', '-1']), ...words], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MEMCACHED_PORT_FILENAME: path },
  })
  let said = ''
  child.stderr.on('data', text => { said += text })
  let hasEnded = false
  const ended = new Promise<void>(resolve => child.once('close', () => {
    hasEnded = true
    resolve()
  }))
  try {
    for (; !hasEnded; await sleep(5)) {
      const client = await tryToConnect(() => where === 'socket' ? { path } : { host: '127.0.0.1', port: portIn(path) })
      if (client === undefined) continue
      return await settingsBy(client).catch((cause: unknown) => {
        throw new Error(`no settings with ${words.join(' ')}`, { cause })
      })
    }
    return { code: child.exitCode, said }
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

async function tryToConnect(to: () => NetConnectOpts): Promise<Client | undefined> {
  try {
    return await Client.connect(to())
  } catch {
    return undefined
  }
}

/** memcached writes the file under another name and renames it when it is complete. */
function portIn(file: string): number {
  return Number(/^TCP INET: (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1])
}

async function settingsBy(client: Client): Promise<Settings> {
  const answer = await client.says('stats settings\r\n', /(STAT [^\r]+\r\n)+END\r\n/)
  client.stream.destroy()
  const lines = answer.toString('latin1').matchAll(/^STAT (\S+) ([^\r]*)\r$/gm)
  return new Map([...lines].map(([, name = '', value = '']) => [name, value]))
}

/** Runs through the lines, several at a time. */
async function forEach(lines: readonly string[],
  action: (line: string, words: readonly string[]) => Promise<void>): Promise<void> {
  const left = [...lines]
  const lane = async (): Promise<void> => {
    for (let line = left.shift(); line !== undefined; line = left.shift()) await action(line, line.split(' '))
  }
  await Promise.all(Array.from({ length: JOBS }, lane))
}

const skip = realVersion === OLDER_VERSION ? false : `needs memcached ${OLDER_VERSION}, installed is ${realVersion ?? 'none'}`

for (const [title, lines, where] of [
  ['both start, with the same settings', ACCEPTED, 'socket'],
  ['both start where they listen on a port', LISTENING, 'port'],
] as const) {
  t.test(title, { skip }, async t => {
    const theirDefaults = await startMemcached([], 'socket')
    if (!(theirDefaults instanceof Map)) throw new Error('memcached does not start')
    const ourDefaults = parse(['-s', 'socket']).settings
    await forEach(lines, async (line, words) => {
      const theirs = await startMemcached(words, where)
      if (!(theirs instanceof Map)) {
        t.fail(`memcached refuses "${line}"`, theirs)
        return
      }
      const { settings, problems } = parse([...(where === 'socket' ? ['-s', 'socket'] : ['-p', '-1']), ...words])
      const same = { problems: [], settings: changes(theirDefaults, theirs, theirs) }
      t.same({ problems, settings: changes(ourDefaults, settings, theirs) }, same, line)
    })
  })
}

for (const [title, lines, where] of [
  ['both refuse', REFUSED, 'socket'],
  ['both refuse where they would listen on a port', NOT_LISTENING, 'port'],
] as const) {
  t.test(title, { skip }, async t => {
    await forEach(lines, async (line, words) => {
      t.match(await startMemcached(words, where), { code: /^(1|64|71)$/ }, `memcached: ${line}`)
      t.not(parseArguments(words, {}).problems.length, 0, `memslab: ${line}`)
    })
  })
}

function parse(words: readonly string[]) {
  const { options, problems } = parseArguments(words, {})
  return { problems, settings: new Map(settingsReport(options, { tcpPort: 0, udpPort: 0, oldest: 0 })) }
}

/** The settings that a line changes: defaults differ between versions. */
function changes(defaults: Settings, settings: Settings, theirs: Settings) {
  return [...settings].filter(([name, value]) => value !== defaults.get(name) && !isOther(name, theirs))
    .map(entry => entry.join(' '))
}

/** Where it listens, the age of the oldest item, ports where any may be taken, and what 1.6.18 does not say. */
function isOther(name: string, theirs: Settings): boolean {
  return ['domain_socket', 'oldest', 'num_napi_ids'].includes(name) || name.endsWith('port') && theirs.get(name) === '-1'
}
