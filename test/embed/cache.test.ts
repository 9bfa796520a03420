// The operations of a Cache, as a program calls them, in one thread.
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { Cache, MemslabError, type CacheOptions } from '../../src/index.js'
import { ManualClock } from '../support/clock.js'
import { until } from '../support/patience.js'
import { type Ends } from '../support/real.js'

const MIB = 1024 * 1024

function makeCache(t: Ends, options: CacheOptions = {}): { cache: Cache, strings: Cache<string>, clock: ManualClock } {
  const clock = new ManualClock()
  const cache = new Cache({ memory: '8m', clock, ...options })
  t.teardown(() => cache.close())
  return { cache, strings: cache.as('string'), clock }
}

/** The code of the MemslabError that a call throws. */
function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof MemslabError) return error.code
    throw error
  }
  return 'nothing was thrown'
}

t.test('what is set is there until it is deleted', async t => {
  const { strings } = makeCache(t)
  t.equal(strings.get('a'), undefined)
  strings.set('a', 'one')
  t.equal(strings.get('a'), 'one')
  t.equal(strings.has('a'), true)
  t.equal(strings.delete('a'), true)
  t.equal(strings.delete('a'), false)
  t.equal(strings.has('a'), false)
})

t.test('add, replace, append and prepend ask whether the key is there', async t => {
  const { strings } = makeCache(t)
  t.equal(strings.replace('a', 'x'), false)
  t.equal(strings.append('a', 'x'), false)
  t.equal(strings.add('a', 'middle', { flags: 7 }), true)
  t.equal(strings.add('a', 'again'), false)
  t.equal(strings.append('a', ' end'), true)
  t.equal(strings.prepend('a', 'start '), true)
  t.match(strings.gets('a'), { value: 'start middle end', flags: 7 })
  t.equal(strings.replace('a', 'other'), true)
  t.equal(strings.get('a'), 'other')
})

t.test('cas stores only over the item that was read', async t => {
  const { strings } = makeCache(t)
  strings.set('a', 'one')
  const { cas } = strings.gets('a')!
  t.equal(strings.cas('a', 'two', cas, { flags: 5 }), true)
  t.equal(strings.cas('a', 'three', cas), false)
  t.match(strings.gets('a'), { value: 'two', flags: 5 })
  t.equal(strings.cas('missing', 'x', cas), false)
  t.equal(codeOf(() => strings.cas('a', 'x', -1n)), 'EUSAGE')
})

t.test('values of all lengths come back as they were, and as copies', async t => {
  const { cache, strings } = makeCache(t)
  for (const length of [0, 1, 3, 100, 8191, 8192, 16 * 1024, 16 * 1024 + 1, 300_000, 1_000_000]) {
    const value = Buffer.alloc(length, `${length} `)
    cache.set('k', value)
    const copy = cache.get('k')!
    t.ok(value.equals(copy), `${length} bytes`)
    copy.fill(0)
    t.ok(value.equals(cache.get('k')!))
    t.equal(strings.get('k'), value.toString())
    t.ok(cache.getView('k', view => value.equals(view)))
  }
})

t.test('strings are stored in UTF-8', async t => {
  const { cache, strings } = makeCache(t)
  for (const text of ['', 'plain', 'größer', '日本語', '𝒳'.repeat(100), 'é'.repeat(127), 'é'.repeat(5461), 'x'.repeat(200) + '€']) {
    strings.set('k', text)
    t.equal(strings.get('k'), text)
    t.equal(Buffer.from(cache.get('k')!).toString(), text)
  }
})

t.test('JSON and the codecs of a program', async t => {
  const { cache } = makeCache(t)
  const json = cache.as<{ list: number[] }>('json')
  json.set('k', { list: [1, 2] }, { flags: 3 })
  t.same(json.get('k'), { list: [1, 2] })
  t.equal(cache.as('string').get('k'), '{"list":[1,2]}')
  t.equal(codeOf(() => cache.as('json').set('k', undefined)), 'EVALUE')
  // a codec may use the cache
  const dates = cache.as<Date>({
    encode: date => {
      cache.as('string').set('encoded', 'yes')
      return date.toISOString()
    },
    decode: bytes => {
      cache.as('string').set('decoded', 'yes')
      return new Date(Buffer.from(bytes).toString())
    },
  })
  const date = new Date(Date.UTC(2026, 1, 3))
  dates.set('d', date)
  t.same(dates.get('d'), date)
  t.same(cache.as('string').getMany(['encoded', 'decoded', 'd']), ['yes', 'yes', date.toISOString()])
})

t.test('what a codec must not return is refused, and the cache goes on', async t => {
  const { cache, strings } = makeCache(t)
  strings.set('k', 'before')
  for (const wrong of [undefined, null, 7, [1, 2], { length: 20_000 }, new Uint16Array(2), new ArrayBuffer(2)]) {
    const codec = cache.as({ encode: () => wrong as never, decode: bytes => bytes })
    t.equal(codeOf(() => codec.set('k', Buffer.from('x'))), 'EVALUE', String(wrong))
  }
  t.equal(strings.get('k'), 'before')
})

t.test('a view whose buffer was transferred is empty', async t => {
  const { cache } = makeCache(t)
  const gone = Uint8Array.of(1, 2, 3)
  structuredClone(gone.buffer, { transfer: [gone.buffer] })
  cache.set('k', gone)
  t.equal(cache.get('k')!.length, 0)
  t.equal(codeOf(() => cache.get(gone)), 'EKEY')
})

t.test('a value that is posted with its buffer takes no other value along', async t => {
  const { cache } = makeCache(t)
  cache.set('a', Buffer.from('one'))
  cache.set('b', Buffer.from('two'))
  const [a, b] = [cache.get('a')!, cache.get('b')!]
  try {
    // Node.js up to 20 makes a copy instead, later ones throw
    structuredClone(a, { transfer: [a.buffer as ArrayBuffer] })
  } catch (error) { t.match(error, { name: 'DataCloneError' }) }
  t.equal(Buffer.from(b).toString(), 'two')
})

t.test('numbers count up and down, exactly', async t => {
  const { strings } = makeCache(t)
  t.equal(strings.incr('n'), undefined)
  t.equal(strings.incr('n', 1, { initial: 10 }), 10)
  t.equal(strings.incr('n', 5), 15)
  t.equal(strings.decr('n'), 14)
  t.equal(strings.decr('n', 100), 0)
  strings.set('n', String(2n ** 64n - 1n))
  t.equal(strings.incr('n', 0n), 2n ** 64n - 1n)
  t.equal(strings.incr('n', 2n), 1n)
  strings.set('n', 'x')
  t.equal(codeOf(() => strings.incr('n')), 'ENOTNUMBER')
  for (const by of [-1, 1.5, NaN, 2 ** 53, -1n, 2n ** 64n]) t.equal(codeOf(() => strings.incr('n', by as number)), 'EUSAGE', String(by))
})

t.test('an item lives as long as was said, and up to a second longer', async t => {
  const { strings, clock } = makeCache(t)
  clock.advance(0.7)
  strings.set('second', 'x', { ttl: 1000 })
  strings.set('short', 'x', { ttl: 1 })
  strings.set('text', 'x', { ttl: '2m' })
  strings.set('long', 'x', { ttl: '60d' })
  strings.set('never', 'x', { ttl: 0 })
  strings.set('forever', 'x', { ttl: Infinity })
  clock.advance(0.2)
  t.ok(strings.has('short'))
  clock.advance(0.1)
  t.notOk(strings.has('short'))
  clock.advance(0.7)
  t.ok(strings.has('second'))
  clock.advance(0.3)
  t.notOk(strings.has('second'))
  t.ok(strings.has('text'))
  t.ok(strings.touch('text', '1h'))
  clock.jump(3000)
  t.ok(strings.has('text'))
  clock.jump(3600)
  t.notOk(strings.has('text'))
  t.notOk(strings.touch('text', 1000))
  clock.jump(59 * 86400)
  t.ok(strings.has('long'))
  clock.jump(86400)
  t.notOk(strings.has('long'))
  t.ok(strings.has('never'))
  t.ok(strings.has('forever'))
  for (const ttl of [-1, NaN, 'soon', '', null]) t.equal(codeOf(() => strings.set('k', 'v', { ttl: ttl as number })), 'EUSAGE', String(ttl))
})

t.test('many keys at once', async t => {
  const { strings } = makeCache(t)
  strings.setMany(new Map([['a', '1'], ['b', '2']]), { ttl: '1h' })
  strings.setMany(Object.entries({ c: '3' }))
  t.same(strings.getMany(['a', 'x', 'c']), ['1', undefined, '3'])
  t.equal(strings.deleteMany(['a', 'x', 'b']), 2)
  t.same([...strings.keys()], ['c'])
})

t.test('keys are any 1 to 250 bytes; a string and its bytes are the same key', async t => {
  const { strings } = makeCache(t)
  const long = 'k'.repeat(250)
  const keys = ['k', long, 'ключ', 'with blank', 'line\r\nend', '\u0000', '𝒳']
  for (const [index, key] of keys.entries()) strings.set(key, String(index))
  t.same(strings.getMany(keys), keys.map((_, index) => String(index)))
  t.same(strings.getMany(keys.map(key => Buffer.from(key))), keys.map((_, index) => String(index)))
  t.same([...strings.keys()].sort(), [...keys].sort())
  const bytes = Uint8Array.of(0xff, 0, 0x80)
  strings.set(bytes, 'bytes')
  t.equal(strings.get(bytes), 'bytes')
  t.same([...strings.keys(Uint8Array.of(0xff))], [Buffer.from(bytes)])
  for (const key of ['', long + 'k', 'é'.repeat(126), '\ud800', new Uint8Array(0), new Uint8Array(251), 7, undefined, null, {}]) {
    t.equal(codeOf(() => strings.get(key as string)), 'EKEY', String(key))
    t.equal(codeOf(() => strings.set(key as string, 'v')), 'EKEY')
  }
})

t.test('bytes of another realm, as tests in jsdom have them', async t => {
  const { cache, strings } = makeCache(t)
  const bytes = runInNewContext('new Uint8Array([107])') as Uint8Array
  t.notOk(bytes instanceof Uint8Array)
  cache.set(bytes, bytes)
  t.equal(strings.get('k'), 'k')
  t.same([...cache.keys(bytes)], ['k'])
  t.equal(await strings.getOrSet(bytes, () => 'other'), 'k')
})

t.test('keys with a prefix, many of them, while the cache is used', async t => {
  const { strings } = makeCache(t)
  for (let index = 0; index < 3000; index++) {
    strings.set(`a:${index}`, 'x')
    strings.set(`b:${index}`, 'x')
  }
  const seen: unknown[] = []
  for (const key of strings.keys('a:')) {
    seen.push(key)
    strings.set(key, 'changed')
    strings.set('c:' + String(key), 'new')
  }
  t.equal(seen.length, 3000)
  t.equal(new Set(seen).size, 3000)
  // an iterator that is left early frees the walk
  for (const _ of strings.keys()) break
  t.equal([...strings.keys('b:')].length, 3000)
})

t.test('a view stays as it is while the key changes, and is given back when the callback throws', async t => {
  const { cache } = makeCache(t)
  cache.set('k', Buffer.from('before'))
  const seen = cache.getView('k', view => {
    cache.set('k', Buffer.from('behind'))
    cache.delete('k')
    for (let index = 0; index < 100; index++) cache.set(`other${index}`, Buffer.from('other!'))
    return cache.getView('other1', inner => `${Buffer.from(view)} ${Buffer.from(inner)}`)
  })
  t.equal(seen, 'before other!')
  t.throws(() => cache.getView('other1', () => { throw new Error('mine') }), { message: 'mine' })
  t.equal(cache.getView('k', () => 1), undefined)
  cache.flush()
  t.equal(cache.stats().curr_items, 0)
})

t.test('a view is a Buffer, however large the value is and however many views are open', async t => {
  const { cache } = makeCache(t)
  for (const length of [5, 3000, 600_000]) {
    cache.set('k', Buffer.alloc(length, 'text '))
    const read = (depth: number): string => cache.getView('k', view => depth > 0 ? read(depth - 1) : view.toString())!
    for (const depth of [0, 1, 10]) t.equal(read(depth).slice(0, 5), 'text ', `${length} bytes, ${depth} more views`)
  }
})

t.test('an iterator that rests makes room for those of other threads', async t => {
  const { cache, strings, clock } = makeCache(t)
  for (let index = 0; index < 3000; index++) strings.set(`k${index}`, 'x')
  const other = Cache.attach(cache.handle)
  t.teardown(() => other.close())
  const keys = cache.keys()
  const seen = [keys.next().value]
  t.equal(codeOf(() => other.keys().next()), 'EBUSY')
  // one that goes on keeps the walk
  clock.advance(1)
  seen.push(keys.next().value)
  clock.advance(1)
  t.equal(codeOf(() => other.keys().next()), 'EBUSY')
  clock.advance(1)
  await until('the iterator that rests ends', () => codeOf(() => other.keys().next()) !== 'EBUSY')
  seen.push(...keys)
  t.equal(new Set(seen).size, 3000)
})

t.test('a value that is too large is refused, and what a set would have replaced is gone', async t => {
  const { cache } = makeCache(t)
  cache.set('k', Buffer.from('old'))
  t.equal(codeOf(() => cache.add('j', Buffer.alloc(MIB))), 'ETOOLARGE')
  t.equal(codeOf(() => cache.replace('k', Buffer.alloc(MIB))), 'ETOOLARGE')
  t.ok(cache.has('k'))
  t.equal(codeOf(() => cache.set('k', Buffer.alloc(MIB))), 'ETOOLARGE')
  t.notOk(cache.has('k'))
})

t.test('a cache without evictions refuses what it has no memory for', async t => {
  const { cache } = makeCache(t, { evictions: false, memory: 2 })
  let index = 0
  t.equal(codeOf(() => { for (; index < 1000; index++) cache.set(`k${index}`, Buffer.alloc(10_000)) }), 'EFULL')
  t.ok(index > 50)
  t.ok(cache.has('k0'))
  cache.delete('k0')
  cache.set('k', Buffer.alloc(10_000))
})

t.test('statistics have the names of memcached', async t => {
  const { cache } = makeCache(t)
  cache.set('k', Buffer.from('v'))
  cache.get('k')
  cache.get('x')
  cache.has('k')
  cache.incr('x')
  t.match(cache.stats(), {
    cmd_get: 2, get_hits: 1, get_misses: 1, cmd_set: 1, incr_misses: 1, curr_items: 1, evictions: 0, limit_maxbytes: 8 * MIB,
  })
})

t.test('the background work keeps up with a busy cache, and rests beside an idle one', async t => {
  const { cache, clock } = makeCache(t)
  const stepsIn = (work: () => void): number => {
    const before = cache.stats().lru_maintainer_juggles!
    for (let turns = 0; turns < 50; turns++) {
      work()
      clock.advance(0.1)
    }
    return cache.stats().lru_maintainer_juggles! - before
  }
  stepsIn(() => {})
  t.ok(stepsIn(() => {}) <= 6, 'one a second')
  t.ok(stepsIn(() => cache.set('k', Buffer.from('v'))) >= 35, 'ten a second')
})

t.test('all wrong options are named at once', async t => {
  const wrong = { memory: 'much', attachable: -1, clock: {}, values: 'text', port: 1, memry: 2, itemSizeMax: 1, evictions: 'no' }
  t.throws(() => new Cache(wrong as never), { name: 'MemslabError', code: 'EUSAGE', problems: [
    /^values: must be 'bytes', 'string', 'json' or a codec/,
    'port: is an option of a server, which a Cache does not have',
    'unknown option "memry"; is it memory?',
    /^memory: must be a number of megabytes or a text such as '256m'/,
    /^attachable: must be a whole number from 0 to 256/,
    /^clock: must have/,
    /^evictions: must be a boolean/,
    /^itemSizeMax: must be from 1024/,
  ] })
  t.equal(codeOf(() => new Cache({ memory: 8, maxbytes: 8 * MIB })), 'EUSAGE')
  t.equal(codeOf(() => new Cache(7 as never)), 'EUSAGE')
  t.equal(codeOf(() => new Cache().as('text' as never)), 'EUSAGE')
})

t.test('a closed cache refuses everything', async t => {
  const { cache, strings } = makeCache(t)
  strings.set('k', 'v')
  const iterator = cache.keys()
  cache.close()
  cache.close()
  const calls: (() => unknown)[] = [
    () => cache.get('k'), () => strings.set('k', 'v'), () => cache.delete('k'), () => cache.has('k'), () => cache.touch('k', 1),
    () => cache.incr('k'), () => cache.flush(), () => cache.stats(), () => cache.handle, () => cache.getView('k', () => 1),
    () => iterator.next(), () => cache.gets('k'), () => cache.getMany(['k']),
  ]
  for (const call of calls) t.equal(codeOf(call), 'ECLOSED', String(call))
})
