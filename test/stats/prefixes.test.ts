import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { Lives } from '../../src/memory/lives.js'
import { Prefixes, PREFIXES_MAX, PrefixWord } from '../../src/stats/prefixes.js'
import { knownHash } from '../support/hash.js'
import { runThreads } from '../support/threads.js'
import { type TallierData } from './tallier.js'

const KINDS = [['memory of its own', ArrayBuffer], ['shared memory', SharedArrayBuffer]] as const

const get = (prefixes: Prefixes, text: string, isHit = false) => {
  const key = Buffer.from(text, 'latin1')
  prefixes.recordGet(key, 0, key.length, isHit)
}
const set = (prefixes: Prefixes, text: string) => prefixes.recordSet(Buffer.from(text, 'latin1'), 0, text.length)
const del = (prefixes: Prefixes, text: string) => prefixes.recordDelete(Buffer.from(text, 'latin1'), 0, text.length)

/** The lines of a dump, in order. */
const lines = (prefixes: Prefixes) => dumped(prefixes).split('\r\n').slice(0, -1).sort()
const dumped = (prefixes: Prefixes) => [...prefixes.dump()].join('')

for (const [kind, MemoryKind] of KINDS) {
  const makePrefixes = (delimiter = ':') => new Prefixes(new MemoryKind(Prefixes.BYTES), delimiter, knownHash)

  t.test(`at first counting is off and nothing is counted, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    t.equal(prefixes.isOn, false)
    t.equal(dumped(prefixes), '')
    prefixes.reset()
    prefixes.isOn = true
    t.equal(prefixes.isOn, true)
    prefixes.isOn = false
    t.equal(prefixes.isOn, false)
  })

  t.test(`gets, hits, sets and deletes are counted apart, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    get(prefixes, 'a:1', true)
    get(prefixes, 'a:2')
    get(prefixes, 'a:3')
    set(prefixes, 'a:1')
    set(prefixes, 'b:1')
    del(prefixes, 'b:1')
    del(prefixes, 'c:d:e')
    t.same(lines(prefixes), [
      'PREFIX a get 3 hit 1 set 1 del 0', 'PREFIX b get 0 hit 0 set 1 del 1', 'PREFIX c get 0 hit 0 set 0 del 1',
    ])
    t.match(dumped(prefixes), /[^\n]\r\n$/)
  })

  t.test(`a prefix ends before the first delimiter, and a key without one has none, in ${kind}`, async t => {
    const prefixes = makePrefixes('/')
    get(prefixes, 'a:b')
    get(prefixes, 'a:b/')
    get(prefixes, '/a')
    t.same(lines(prefixes), ['PREFIX  get 1 hit 0 set 0 del 0', 'PREFIX a:b get 1 hit 0 set 0 del 0'])
  })

  t.test(`only the key is looked at, not what lies around it, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    const bytes = Buffer.from('get a:b:c d:')
    prefixes.recordGet(bytes, 4, 9, true)
    prefixes.recordGet(bytes, 4, 5, true)
    prefixes.recordGet(bytes, 6, 9, true)
    t.same(lines(prefixes), ['PREFIX a get 1 hit 1 set 0 del 0', 'PREFIX b get 1 hit 1 set 0 del 0'])
  })

  t.test(`prefixes may have any bytes, and as many as a key, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    const names = ['\xff\x80', 'x'.repeat(248), 'x'.repeat(249), 'x'.repeat(250)]
    for (const name of names) set(prefixes, `${name}:`)
    t.same(lines(prefixes), names.map(name => `PREFIX ${name} get 0 hit 0 set 1 del 0`).sort())
    t.throws(() => set(prefixes, `${'x'.repeat(251)}:`), InvariantError)
  })

  t.test(`a dump comes in short parts, up to a reset, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    for (let index = 0; index < 1000; index++) set(prefixes, `p${index}:`)
    const parts = prefixes.dump()[Symbol.iterator]()
    const first = parts.next().value as string
    t.ok(first.split('\r\n').length <= 65, 'a part is for a few')
    set(prefixes, 'late:')
    t.equal(lines(prefixes).length, 1001)
    t.ok([...prefixes.dump()].every(part => part.length < 65_536 && part.endsWith('\r\n')))
    prefixes.reset()
    for (let index = 0; index < 1000; index++) set(prefixes, `q${index}:`)
    t.equal(parts.next().done, true, 'what has come since the reset is another dump')
  })

  t.test(`no prefix makes a line of its own, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    for (const prefix of ['\r\nEND\r\n', 'a b', '\0\x7f', 'a%b']) set(prefixes, `${prefix}:`)
    t.same(lines(prefixes), ['%00%7F', '%0D%0AEND%0D%0A', 'a%20b', 'a%b'].map(name => `PREFIX ${name} get 0 hit 0 set 1 del 0`))
  })

  t.test(`reset forgets them all and leaves counting on, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    prefixes.isOn = true
    get(prefixes, 'a:1', true)
    get(prefixes, 'b:1', true)
    prefixes.reset()
    t.equal(dumped(prefixes), '')
    t.equal(prefixes.isOn, true)
    set(prefixes, 'b:1')
    t.same(lines(prefixes), ['PREFIX b get 0 hit 0 set 1 del 0'])
  })

  t.test(`so many prefixes are counted and no more, in ${kind}`, async t => {
    const prefixes = makePrefixes()
    const names = Array.from({ length: PREFIXES_MAX }, (_, index) => `p${index}`)
    for (const name of names) set(prefixes, `${name}:`)
    set(prefixes, 'more:')
    del(prefixes, 'p0:')
    const expected = names.map(name => `PREFIX ${name} get 0 hit 0 set 1 del ${name === 'p0' ? 1 : 0}`)
    t.ok(lines(prefixes).join() === expected.sort().join())
    prefixes.reset()
    set(prefixes, 'more:')
    t.same(lines(prefixes), ['PREFIX more get 0 hit 0 set 1 del 0'])
  })
}

t.test('a prefix that finds only others where it may be is not counted', async t => {
  const memory = new ArrayBuffer(Prefixes.BYTES)
  const prefixes = new Prefixes(memory, ':', knownHash)
  set(prefixes, 'a:')
  new Int32Array(memory).fill(1, PrefixWord.Index, PrefixWord.Rows)
  set(prefixes, 'b:')
  set(prefixes, 'a:')
  t.same(lines(prefixes), ['PREFIX a get 0 hit 0 set 2 del 0'])
})

t.test('where a prefix may be follows from the hash that is handed in', async t => {
  const PROBES = 64
  const prefixes = new Prefixes(new ArrayBuffer(Prefixes.BYTES), ':', { of: () => 7 })
  for (let i = 0; i < PROBES + 3; i++) set(prefixes, `p${i}:`)
  t.equal(lines(prefixes).length, PROBES, 'those that collide with so many others are not counted')
})

t.test('counts are exact up to 2^53', async t => {
  const memory = new SharedArrayBuffer(Prefixes.BYTES)
  const prefixes = new Prefixes(memory, ':', knownHash)
  get(prefixes, 'a:', true)
  new Float64Array(memory, PrefixWord.Rows * 4).fill(2 ** 53 - 2, 0, 4)
  get(prefixes, 'a:', true)
  set(prefixes, 'a:')
  del(prefixes, 'a:')
  const most = 2 ** 53 - 1
  t.same(lines(prefixes), [`PREFIX a get ${most} hit ${most} set ${most} del ${most}`])
})

t.test('over one memory all count together', async t => {
  const memory = new SharedArrayBuffer(Prefixes.BYTES)
  const one = new Prefixes(memory, ':', knownHash)
  const other = new Prefixes(memory, ':', knownHash)
  one.isOn = true
  t.equal(other.isOn, true)
  set(one, 'a:')
  set(other, 'a:')
  get(other, 'b:')
  t.equal(dumped(one), 'PREFIX a get 0 hit 0 set 2 del 0\r\nPREFIX b get 1 hit 0 set 0 del 0\r\n')
  one.reset()
  t.equal(dumped(other), '')
})

t.test('of threads that count at once, nothing is lost', async t => {
  const threads = 3
  const rounds = 500
  const count = 60
  const memory = new SharedArrayBuffer(Prefixes.BYTES)
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const lives = new Int32Array(new SharedArrayBuffer(Lives.bytesFor(threads + 1)))
  const prefixes = new Prefixes(memory, ':', knownHash, new Lives(lives, 0))
  const data = Array.from({ length: threads }, (_, index): TallierData =>
    ({ memory, gate, lives, thread: index + 1, threads, rounds, prefixes: count }))
  let torn = 0
  const look = () => {
    const names = new Set<string>()
    for (const line of lines(prefixes)) {
      const [, name = '', ...counts] = /^PREFIX (prefix\d+) get (\d+) hit (\d+) set (\d+) del (\d+)$/.exec(line) ?? []
      const [got = 0, hit = 0, stored = 0, deleted = 0] = counts.map(Number)
      const isWhole = name !== '' && !names.has(name) && got >= hit && got >= stored && stored >= deleted
      if (!isWhole) torn++
      names.add(name)
    }
  }
  await runThreads(new URL('tallier.js', import.meta.url), data, look)
  t.equal(torn, 0, 'what is told meanwhile is of one moment')
  const each = threads * rounds
  const expected = Array.from({ length: count }, (_, index) =>
    `PREFIX prefix${index} get ${each} hit ${each / 2} set ${each} del ${each}`)
  t.same(lines(prefixes), expected.sort())
})
