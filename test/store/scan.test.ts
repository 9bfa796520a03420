// Walks over keys that are broken off and gone on with by a number.
import t from 'tap'
import { Mode } from '../../src/store/request.js'
import { type ItemView } from '../../src/store/view.js'
import { KeyScan } from '../../src/store/walks/scan.js'
import { type Visitor } from '../../src/store/walks/dump.js'
import { Prng } from '../support/prng.js'
import { StoreUnderTest } from '../support/store.js'

const SEED = 20261129
const MIB = 1024 * 1024

/** Takes the keys that it has room for. */
class Keys implements Visitor {
  readonly all: string[] = []
  constructor(public room: number) {}

  visit({ bytes, keyStart, keyBytes }: ItemView): boolean {
    if (this.room === 0) return false
    this.room--
    this.all.push(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes)).toString('latin1'))
    return true
  }
}

const put = (subject: StoreUnderTest, key: string, bytes = 10, exptime = 0) =>
  subject.put(Mode.Set, key, Buffer.alloc(bytes), 0, exptime)

/** Up to `room` keys from a cursor on, and the next cursor. */
function piece({ store }: StoreUnderTest, prefix: string, cursor: number, room: number): { keys: string[], cursor: number } {
  const keys = new Keys(room)
  const scan = store.scanKeys(Buffer.from(prefix, 'latin1'), cursor)
  let isDone = false
  for (let steps = 0; !isDone && (keys.room > 0 || steps === 0); steps++) isDone = scan.step(keys)
  return { keys: keys.all, cursor: scan.cursor }
}

t.test('piece by piece a scan visits each key that begins with the bytes once, and only live ones', t => {
  const subject = new StoreUnderTest({ maxbytes: 64 * MIB })
  const random = new Prng(SEED)
  const wanted = Array.from({ length: 5000 }, (_, index) => `a:${index}`)
  for (const key of wanted) put(subject, key, random.below(2000))
  wanted.push('a:large')
  put(subject, 'a:large', 900_000)
  for (let index = 0; index < 3000; index++) put(subject, `b:a:${index}`, random.below(2000))
  for (let index = 0; index < 1000; index++) put(subject, `a:dead-${index}`, 10, 5)
  subject.clock.advance(10)
  subject.store.refreshTime()
  const found: string[] = []
  let cursor = 0
  do {
    const part = piece(subject, 'a:', cursor, random.between(1, 700))
    cursor = part.cursor
    found.push(...part.keys)
    // what overwrites a value leaves the item where it is, and others come and go
    put(subject, `b:a:${random.below(6000)}`, random.below(2000))
  } while (cursor !== 0)
  t.same(found.sort(), wanted.sort())
  t.same(piece(subject, 'c', 0, 10), { keys: [], cursor: 0 })
  t.end()
})

t.test('a scan goes through all arenas, and may begin at any number', t => {
  const subject = new StoreUnderTest({ maxbytes: 3 * 1024 * MIB })
  t.ok(subject.store.shards.length > 1)
  const all = Array.from({ length: 2000 }, (_, index) => `k${index}`)
  for (const key of all) put(subject, key, 100)
  const { keys, cursor } = piece(subject, 'k', 0, 700)
  const rest = piece(subject, 'k', cursor, Infinity)
  t.equal(rest.cursor, 0)
  t.same([...keys, ...rest.keys].sort(), all.sort())
  for (const odd of [1, cursor + 1, 2 ** 29 - 1, 2 ** 29, 2 ** 30, 2 ** 31, KeyScan.CURSOR_MAX]) {
    const { keys } = piece(subject, 'k', odd, Infinity)
    t.ok(keys.length <= all.length && new Set(keys).size === keys.length, `cursor ${odd}`)
  }
  t.throws(() => subject.store.scanKeys(Buffer.from(''), -1))
  t.throws(() => subject.store.scanKeys(Buffer.from(''), 0.5))
  t.end()
})

t.test('a step is bounded, and any number of scans may be under way, beside a walk', t => {
  const subject = new StoreUnderTest()
  for (let index = 0; index < 10_000; index++) put(subject, `k${index}`)
  const walk = subject.store.tryWalkKeys(Buffer.from('k'))!
  const scans = Array.from({ length: 3 }, () => ({ scan: subject.store.scanKeys(Buffer.from('k'), 0), keys: new Keys(Infinity) }))
  let steps = 0
  for (let isDone = false; !isDone; steps++) for (const { scan, keys } of scans) isDone = scan.step(keys)
  t.ok(steps > 20, `${steps} steps`)
  for (const { keys } of scans) t.equal(new Set(keys.all).size, 10_000)
  const others = new Keys(Infinity)
  while (!walk.step(others));
  t.equal(others.all.length, 10_000)
  t.end()
})
