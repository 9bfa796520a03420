// Command lines and what becomes of them; the tables made out of the rows; `stats settings` against the recordings.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import t from 'tap'
import {
  checkOptions, completeOptions, defaultOptions, helpText, optionRows, optionSections, optionTable, parseAddress, parseArguments,
  readMemory, type Options,
} from '../src/options/options.js'
import { settingsReport } from '../src/options/settings.js'
import './support/fresh.js'
import { inProject } from './support/places.js'

const KIB = 1024
const MIB = 1024 * KIB

function parse(line: string, env: Record<string, string> = {}) {
  return parseArguments(line === '' ? [] : line.split(' '), env)
}

function read(path: string): string {
  return readFileSync(inProject(path), 'utf8')
}

/** As many classes as there can be beside the largest. */
const LIST_OF_62 = Array.from({ length: 62 }, (_, index) => 100 * (index + 1))

/** A line and the fields it changes. */
const GOOD: readonly [line: string, changed: Partial<Options>][] = [
  ['', {}],
  ['-m 256', { maxbytes: 256 * MIB }],
  ['-m256', { maxbytes: 256 * MIB }],
  ['--memory-limit=256', { maxbytes: 256 * MIB }],
  ['--memory-limit 256', { maxbytes: 256 * MIB }],
  ['-m 1', { maxbytes: MIB, itemSizeMax: 512 * KIB }],
  ['-m 16384', { maxbytes: 16384 * MIB, requestMemLimit: 1024 * MIB }],
  ['-m 64 -m 128', { maxbytes: 128 * MIB }],
  ['-p 0 -s /run/m.sock', { port: 0, socketPath: '/run/m.sock' }],
  ['-p -1', { port: -1 }],
  ['--port -1', { port: -1 }],
  ['-p 65535', { port: 65535 }],
  ['-m 512m', { maxbytes: 512 * MIB }],
  ['-m 64M', {}],
  ['-m 128MB', { maxbytes: 128 * MIB }],
  ['--memory-l 128', { maxbytes: 128 * MIB }],
  ['--thr=2', { threads: 2 }],
  ['-n 600000', { chunkSize: 600000 }],
  ['-b 0', { backlog: 0 }],
  ['-b -5', { backlog: -5 }],
  ['-o ', {}],
  ['-U 0', {}],
  ['-U 11300', { port: 11300, udpport: 11300 }],
  ['-U 11300 -p 11301', { port: 11301, udpport: 11300 }],
  ['-U -1', { port: -1, udpport: -1 }],
  ['-U 11300 -p 0', { port: 0, udpport: 11300 }],
  ['-p 0 -U -1', { port: 0, udpport: -1 }],
  ['-s /run/m.sock -a 0777', { socketPath: '/run/m.sock', umask: 0o777 }],
  ['-A', { shutdownCommand: true }],
  ['-l 0.0.0.0', { listen: ['0.0.0.0'] }],
  ['-l 127.0.0.1:11311,::1 -l [::1]:11312', { listen: ['127.0.0.1:11311', '::1', '[::1]:11312'] }],
  ['-l proto[ascii]:127.0.0.1:11311,proto[binary]:[::1]', { listen: ['proto[ascii]:127.0.0.1:11311', 'proto[binary]:[::1]'] }],
  ['-l tag[abc]:127.0.0.1,proto[b]:tag_abcdefgh_:::1', { listen: ['tag[abc]:127.0.0.1', 'proto[b]:tag_abcdefgh_:::1'] }],
  ['-l 127.0.0.1 -l 127.0.0.1', { listen: ['127.0.0.1'] }],
  ['-l ::1;127.0.0.1', { listen: ['::1', '127.0.0.1'], shown: { inter: '::1;127.0.0.1' } }],
  ['-v', { verbosity: 1 }],
  ['-vv', { verbosity: 2 }],
  ['-v -v -v', { verbosity: 3 }],
  ['-vvvvvv', { verbosity: 6 }],
  ['-dm 64', { daemonize: true }],
  ['-u nobody -P /run/m.pid', { user: 'nobody', pidFile: '/run/m.pid' }],
  ['-M -C -F -X', { evictions: false, useCas: false, flushEnabled: false, dumpEnabled: false }],
  ['-c 1', { maxconns: 1 }],
  ['-f 1.08 -n 16', { factor: 1.08, chunkSize: 16 }],
  ['-f 2', { factor: 2 }],
  ['-D /', { prefixDelimiter: '/', detailEnabled: true, trackPrefixes: true }],
  ['-o track_prefixes', { trackPrefixes: true }],
  ['-o prefix_quota=app1:25%,prefix_quota=a:b:0.5% -o prefix_quota=app1:30% -D /',
    { prefixQuotas: { app1: 30, 'a:b': 0.5 }, trackPrefixes: true, prefixDelimiter: '/', detailEnabled: true }],
  ['-t 1', { threads: 1 }],
  ['-t 4', {}],
  ['--threads=256', { threads: 256 }],
  ['-R 10 -b 512', { reqsPerEvent: 10, backlog: 512 }],
  ['-B ascii', { protocol: 'ascii' }],
  ['-B binary', { protocol: 'binary' }],
  ['-B auto', {}],
  ['-Y users', { authFile: 'users', protocol: 'ascii' }],
  ['-Y users -B ascii', { authFile: 'users', protocol: 'ascii' }],
  ['-Y users -l proto[ascii]:::1', { authFile: 'users', protocol: 'ascii', listen: ['proto[ascii]:::1'] }],
  ['-S -Y users', { sasl: true, authFile: 'users', protocol: 'binary' }],
  ['--enable-sasl --auth-file=users -B binary', { sasl: true, authFile: 'users', protocol: 'binary' }],
  ['-Z -o ssl_chain_cert=c.pem', { sslEnabled: true, sslChainCert: 'c.pem' }],
  ['-Z -o ssl_chain_cert=c.pem,ssl_key=k.der,ssl_keyformat=DER', {
    sslEnabled: true, sslChainCert: 'c.pem', sslKey: 'k.der', sslKeyFormat: 2,
  }],
  ['-Z -o ssl_chain_cert=c,ssl_verify_mode=2,ssl_ca_cert=ca,ssl_ciphers=HIGH:!aNULL,ssl_session_cache,ssl_min_version=3', {
    sslEnabled: true, sslChainCert: 'c', sslVerifyMode: 2, sslCaCert: 'ca', sslCiphers: 'HIGH:!aNULL', sslSessionCache: true,
    sslMinVersion: 3,
  }],
  ['-Z -o ssl_chain_cert=c,ssl_ca_cert=ca -l notls:127.0.0.1:1,btls:127.0.0.1:2,mtls:proto[binary]:127.0.0.1:3', {
    sslEnabled: true, sslChainCert: 'c', sslCaCert: 'ca',
    listen: ['notls:127.0.0.1:1', 'btls:127.0.0.1:2', 'mtls:proto[binary]:127.0.0.1:3'],
  }],
  ['-Z -S -Y users -o ssl_chain_cert=c',
    { sslEnabled: true, sslChainCert: 'c', sasl: true, authFile: 'users', protocol: 'binary' }],
  ['-I 2m', { itemSizeMax: 2 * MIB }],
  ['-I 512K', { itemSizeMax: 512 * KIB }],
  ['-I 1048577', { itemSizeMax: 1048577 }],
  ['-I 1k', { itemSizeMax: KIB, slabChunkMax: KIB }],
  ['-I 100000', { itemSizeMax: 100000, slabChunkMax: 64 * KIB }],
  ['-I 128m -m 256', { itemSizeMax: 128 * MIB, maxbytes: 256 * MIB }],
  ['-o idle_timeout=30,track_sizes', { idleTimeout: 30, trackSizes: true }],
  ['-o no_maxconns_fast -o no_lru_crawler', { maxconnsFast: false, lruCrawler: false }],
  ['-o no_maxconns_fast,maxconns_fast', {}],
  ['-o no_lru_crawler,lru_crawler', {}],
  ['-o discovery', { discovery: true }],
  ['-Z -o ssl_chain_cert=c,profile=elasticache-serverless',
    { sslEnabled: true, sslChainCert: 'c', profile: 'elasticache-serverless', protocol: 'ascii' }],
  ['-o profile=memcached', {}],
  ['--nodes 3', { nodes: 3, discovery: true, threads: 1 }],
  ['--nodes=1 -t 2 -p -1', { nodes: 1, discovery: true, threads: 2, port: -1 }],
  ['--nodes 3 -p 65533 -U 65533 -l ::1', { nodes: 3, discovery: true, threads: 1, port: 65533, udpport: 65533, listen: ['::1'] }],
  ['-o ,idle_timeout=5,', { idleTimeout: 5 }],
  ['-o idle_timeout=-1', { idleTimeout: -1 }],
  ['-o auth_timeout=0', { authTimeout: 0 }],
  ['-o request_mem_limit=100', { requestMemLimit: 100 * MIB }],
  ['-o temporary_ttl=-1', { temporaryTtl: 2 ** 32 - 1, tempLru: true }],
  ['-o slab_automove_ratio=1,slab_automove_freeratio=2', { slabAutomoveRatio: 1, slabAutomoveFreeratio: 2 }],
  ['-Z -o ssl_chain_cert=c,ssl_key=k,ssl_keyformat=2', { sslEnabled: true, sslChainCert: 'c', sslKey: 'k', sslKeyFormat: 2 }],
  ['-o no_lru_maintainer', { lruMaintainer: false, lruSegmented: false }],
  ['-o hot_lru_pct=10,warm_lru_pct=70', { hotLruPct: 10, warmLruPct: 70 }],
  ['-o hot_max_factor=0.1,warm_max_factor=3', { hotMaxFactor: 0.1, warmMaxFactor: 3 }],
  ['-o temporary_ttl=30', { temporaryTtl: 30, tempLru: true }],
  ['-o slab_chunk_max=16', { slabChunkMax: 16 * KIB }],
  ['-o slab_chunk_max=1', { slabChunkMax: KIB }],
  ['-o slab_chunk_max=1024', { slabChunkMax: MIB }],
  ['-o slab_chunk_max=1 -I 1024', { slabChunkMax: KIB, itemSizeMax: KIB }],
  ['-o slab_chunk_max=4 -I 1500k', { slabChunkMax: 4 * KIB, itemSizeMax: 1500 * KIB }],
  ['-o slab_chunk_max=1 -n 2000', { slabChunkMax: KIB, chunkSize: 2000 }],
  ['-n 1000 -I 1k', { chunkSize: 1000, itemSizeMax: KIB, slabChunkMax: KIB }],
  ['-o slab_sizes=100-200-300', { slabSizes: [100, 200, 300] }],
  ['-o slab_sizes=-100--200-', { slabSizes: [100, 200] }],
  ['-o slab_sizes=48-57-524288', { slabSizes: [48, 57, 524288] }],
  ['-n 1 -o slab_sizes=9', { chunkSize: 1, slabSizes: [9] }],
  ['-o slab_sizes=1000,slab_chunk_max=1', { slabSizes: [1000], slabChunkMax: KIB }],
  [`-o slab_sizes=${LIST_OF_62.join('-')}`, { slabSizes: LIST_OF_62 }],
  ['-o no_chunked_items', { slabChunkMax: MIB }],
  ['-o no_modern', {
    maxconnsFast: false, slabReassign: false, slabAutomove: 0, slabChunkMax: MIB, lruCrawler: false,
    lruMaintainer: false, lruSegmented: false, hashAlgorithm: 'jenkins',
  }],
  ['-o slab_chunk_max=64,no_modern,slab_automove,slab_reassign,maxconns_fast,lru_crawler,lru_maintainer', {
    slabChunkMax: 64 * KIB, hashAlgorithm: 'jenkins',
  }],
  ['-o slab_chunk_max=64,no_chunked_items', { slabChunkMax: MIB }],
  ['-I 2m -o no_chunked_items', { itemSizeMax: 2 * MIB }],
  ['-I 2m -o slab_chunk_max=1024', { itemSizeMax: 2 * MIB, slabChunkMax: MIB }],
  ['-o no_modern,slab_automove,slab_reassign,maxconns_fast,lru_crawler,lru_maintainer', {
    slabChunkMax: MIB, hashAlgorithm: 'jenkins',
  }],
]

t.test('good command lines', async t => {
  for (const [line, changed] of GOOD) {
    const { action, options, problems, warnings } = parse(line)
    t.same({ action, problems }, { action: 'serve', problems: [] }, line)
    t.same(options, { ...defaultOptions(), threads: 4, ...changed }, line)
    const isLowered = line === '-m 1'
    t.equal(warnings.length, isLowered ? 1 : 0, `${line}: ${warnings.join()}`)
  }
})

/** Lines that are accepted with a warning for each pattern. */
const VAIN: readonly [line: string, ...warnings: RegExp[]][] = [
  ['-k -L -r', /-k.*ignored for compatibility/, /-L.*ignored/, /-r.*ignored/],
  ['-k -k', /-k/],
  ['-N 4', /-N.*ignored/],
  ['-N 2x', /-N.*ignored/, /-N.*"2x" is read as 2$/],
  ['-o hash_algorithm=jenkins', /hash_algorithm.*ignored/],
  ['-o hashpower=20,no_hashexpand,tail_repair_time=10', /hashpower/, /no_hashexpand/, /tail_repair_time/],
  ['-o read_buf_mem_limit=5,resp_obj_mem_limit=5,sock_cookie_id=3', /resp_obj/, /sock_cookie/],
  ['-o modern,inline_ascii_resp,no_drop_privileges,relaxed_privileges', /modern/, /inline/, /drop_priv/, /relaxed/],
  ['-a 700', /-a.*without -s/],
  ['-s /run/m.sock -p 11212', /-s.*-p, -U, -l and -Z have no effect/],
  ['-s /run/m.sock -l 127.0.0.1', /-s.*have no effect/],
  ['-s /run/m.sock -U 11211', /-s.*have no effect/],
  ['-s /run/m.sock -Z -o ssl_chain_cert=c', /-s.*have no effect/],
  ['-Z -o ssl_chain_cert=c,ssl_wbuf_size=32,ssl_kernel_tls', /ssl_wbuf_size.*ignored/, /ssl_kernel_tls.*ignored/],
  ['-o ssl_chain_cert=c,ssl_verify_mode=2,ssl_session_cache', /ssl_chain_cert.*without -Z/, /ssl_verify_mode.*without -Z/,
    /ssl_session_cache.*without -Z/],
  ['-o no_lru_maintainer,hot_lru_pct=5', /hot_lru_pct.*flat LRU/],
  ['memcached -m 64', /^"memcached" is ignored, as it belongs to no option$/],
  ['extra', /"extra" is ignored/],
  ['-m 64 MB', /"MB" is ignored/],
  ['-- -m 5', /"-m" is ignored/, /"5" is ignored/],
  ['-p 0', /^the server listens nowhere: -p 0/],
  ['-p 0 -U 0', /server listens nowhere/],
  ['-p x', /-p.*"x" is read as 0/, /server listens nowhere/],
  ['-p=11211', /-p.*"=11211" is read as 0/, /server listens nowhere/],
  ['-l ,', /-l.*names no address, so the server listens nowhere/],
  ['-l ::1;localhost -l localhost:5 -l host', /-l.*"host" is ignored, as it is part of ::1;localhost,localhost:5/],
  ['-l 127.0.0.1:5 -l 127.0.0.1', /-l.*"127\.0\.0\.1" is ignored, as it is part of 127\.0\.0\.1:5/],
  ['-l proto[foo]:::1', /-l.*proto\[foo\] is not a protocol, so auto is used there/],
  ['-B ascii -l proto[auto]:::1', /-l.*proto\[auto\] is not a protocol, so ascii is used there/],
  ['-U off', /-U.*"off" is read as 0$/],
  ['-a 8', /-a.*"8" is read as 0, in octal/, /-a.*without -s/],
  ['-s x -a 1750', /-a.*"1750" is read as 750, in octal/],
  ['-b 4x', /-b.*"4x" is read as 4$/],
  ['-t 4threads', /-t.*"4threads" is read as 4$/],
  ['-t 300', /-t.*300 is lowered to 256/],
  ['-m 300000', /-m.*300000 is lowered to 262144/],
  ['-f 1.25x', /-f.*"1.25x" is read as 1.25$/],
  ['-D ::', /-D: "::" is read as ":"/],
  ['-I 1.5m', /-I.*"1.5m" is read as 1m$/],
  ['-o slab_automove=', /slab_automove: "" is read as 0$/],
  ['-o idle_timeout=x', /idle_timeout: "x" is read as 0$/],
  ['-o watcher_logbuf_size=0,worker_logbuf_size=70000', /watcher_logbuf_size: 0 is raised to 1/,
    /worker_logbuf_size: 70000 is lowered to 65536/],
  ['--verbose=2', /-v\/--verbose: "2" is ignored/],
  ['-o lru_crawler=1,modern=1,maxconns_fast=1,slab_reassign=1', /lru_crawler: takes no value, so "1" is ignored/,
    /modern: takes no value/,
    /modern: ignored/, /maxconns_fast: takes no value/, /slab_reassign: takes no value/],
  ['-o no_maxconns_fast=0,track_sizes=1', /no_maxconns_fast: takes no value, so "0" is ignored/, /track_sizes: takes no value/],
  ['-o resp_obj_mem_limit', /resp_obj_mem_limit: ignored/],
  ['-o ext_item_size=600,ext_drop_unread', /ext_item_size: ignored for compatibility, there is no external storage/,
    /ext_drop_unread: ignored/],
  ['-S', /-S\/--enable-sasl: no client can log in without a file of users, -Y\/--auth-file or MEMCACHED_SASL_PWDB/],
  ['-S -l proto[ascii]:::1', /no client can log in/, /-l.*clients of the text protocol need no password/],
  ['-Y users -l proto[negotiating]:::1', /-l.*clients of the binary protocol need no password/],
  ['-Z -o ssl_chain_cert=c -U 11300', /-U.*UDP is not encrypted/],
  ['-Z -o ssl_chain_cert=c,ssl_verify_mode=1', /ssl_verify_mode: no certificate of a client is trusted without -o ssl_ca_cert/],
  ['-Z -o ssl_chain_cert=c -l mtls:::1', /ssl_verify_mode: no certificate of a client is trusted/],
  ['-I 512k -o no_chunked_items', /lowered to 512k/],
]

t.test('options without effect are accepted with a line each', async t => {
  for (const [line, ...expected] of VAIN) {
    const { problems, warnings } = parse(line)
    t.same(problems, [], line)
    t.equal(warnings.length, expected.length, `${line}: ${warnings.join('\n')}`)
    for (const [index, pattern] of expected.entries()) t.match(warnings[index], pattern, line)
  }
})

t.test('what is tuned in vain still shows in stats settings', async t => {
  const { options } =
    parse('-o slab_automove=2,slab_automove_ratio=0.5,slab_automove_freeratio=0.25,no_slab_reassign,lru_crawler_sleep=7,' +
      'worker_logbuf_size=1024')
  const settings = Object.fromEntries(settingsReport(options, { tcpPort: 1, udpPort: 0, oldest: 0 }))
  t.match(settings, {
    slab_automove: '2', slab_automove_ratio: '0.50', slab_automove_freeratio: '0.250', slab_reassign: 'no',
      lru_crawler_sleep: '7', worker_logbuf_size: '1048576',
  })
  t.equal(parse('-o no_slab_automove').options.slabAutomove, 0)
  const chunks = Object.fromEntries(settingsReport(parse('-o slab_chunk_max=16').options, { tcpPort: 1, udpPort: 0, oldest: 0 }))
  t.equal(chunks['slab_chunk_max'], '16384', 'it is asked for in kilobytes, but shown in bytes')
})

/** Lines with a problem for each pattern, in this order. */
const BAD: readonly [line: string, ...problems: RegExp[]][] = [
  ['-z', /unknown option -z/],
  ['--nope', /unknown option --nope/],
  ['--D=:', /unknown option --D/],
  ['--memory=64', /unknown option --memory; is it --memory-limit or --memory-file\?/],
  ['--treads=4', /unknown option --treads; is it --threads\?$/],
  ['--zz', /unknown option --zz$/],
  ['-o slab_automve', /unknown option -o slab_automve; is it slab_automove\?$/],
  ['-o idletimeout=4', /unknown option -o idletimeout; is it idle_timeout\?$/],
  ['-o no_slab_reasign', /unknown option -o no_slab_reasign; is it no_slab_reassign\?$/],
  ['--conlimti 4', /unknown option --conlimti; is it --conn-limit\?$/],
  ['-m', /-m\/--memory-limit: needs an argument/],
  ['--memory-limit=', /-m.*not "", which is read as 0/],
  ['-m x', /-m.*from 1 to 262144, not "x", which is read as 0/],
  ['-m=64', /-m.*not "=64", which is read as 0/],
  ['-o no_track_sizes', /unknown option -o no_track_sizes/],
  ['-m 0', /-m.*from 1 to 262144, not 0/],
  ['-m -5', /-m.*not -5/],
  ['-p 65536', /-p.*from -1 to 65535, not 65536/],
  ['-p -2', /-p.*not -2/],
  ['-U 65536', /-U.*from -1 to 65535, not 65536/],
  [`-s ${'x'.repeat(108)}`, /-s.*at most 107 bytes/],
  ['-l localhost:http', /"http" is not a port number/],
  ['-l 127.0.0.1:65536', /"65536" is not a port number/],
  ['-l notls:127.0.0.1', /-l.*notls, btls and mtls are only for a server with -Z\/--enable-ssl/],
  ['-l proto[ascii]:btls:::1', /-l.*only for a server with -Z/],
  ['-l tag[]:::1', /-l.*a tag has 1 to 8 characters/],
  ['-l tag_abcdefghi_:::1', /-l.*a tag has 1 to 8 characters/],
  ['-l proto[proxy]:::1', /-l.*a proxy is not supported/],
  ['-l proto[p]:::1', /-l.*a proxy is not supported/],
  ['-N 5', /-N\/--napi-ids: 5 is more than -t\/--threads, 4/],
  ['-N 3 -t 2', /-N.*3 is more than -t\/--threads, 2/],
  ['-N 0', /-N.*must be at least 1, not 0/],
  ['-R 0', /-R.*from 1 to .*, not 0/],
  ['-o hashpower=11,tail_repair_time=9', /hashpower: must be from 12 to 32, not 11/,
    /tail_repair_time: must be from 10 to .*, not 9/],
  ['-o temporary_ttl=9,no_modern', /temporary_ttl: there is no list for short lives without the LRU maintainer/],
  ['-Z -o ssl_chain_cert=c -p 0', /-Z\/--enable-ssl: needs a TCP port, so not with -p 0/],
  ['-o ext_item_size=600k,ext_max_frag=x', /ext_item_size: "600k" is not a number/, /ext_max_frag: "x" is not a number/],
  ['-o lru_crawler_tocrawl=5x,worker_logbuf_size=64k', /"5x" is not a whole number/, /"64k" is not a whole number/],
  ['-o slab_automove_freeratio=0.1x', /"0.1x" is not a number/],
  ['-d=1', /unknown option -=/, /unknown option -1/],
  ['--daemon=1', /-d\/--daemon: takes no argument, not "1"/],
  ['-c 0', /-c.*not 0/],
  ['-f 1', /-f.*greater than 1, not 1/],
  ['-f x', /-f.*greater than 1, not "x", which is read as 0/],
  ['-f 1,5', /-f.*not "1,5", which is read as 1/],
  ['-n 0', /-n.*not 0/],
  ['-t 0', /-t.*not 0/],
  ['-B foo', /-B.*must be one of auto, ascii, binary, not "foo"/],
  ['-B toString', /-B.*must be one of/],
  ['-I 1023', /-I.*from 1k to 1024m, not 1023/],
  ['-I 2x', /-I.*from 1k to 1024m, not "2x", which is read as 2/],
  ['-I 2g', /-I.*not "2g", which is read as 2/],
  ['-I 1025m -m 4096', /-I.*not 1025m/],
  ['-I 33m', /-I.*33m is more than half of -m\/--memory-limit, 64m/],
  ['-m 1 -I 1m', /-I.*1m is more than half of -m\/--memory-limit, 1m/],
  ['-S -Y users -B ascii', /-S.*only for the binary protocol, so -B\/--protocol cannot be ascii/],
  ['-S -B auto', /-S.*cannot be auto/],
  ['-Y users -B binary', /-Y.*without -S\/--enable-sasl is only for the text protocol, so -B\/--protocol cannot be binary/],
  ['-Y users -B auto', /-Y.*cannot be auto/],
  ['-Y', /-Y.*needs an argument/],
  ['-S -Y users -U 11211', /-U.*clients cannot authenticate over UDP, so it does not go with -S/],
  ['-S -U -1', /-U.*clients cannot authenticate over UDP, so it does not go with -S/],
  ['-Y users -U -1', /-U.*clients cannot authenticate over UDP, so it does not go with -Y/],
  ['-Z', /-Z\/--enable-ssl: needs a certificate, -o ssl_chain_cert/],
  ['-Z -o ssl_key=k', /-Z.*needs a certificate/],
  ['-Z -o ssl_chain_cert=', /ssl_chain_cert: must not be empty/, /-Z.*needs a certificate/],
  ['-Z -o ssl_chain_cert=c,ssl_verify_mode=4', /ssl_verify_mode: must be from 0 to 3, not 4/],
  ['-Z -o ssl_chain_cert=c,ssl_min_version=4', /ssl_min_version: must be from 0 to 3, not 4/],
  ['-Z -o ssl_chain_cert=c,ssl_min_version=tlsv1.2', /"tlsv1.2" is not a whole number/],
  ['-Z -o ssl_chain_cert=c,ssl_keyformat=ENGINE', /ssl_keyformat: must be one of 1, 2, PEM, DER, not "ENGINE"/],
  ['-Z -o ssl_chain_cert=c,ssl_keyformat=DER', /ssl_keyformat: DER needs a file of its own, -o ssl_key/],
  ['-Z -o ssl_chain_cert=c,no_ssl_session_cache', /unknown option -o no_ssl_session_cache/],
  ['-e file', /-e\/--memory-file: not supported yet, items are lost when the server ends; leave it out/],
  ['-o ext_path=y:1G,proxy_config=z', /ext_path: not supported yet, all items are kept in memory; leave it out/,
    /proxy_config: not supported yet, memslab has no proxy/],
  ['-o', /-o\/--extended: needs an argument/],
  ['-o nope', /unknown option -o nope/],
  ['-o no_idle_timeout', /unknown option -o no_idle_timeout/],
  ['-o idle_timeout', /-o idle_timeout: needs an argument/],
  ['-o hot_lru_pct=0', /hot_lru_pct: must be from 1 to 79/],
  ['-o hot_lru_pct=50,warm_lru_pct=31', /hot_lru_pct: 50 and -o warm_lru_pct 31 are more than 80 percent together/],
  ['-o hot_max_factor=0', /greater than 0, not 0/],
  ['-o slab_automove_ratio=1.1', /greater than 0 and at most 1, not 1.1/],
  ['-o slab_automove_ratio=x', /greater than 0 and at most 1, not "x", which is read as 0/],
  ['-o slab_automove=3', /from 0 to 2, not 3/],
  ['-o slab_chunk_max=3', /slab_chunk_max: 3k does not divide a page of 1m evenly/],
  ['-o slab_chunk_max=1025', /slab_chunk_max: must be from 1 to 1024, not 1025/],
  ['-o slab_chunk_max=1025 -I 2m', /slab_chunk_max: must be from 1 to 1024, not 1025/],
  ['-o slab_chunk_max=0', /slab_chunk_max: must be from 1 to 1024, not 0/],
  ['-o slab_chunk_max=16k', /slab_chunk_max: "16k" is not a whole number/],
  ['-o slab_chunk_max', /slab_chunk_max: needs an argument/],
  ['-o slab_chunk_max=', /slab_chunk_max: "" is not a whole number/],
  ['-o slab_chunk_max=512 -I 1500k', /slab_chunk_max: 512k does not divide the largest item of -I, 1500k, evenly/],
  ['-o slab_chunk_max=512 -I 256k', /slab_chunk_max: 512k does not divide the largest item of -I, 256k, evenly/],
  ['-o prefix_quota=a', /prefix_quota: "a" is not a prefix and its percents, such as app1:25%$/],
  ['-o prefix_quota=a:25', /is not a prefix/],
  ['-o prefix_quota=a:-1%', /is not a prefix/],
  ['-o prefix_quota', /prefix_quota: needs an argument/],
  ['-o prefix_quota=a:b:1%', /prefix_quota: "a:b" has the delimiter in it, :$/],
  ['-o prefix_quota=a:0%,prefix_quota=b:101%', /the percents of "a" must be above 0 .*, not 0; the percents of "b" .* not 101$/],
  [`-o prefix_quota=${'p'.repeat(250)}:1%`, /is not 1 to 249 bytes long$/],
  ['-o prefix_quota=a:1% -M', /prefix_quota: has items evicted, so not with -M/],
  ['-o slab_sizes=47', /slab_sizes: 47 is not from 48 \(-n\/--slab-min-size\) to 524288 \(-o slab_chunk_max\)$/],
  ['-o slab_sizes=100-2000,slab_chunk_max=1', /slab_sizes: 2000 is not from 48 .* to 1024 \(-o slab_chunk_max\)$/],
  ['-o slab_sizes=100-200 -n 101', /slab_sizes: 100 is not from 101/],
  ['-o slab_sizes=100-108', /slab_sizes: 108 is not at least 9 more than the size before it, 100/],
  ['-o slab_sizes=40-200-100-100-600000',
    /40 is not from 48 .*; 100 is not at least 9 more .*, 200; 100 is not .*, 100; 600000 is not from/],
  ['-n 1 -o slab_sizes=8', /slab_sizes: 8 is not at least 9 more than nothing/],
  ['-o slab_sizes=', /slab_sizes: "" is not a list of sizes/],
  ['-o slab_sizes', /slab_sizes: needs an argument/],
  ['-o slab_sizes=-', /slab_sizes: "-" is not a list of sizes/],
  ['-o slab_sizes=100k', /slab_sizes: "100k" is not a list of sizes/],
  ['-o slab_sizes=100:200', /is not a list of sizes/],
  [`-o slab_sizes=${[...LIST_OF_62, 6300].join('-')}`, /slab_sizes: 63 sizes are more than 62/],
  ['-o slab_sizes=47,slab_chunk_max=3 -c 0', /-c.*not 0/, /slab_chunk_max: 3k does not divide/, /slab_sizes: 47 is not/],
  ['-o profile=elasticache', /^-o profile: must be one of memcached, elasticache-serverless, not "elasticache"$/],
  ['-o profile=elasticache-serverless -U 11211 -B binary',
    /^-o profile: elasticache-serverless has only TLS, so not without -Z\/--enable-ssl$/,
    /^-o profile: elasticache-serverless has only the text protocol, so -B\/--protocol cannot be binary$/,
    /^-o profile: elasticache-serverless has no UDP, so not with -U\/--udp-port$/],
  ['--nodes', /^--nodes: needs an argument: <num>$/],
  ['--nodes 0', /^--nodes: must be from 1 to 100, not 0$/],
  ['--nodes 101', /^--nodes: must be from 1 to 100, not 101$/],
  ['--nodes 2x', /^--nodes: "2x" is not a whole number$/],
  ['--nodes 3 -s /run/m.sock', /^--nodes: a node listens on TCP, so not with -s\/--unix-socket$/],
  ['--nodes 3 -p 0', /^--nodes: a node listens on TCP, so not with -p 0$/],
  ['--nodes 3 -l ::1,127.0.0.1:11311', /^--nodes: each node has a port of its own, so not with an address of -l that has a port$/],
  ['--nodes 3 -p 65534 -U 65535', /^--nodes: the last node would have the port 65536 with -p\/--port 65534$/,
    /^--nodes: the last node would have the port 65537 with -U\/--udp-port 65535$/],
  ['-o hash_algorithm=md5', /must be one of murmur3, jenkins, xxh3, not "md5"/],
]

t.test('bad command lines', async t => {
  for (const [line, ...expected] of BAD) {
    const { problems } = parse(line)
    t.equal(problems.length, expected.length, `${line}: ${problems.join('\n')}`)
    for (const [index, pattern] of expected.entries()) t.match(problems[index], pattern, line)
  }
})

t.test('everything wrong with a line is said at once', async t => {
  const { problems } =
    parse('-z -m x -c 0 -B foo -S -o nope,hot_lru_pct=60,warm_lru_pct=60,ssl_min_version=9 -Z -U 1 -l a:b extra -N 5')
  t.equal(problems.length, 11, problems.join('\n'))
})

t.test('help, version and license are answered whatever else the line says', async t => {
  t.equal(parse('-h').action, 'help')
  t.equal(parse('-z --version -m').action, 'version')
  t.equal(parse('-vi').action, 'license')
  t.equal(parse('-Vh').action, 'version')
})

t.test('the file for the ports comes from the environment', async t => {
  t.equal(parse('', { MEMCACHED_PORT_FILENAME: '/tmp/ports' }).portFile, '/tmp/ports')
  t.equal(parse('', { MEMCACHED_PORT_FILENAME: '' }).portFile, undefined)
})

t.test('the file of users for SASL may come from the environment', async t => {
  const { problems, options } = parse('-S', { MEMCACHED_SASL_PWDB: '/etc/users' })
  t.same(problems, [])
  t.match(options, { sasl: true, saslPwdb: '/etc/users', authFile: undefined, protocol: 'binary' })
  t.same(parse('', { MEMCACHED_SASL_PWDB: '/etc/users' }).options.protocol, 'auto', 'it alone changes nothing')
  t.match(parse('-S', { MEMCACHED_SASL_PWDB: '' }).warnings, [/no client can log in/])
})

t.test('a program may write its memory in megabytes or with a unit', async t => {
  const bytes = (memory: number | string) => readMemory({ memory, port: 0 })
  for (const [memory, mebibytes] of [[64, 64], ['64', 64], ['16m', 16], [' 16 MB', 16], ['2g', 2048], ['1.5GiB', 1536], [1.5, 1.5],
    [1, 1], ['256g', 2 ** 18]] as const) {
    t.same(bytes(memory), { options: { port: 0, maxbytes: mebibytes * MIB }, problems: [] }, `${memory}`)
  }
  t.same(readMemory({ maxbytes: 7 * MIB, memory: undefined }), { options: { maxbytes: 7 * MIB }, problems: [] })
  const form = "memory: must be a number of megabytes or a text such as '256m' or '2g', not"
  const bounds = 'memory: must be from 1 megabyte to 262144 (256g), not'
  for (const [memory, problem] of [['64k', `${form} '64k'`], ['', `${form} ''`], ['lots', `${form} 'lots'`], [NaN, `${form} NaN`],
    [-5, `${form} -5`], [0, `${bounds} 0`], ['0.5m', `${bounds} '0.5m'`], [0.99, `${bounds} 0.99`], ['257g', `${bounds} '257g'`],
    ['9'.repeat(400), `${bounds} '${'9'.repeat(400)}'`], [Infinity, `${form} Infinity`]] as const) {
    t.same(bytes(memory), { options: { port: 0 }, problems: [problem] }, `${memory}`)
  }
  const untyped: object = { memory: [64] }
  t.same(readMemory(untyped).problems, ['memory: must be a number or a text, not an array'])
  t.same(readMemory({ memory: '64m', maxbytes: 64 * MIB }),
    { options: {}, problems: ['memory: means the same as maxbytes, so only one of them can be given'] })
})

t.test('embedders are told what is wrong in their own names', async t => {
  t.same(checkOptions(completeOptions({})), [])
  t.same(checkOptions(completeOptions({ maxbytes: 3 * MIB + 1, port: 0, verbosity: undefined })), [])
  t.same(checkOptions(completeOptions({ maxbytes: 5, hotLruPct: 50, warmLruPct: 50 })), [
    'maxbytes: must be from 1048576 to 274877906944, not 5',
    'hotLruPct: 50 and warmLruPct 50 are more than 80 percent together',
  ])
  const untyped: object = {
    port: '11211', listen: '::1', useCas: 1, socketPath: '', user: 7, pool: 3, protocol: 'http', maxconns: 1.5, factor: NaN,
    saslPwdb: 5, sslKeyFormat: 3, sslEnabled: 'yes', shown: { memory_file: 5 },
  }
  t.same(checkOptions(completeOptions(untyped)).sort(), [
    'factor: must be greater than 1, not NaN',
    'listen: must be an array of addresses',
    'maxconns: must be from 1 to 2147483647, not 1.5',
    'port: must be a number, not a string',
    'protocol: must be one of auto, ascii, binary',
    'saslPwdb: must be a text that is not empty',
    'shown: must be an object of texts',
    'socketPath: must be a text that is not empty',
    'sslEnabled: must be a boolean, not a string',
    'sslKeyFormat: must be one of 1, 2',
    'unknown option "pool"',
    'useCas: must be a boolean, not a number',
    'user: must be a text that is not empty',
  ])
  t.same(checkOptions(completeOptions({ slabChunkMax: 3000, slabSizes: [40] })), [
    'slabChunkMax: 3000 does not divide a page of 1m evenly',
    'slabSizes: 40 is not from 48 (chunkSize) to 3000 (slabChunkMax)',
  ])
  const mistyped: object = { slabSizes: '100-200' }
  t.same(checkOptions(completeOptions(mistyped)), ['slabSizes: must be an array of whole numbers'])
  t.same(checkOptions(completeOptions({ slabSizes: [100, 200.5] })), ['slabSizes: must be an array of whole numbers'])
  t.same(checkOptions({ ...defaultOptions(), listen: ['[::1]:x'] }), ['listen: "[::1]:x": "x" is not a port number'])
  t.same(checkOptions(completeOptions({ sasl: true, protocol: 'auto', udpport: 5, sslEnabled: true,
    listen: ['proto[ascii]:::1'] })), [
    'sasl: is only for the binary protocol, so protocol cannot be auto',
    'udpport: clients cannot authenticate over UDP, so it does not go with sasl',
    'sslEnabled: needs a certificate, sslChainCert',
    'sasl: no client can log in without a file of users, authFile or MEMCACHED_SASL_PWDB',
    'listen: clients of the text protocol need no password',
    'udpport: UDP is not encrypted by sslEnabled',
  ])
  t.same(checkOptions(completeOptions({ sasl: true, saslPwdb: '/etc/users' })), [], 'the protocol follows')
  t.same(checkOptions(completeOptions({ sslEnabled: true, sslChainCert: 'c', sslVerifyMode: 2, listen: ['proto[foo]:::1'] })), [
    'listen: proto[foo] is not a protocol, so auto is used there',
    'sslVerifyMode: no certificate of a client is trusted without sslCaCert',
  ])
})

t.test('addresses', async t => {
  const plain = { port: undefined, protocol: undefined, unknownProtocol: undefined, tls: undefined }
  t.same(parseAddress('127.0.0.1'), { ...plain, host: '127.0.0.1' })
  t.same(parseAddress('localhost:11311'), { ...plain, host: 'localhost', port: 11311 })
  t.same(parseAddress('::1'), { ...plain, host: '::1' })
  t.same(parseAddress('[::1]'), { ...plain, host: '::1' })
  t.same(parseAddress('[::1]:11311'), { ...plain, host: '::1', port: 11311 })
  t.same(parseAddress('*'), { ...plain, host: '*' })
  t.same(parseAddress('proto[ascii]:localhost'), { ...plain, host: 'localhost', protocol: 'ascii' })
  t.same(parseAddress('proto[binary]:::1'), { ...plain, host: '::1', protocol: 'binary' })
  t.same(parseAddress('proto[auto]:[::1]:5'), { ...plain, host: '::1', port: 5, unknownProtocol: 'auto' })
  t.same(parseAddress('proto[ASCII]:[::1]'), { ...plain, host: '::1', unknownProtocol: 'ASCII' })
  t.same(parseAddress('proto[n]:::1'), { ...plain, host: '::1', protocol: 'auto' })
  t.same(parseAddress('proto[bin]:::1'), { ...plain, host: '::1', protocol: 'binary' })
  t.same(parseAddress('proto[]:::1'), { ...plain, host: '::1', protocol: 'ascii' }, 'the first that begins so')
  t.same(parseAddress('tag[x]:localhost:5'), { ...plain, host: 'localhost', port: 5 })
  t.same(parseAddress('tag_12345678_:[::1]:5'), { ...plain, host: '::1', port: 5 })
  t.same(parseAddress('mtls:proto[a]:tag[x]:::1'), { ...plain, host: '::1', protocol: 'ascii', tls: 'mutual' })
  t.same(parseAddress('127.0.0.1:-1'), { ...plain, host: '127.0.0.1', port: 0 }, 'any free port')
  t.same(parseAddress('proto[negotiating]:*'), { ...plain, host: '*', protocol: 'auto' })
  t.same(parseAddress('notls:127.0.0.1:5'), { ...plain, host: '127.0.0.1', port: 5, tls: 'none' })
  t.same(parseAddress('btls:::1'), { ...plain, host: '::1', tls: 'basic' })
  t.same(parseAddress('mtls:proto[binary]:[::1]:5'), { ...plain, host: '::1', port: 5, protocol: 'binary', tls: 'mutual' })
  t.same(parseAddress('proto[binary]:mtls:[::1]:5'), parseAddress('mtls:proto[binary]:[::1]:5'), 'in any order')
  for (const wrong of ['', ':11211', '[]:1', 'a:', 'a:b', 'a:99999', 'a:b:c', '[::1]x', 'notls:', 'notls:a:b', 'notls:btls:::1',
    'proto[proxy]:::1', 'proto[ascii]:proto[ascii]:::1', 'proto[x]:proto[ascii]:::1', 'proto[ascii]', 'proto:::1',
      'proto[ascii:::1', 'proto[ascii:1',
    'tag[]:::1', 'tag[123456789]:::1', 'tag__:::1', 'a:-2', 'NOTLS:127.0.0.1:1', 'tls:127.0.0.1:1']) {
    t.type(parseAddress(wrong), 'string', wrong)
  }
})

t.test('every row can be reached and says what it needs to', async t => {
  for (const key of ['flag', 'long', 'name', 'setting'] as const) {
    const values = optionRows.map(row => row[key]).filter(value => value !== undefined)
    t.equal(new Set(values).size, values.length, `no ${key} twice`)
  }
  for (const row of optionRows) {
    t.ok(row.flag ?? row.name ?? row.long, 'has a name')
    t.ok(row.help.length > 0, 'has help')
    if (row.support === 'ignored') t.ok(row.why, 'has a reason')
    const fields = row.value !== undefined && 'field' in row.value ? [row.value.field] : []
    for (const field of [...fields, ...Object.keys(row.sets ?? {})]) t.ok(field in defaultOptions(), field)
  }
})

t.test('help has every option that works, and no other', async t => {
  const help = helpText()
  for (const { flag, long, name, support } of optionRows) {
    const alone = name === undefined ? `--${long}` : `-o ${name}`
    const line = flag === undefined ? alone : `-${flag}${long === undefined ? ' ' : `, --${long}`}`
    t.equal(help.includes(`\n  ${line}`), support === undefined, line)
  }
  for (const word of ['ext_', 'proxy', 'memory-file']) t.notMatch(help, word, 'scripts look for it')
  t.notMatch(help, /\{default\}|undefined/)
  t.ok(help.split('\n').every(line => line.length <= 100), 'no line is long')
})

t.test('every option is in one section', async t => {
  const rows = optionSections.flatMap(section => section.rows)
  t.same(rows.filter((row, index) => rows.indexOf(row) !== index), [], 'none in two')
  t.same(optionRows.filter(row => !rows.includes(row)), [], 'none is left out')
})

const memcached = spawnSync('memcached', ['-h'], { encoding: 'utf8' })

t.test('memcached\'s own help names nothing that is unknown here', {
  skip: memcached.error !== undefined && 'memcached is not installed',
}, async t => {
  const flags = [...memcached.stdout.matchAll(/^-(\w)(?:, --([\w-]+))?/gm)]
  const names = [...memcached.stdout.matchAll(/^ +- (\w+):/gm)]
  t.ok(flags.length > 30 && names.length > 40, 'the help was understood')
  for (const [text, flag, long] of flags) {
    const row = optionRows.find(row => row.flag === flag)
    t.ok(row, text)
    if (long !== undefined && long !== 'napi_ids') t.equal(row?.long, long, text)
  }
  for (const [text, name] of names) t.ok(optionRows.some(row => row.name === name), text)
})

t.test('every option says its default', async t => {
  const [, fields = ''] = /^export interface Options \{\n([^]*?)^\}/m.exec(read('src/options/values.ts')) ?? []
  const documented = [...fields.matchAll(/\/\*\*([^]*?)\*\/\n  (\w+): /g)]
  t.same(documented.map(match => match[2]), Object.keys(defaultOptions()))
  for (const [, comment = '', field] of documented) t.match(comment, /\bDefault\b/, String(field))
})

t.test('the table of options is made of the rows', async t => {
  t.ok(read('src/options/README.md').includes(optionTable()),
    'print it with: node -e "import(\'./dist/options/options.js\').then(m => console.log(m.optionTable()))"')
})

/** The lines of `stats settings` in a recorded conversation: a pattern for each. */
function recordedSettings(path: string): RegExp[] {
  const escape = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return [...read(path).matchAll(/^([<?]) (STAT .*)\\r\\n$/gm)]
    .map(([, kind, line = '']) => new RegExp(`^${kind === '<' ? escape(line) : line}$`))
}

for (const [path, line] of [
  ['test/conversations/stats.settings.wire', '-m 64'],
  ['test/conversations/stats.options.wire', '-m 100 -c 200 -t 2 -f 1.50 -n 80 -C -M -R 10 -b 512 -I 2m -F -X -D / ' +
    '-o no_lru_crawler,idle_timeout=30,track_sizes,no_maxconns_fast,hash_algorithm=jenkins'],
] as const) {
  t.test(`stats settings are as recorded with ${line}`, async t => {
    const { options, problems } = parse(line)
    t.same(problems, [])
    const report = settingsReport(options, { tcpPort: 11211, udpPort: 0, oldest: 0 })
    const recorded = recordedSettings(path)
    t.equal(report.length, recorded.length)
    for (const [index, [name, value]] of report.entries()) t.match(`STAT ${name} ${value}`, recorded[index], name)
  })
}

t.test('stats settings show what has changed since the start', async t => {
  const live = { tcpPort: 4711, udpPort: 0, oldest: 17, maxbytes: 8 * MIB, verbosity: 2, detailEnabled: true,
    lruSegmented: false }
  const settings = Object.fromEntries(settingsReport(parse('-l ::1,localhost:5 -p -1 -A').options, live))
  t.match(settings, {
    tcpport: '4711', oldest: '17', maxbytes: '8388608', verbosity: '2', detail_enabled: 'yes', lru_segmented: 'no',
    inter: '::1,localhost:5', shutdown_command: 'yes', maxconns_fast: 'yes',
  })
  const unix = Object.fromEntries(settingsReport(parse('-s /run/m.sock -a 777').options, { tcpPort: 0, udpPort: 0, oldest: 0 }))
  t.match(unix, { domain_socket: '/run/m.sock', umask: '777', inter: 'NULL', tcpport: '11211' },
    'as asked for, though nobody listens there')
})

t.test('stats settings name what memcached does not have, if it is set', async t => {
  const settings = (line: string) => settingsReport(parse(line).options, { tcpPort: 1, udpPort: 0, oldest: 0 })
  t.same(settings('-o auth_timeout=5').slice(settings('').length), [['auth_timeout', '5']])
  t.same(settings('-m 1024 -o request_mem_limit=100').slice(settings('').length), [['request_mem_limit', String(100 * MIB)]])
})

t.test('stats settings tell about protocols, authentication and TLS', async t => {
  const settings = (line: string) =>
    Object.fromEntries(settingsReport(parse(line).options, { tcpPort: 1, udpPort: 0, oldest: 0 }))
  t.match(settings('-U 11212'),
    { udpport: '11212', binding_protocol: 'auto-negotiate', auth_enabled_sasl: 'no', auth_enabled_ascii: 'no' })
  t.match(settings('-Y /etc/users'), { binding_protocol: 'ascii', auth_enabled_sasl: 'no', auth_enabled_ascii: '/etc/users' })
  t.match(settings('-S -Y /etc/users'), { binding_protocol: 'binary', auth_enabled_sasl: 'yes', auth_enabled_ascii: 'no' })
  t.match(settings(''), {
    ssl_enabled: 'no', ssl_chain_cert: '(null)', ssl_key: '(null)', ssl_verify_mode: '0', ssl_keyformat: '1', ssl_ciphers: 'NULL',
    ssl_ca_cert: 'NULL', ssl_session_cache: 'no', ssl_min_version: 'tlsv1.2',
  })
  const line = '-Z -o ssl_chain_cert=c,ssl_key=k,ssl_keyformat=DER,ssl_ciphers=HIGH,ssl_ca_cert=ca,ssl_session_cache,' +
    'ssl_min_version=3'
  t.match(settings(`${line},ssl_verify_mode=3`), {
    ssl_enabled: 'yes', ssl_chain_cert: 'c', ssl_key: 'k', ssl_verify_mode: '7', ssl_keyformat: '2', ssl_ciphers: 'HIGH',
    ssl_ca_cert: 'ca', ssl_session_cache: 'yes', ssl_min_version: 'tlsv1.3',
  })
  // as memcached prints them: the flags of OpenSSL
  t.same(['1', '2'].map(mode => settings(`${line},ssl_verify_mode=${mode}`)['ssl_verify_mode']), ['1', '3'])
})
