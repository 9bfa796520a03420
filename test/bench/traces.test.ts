// Traces: how they are read, replayed, and served by caches that are only simulated.
import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { gzipSync } from 'node:zlib'
import { lruHits, oracleHits, s3FifoHits } from '../../bench/traces/policies.js'
import { Replay } from '../../bench/traces/replay.js'
import { missRatioMeans, traceHeadings, traceLine, traceMeanLine, traceTableOf } from '../../bench/traces/report.js'
import { keysOf, traceRows } from '../../bench/traces/trace.js'
import { Prng } from '../support/prng.js'

t.test('LRU gives up the item whose last use is the oldest', async t => {
  t.equal(lruHits(trace('010210'), 2), 1, 'the second 0; then 2 takes the place of 1, 1 that of 0, 0 that of 2')
  t.equal(lruHits(trace('010210'), 3), 3, 'all have room')
  t.equal(lruHits(trace('0120120'), 2), 0, 'a circle one longer than the cache')
})

t.test('S3-FIFO keeps what came twice in the small queue, and what comes back', async t => {
  // 0 hits twice in the small queue, so it moves on; 1, 2 and 3 leave, come back and enter the main queue; 0 hits there, which
  // lets it go round once more when 5 comes, and 1 has to go
  const busy = '000123410235'
  t.equal(s3FifoHits(trace(busy), 4), 3)
  t.equal(s3FifoHits(trace(`${busy}0`), 4), 4, '0 is there')
  t.equal(s3FifoHits(trace(`${busy}1`), 4), 3, '1 is not')
  t.equal(s3FifoHits(trace(`${busy}67878650`), 4), 3, 'and 0 goes round no more than once')
  t.equal(s3FifoHits(trace('01230123'), 4), 4, 'all have room')
  t.equal(s3FifoHits(trace('0123450'), 4), 0, 'one use is not enough')
  t.equal(s3FifoHits(trace('0012340'), 4), 1, 'nor are two, the first of which brought it')
  t.equal(s3FifoHits(trace('00012340'), 4), 3, 'three are')
})

t.test('S3-FIFO remembers as many keys as its main queue has items', async t => {
  t.equal(s3FifoHits(trace('0123456' + '0' + '789a' + '0'), 4), 0, '3 more have gone since 0 did: it is as new as any')
  t.equal(s3FifoHits(trace('012345' + '0' + '789a' + '0'), 4), 1, '2 more: it enters the main queue, and stays')
})

t.test('the oracle gives up the item whose next use is the farthest away', async t => {
  t.equal(oracleHits(trace('010210'), 2), 2, '2 takes the place of 0, which comes after 1')
  t.equal(oracleHits(trace('0120120'), 2), 2, 'by turns one of the circle stays')
})

t.test('no choice of items makes more hits than the oracle', async t => {
  const prng = new Prng(14)
  for (let run = 0; run < 100; run++) {
    const keys = Uint32Array.from({ length: 12 }, () => prng.below(5))
    for (const capacity of [1, 2, 3]) t.equal(oracleHits(keys, capacity), mostHits(keys, capacity), `${keys} of ${capacity}`)
  }
})

t.test('the oracle knows the farthest of many', async t => {
  const prng = new Prng(14)
  const keys = Uint32Array.from({ length: 3000 }, () => Math.min(prng.below(300), prng.below(300)))
  for (const capacity of [10, 60, 200]) t.equal(oracleHits(keys, capacity), slowOracleHits(keys, capacity), `${capacity} items`)
})

t.test('a trace is replayed one request after the other', async t => {
  const prng = new Prng(14)
  const some = Uint32Array.from({ length: 3000 }, () => Math.min(prng.below(300), prng.below(300)))
  const keys = renumbered(some)
  for (const capacity of [1, 20, 400]) {
    const replay = new Replay(await listen(t, lruServer(capacity)), keys, 100)
    await replay.run()
    t.same([replay.hits, replay.done], [lruHits(keys, capacity), keys.length], `a server that holds ${capacity}`)
  }
})

t.test('a set that finds no memory leaves its item missing', async t => {
  const replay = new Replay(await listen(t, lruServer(0)), trace('0010221'), 100)
  await replay.run()
  t.same([replay.hits, replay.refused], [0, 7])
})

t.test('a replay ends with an error where a server answers wrongly or leaves', async t => {
  const keys = trace('0010')
  const wrong = await listen(t, lruServer(1, value => value.replace('trace', 'Trace')))
  await t.rejects(new Replay(wrong, keys, 100).run(), /wrong answer/)
  const leaving = await listen(t, createServer(socket => socket.destroy()))
  await t.rejects(new Replay(leaving, keys, 100).run(), /closed|ECONNRESET|EPIPE/)
})

t.test('a trace is a file, or one of a folder', async t => {
  const folder = t.testdir({ 'README.md': '', empty: {} })
  for (const name of ['web07', 'own']) {
    writeFileSync(join(folder, `${name}.ids.gz`), gzipSync(Uint32Array.of(70_000, 5, 70_000, 9)))
  }
  const [own, web] = [join(folder, 'own.ids.gz'), join(folder, 'web07.ids.gz')]
  t.match(traceRows([folder]), [
    { kind: 'trace', name: 'own', file: own, valueBytes: 1000, megabytes: 8 },
    { kind: 'trace', name: 'web07', file: web, valueBytes: 4000, megabytes: 16 },
  ], 'in the order of their names, and known ones with the sizes of their values')
  t.match(traceRows([`${own}:300:64`]), [{ name: 'own', file: own, valueBytes: 300, megabytes: 64 }])
  t.same([...keysOf(traceRows([own])[0]!)], [0, 1, 0, 2], 'keys are numbered by their first use')
  t.throws(() => traceRows([join(folder, 'empty')]), /has no files/)
  t.throws(() => traceRows([join(folder, 'absent')]), /ENOENT/)
})

t.test('without a file there are made up traces, always the same', async t => {
  const rows = traceRows([])
  t.same(rows.map(({ name }) => name), ['made, zipf', 'made, scans', 'made, drift'])
  for (const row of rows) {
    const keys = keysOf(row)
    t.same(keys, keysOf(row), row.name)
    t.ok(keys.length >= 300_000 && keys.includes(15_000), 'far more keys than fit')
  }
})

t.test('misses are compared with those of the last server, and their ratios by the geometric mean', async t => {
  const results = [
    result('one', [0.6, 0.5], [0.75]),
    result('two', [0.1, 0.2], [0.6]),
  ]
  t.match(traceHeadings(results[0]!), [/hit ratio +misses ÷ theirs's/, /^ +items +ours +theirs +LRU +ours +LRU$/])
  t.match(traceLine(results[0]!), /^one +1,234 +0\.6000 +0\.5000 +0\.7500 +0\.800 +0\.500$/)
  t.match(traceMeanLine(results), /^geometric mean +0\.949 +0\.500$/, 'of 0.8 and 1.125')
  t.equal(traceTableOf(results), [
    '|  | ours | theirs | LRU |',
    '| --- | --: | --: | --: |',
    '| one | 0.600 (0.800) | 0.500 | 0.750 (0.500) |',
    '| two | 0.100 (1.125) | 0.200 | 0.600 (0.500) |',
    '| geometric mean | 0.949 |  | 0.500 |',
  ].join('\n'))
  t.same(missRatioMeans(results).map(({ server }) => server), ['ours', 'LRU'])
  t.match(traceHeadings(result('one', [0.6], [0.75])), [/misses ÷ ours's/, /items +ours +LRU +LRU$/])
})

type Result = Parameters<typeof traceLine>[0]
type Side = Result['sides'][number]

/** Each letter is a key. */
function trace(text: string): Uint32Array { return Uint32Array.from(text, letter => parseInt(letter, 36)) }

function renumbered(keys: Uint32Array): Uint32Array {
  const numbers = new Map([...new Set(keys)].map((key, number) => [key, number]))
  return keys.map(key => numbers.get(key)!)
}

/** Tries each item in turn for the one that has to go. */
function mostHits(keys: Uint32Array, capacity: number, at = 0, cached: readonly number[] = []): number {
  const key = keys[at]
  if (key === undefined) return 0
  if (cached.includes(key)) return 1 + mostHits(keys, capacity, at + 1, cached)
  if (cached.length < capacity) return mostHits(keys, capacity, at + 1, [...cached, key])
  return Math.max(...cached.map(gone => mostHits(keys, capacity, at + 1, [...cached.filter(one => one !== gone), key])))
}

/** Looks at all items for the one whose next use is the farthest away. */
function slowOracleHits(keys: Uint32Array, capacity: number): number {
  const cached = new Set<number>()
  let hits = 0
  for (const [now, key] of keys.entries()) {
    if (cached.has(key)) hits++
    else if (cached.size === capacity) {
      const nextUse = (one: number): number => keys.indexOf(one, now) >>> 0   // never is the farthest
      cached.delete([...cached].sort((a, b) => nextUse(b) - nextUse(a))[0]!)
    }
    cached.add(key)
  }
  return hits
}

/** A server that knows get and set, and holds so many items, or refuses all; `change` spoils the values of its answers. */
function lruServer(capacity: number, change = (value: string): string => value): Server {
  const values = new Map<string, string>()
  return createServer({ noDelay: true }, socket => {
    let input = ''
    socket.setEncoding('latin1').on('error', () => {}).on('data', (text: string) => {
      input += text
      for (;;) {
        const [whole, command, key = '', value = ''] = /^(get|set) (\S+)(?: 0 0 \d+\r\n(.*))?\r\n/.exec(input) ?? []
        if (whole === undefined) return
        input = input.slice(whole.length)
        socket.write(command === 'set' ? set(key, value) : get(key))
      }
    })
  })

  function set(key: string, value: string): string {
    if (capacity === 0) return 'SERVER_ERROR out of memory storing object\r\n'
    values.delete(key)
    values.set(key, value)
    if (values.size > capacity) values.delete([...values.keys()][0]!)
    return 'STORED\r\n'
  }

  function get(key: string): string {
    const value = values.get(key)
    if (value === undefined) return 'END\r\n'
    set(key, value)
    return `VALUE ${key} 0 ${value.length}\r\n${change(value)}\r\nEND\r\n`
  }
}

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}

function result(name: string, servers: readonly number[], policies: readonly number[]): Result {
  const side = (server: string, hitRatio: number): Side =>
    ({ server, items: 1234, hitRatio, refused: 0 })
  return {
    kind: 'trace', workload: { kind: 'trace', name, valueBytes: 100, megabytes: 8 }, requests: 100, keys: 50,
    sides: servers.map((hitRatio, index) => side(index === 0 ? 'ours' : 'theirs', hitRatio)),
    simulated: policies.map(hitRatio => side('LRU', hitRatio)),
  }
}
