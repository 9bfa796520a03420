// What a request may want of the store beyond its plain form, as a program that embeds the store asks for it: what comes of it,
// what counts, and what becomes of a value that is given up.
import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { Found, Mode, Want, type Request } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { type ItemView, type ValueLoan } from '../../src/store/view.js'
import { ClassCounter, Counter } from '../../src/stats/counters.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MODES = [Mode.Set, Mode.Add, Mode.Replace, Mode.Append, Mode.Prepend, Mode.Cas]

/** What is counted of gets, as far as it is not 0. */
function counted({ store: { counters } }: StoreUnderTest): Record<string, number> {
  let hits = 0
  for (let list = ClassCounter.HitsToHot; list <= ClassCounter.HitsToTemp; list++) hits += counters.sumClasses(list)
  const all = {
    gets: counters.sum(Counter.CmdGet), hits, misses: counters.sum(Counter.GetMisses),
    touches: counters.sum(Counter.CmdTouch), touchHits: counters.sumClasses(ClassCounter.TouchHits),
    touchMisses: counters.sum(Counter.TouchMisses),
  }
  counters.reset()
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count > 0))
}

/** Has the store show the item of a key. @param rest of the request @returns what the get found; undefined for a miss */
function get(subject: StoreUnderTest, key: string, wants: number, rest: Partial<Request> = {},
  read: (view: ItemView) => boolean = () => true): number | undefined {
  const request = Object.assign(subject.for(key), { wants, flags: 0, expiresAt: 0, ...rest })
  return subject.store.get(request, { read }) ? request.result : undefined
}

/** What an item shows of itself to a reader who only looks. */
function facts(subject: StoreUnderTest, key: string): { age: number, endsIn: number | undefined, flags: number, isFetched: boolean } {
  let shown: ReturnType<typeof facts> | undefined
  get(subject, key, Want.Peek, {}, view => {
    const endsIn = view.expiresAt === 0 ? undefined : view.expiresAt - subject.store.context.now
    shown = { age: view.age, endsIn, flags: view.flags, isFetched: view.isFetched }
    return true
  })
  if (shown === undefined) throw new Error(`no item for ${key}`)
  return shown
}

function put(subject: StoreUnderTest, key: string, exptime = 0, value = 'value'): void {
  subject.put(Mode.Set, key, Buffer.from(value), 0, exptime)
}

/** A second of store time. */
const inSeconds = ({ store }: StoreUnderTest, seconds: number): number => store.expiryFor(seconds)

// Gets

t.test('a get that only looks counts as none, and its item not as used', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k')
  subject.clock.advance(100)
  counted(subject)
  for (const wants of [Want.Peek, Want.Peek | Want.Renewal]) {
    t.equal(get(subject, 'k', wants), Found.None)
    t.equal(get(subject, 'none', wants), undefined)
  }
  t.same(counted(subject), {})
  t.match(facts(subject, 'k'), { age: 100, isFetched: false })
})

t.test('a get with NoBump counts, but its item not as used', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k')
  subject.clock.advance(100)
  get(subject, 'k', Want.NoBump)
  get(subject, 'none', Want.NoBump)
  t.same(counted(subject), { gets: 2, hits: 1, misses: 1 })
  t.match(facts(subject, 'k'), { age: 100, isFetched: false })
  get(subject, 'k', Want.Renewal)
  t.match(facts(subject, 'k'), { age: 100, isFetched: true }, 'as in memcached the first get only marks it')
  get(subject, 'k', Want.NoBump)
  t.match(facts(subject, 'k'), { age: 100 })
  get(subject, 'k', Want.Renewal)
  t.match(facts(subject, 'k'), { age: 0 })
})

t.test('a get whose reader declines counts as none, and neither marks its item nor counts it as used', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k')
  put(subject, 'stale')
  subject.delete('stale', Want.Invalidate)
  subject.clock.advance(100)
  counted(subject)
  const declines = () => false
  for (const wants of [Want.None, Want.NoBump, Want.Renewal]) {
    t.not(get(subject, 'k', wants, {}, declines), undefined, 'there is an item')
    t.match(facts(subject, 'k'), { age: 100, isFetched: false })
  }
  t.equal(get(subject, 'stale', Want.Renewal, {}, declines), Found.Stale | Found.Won)
  t.same(counted(subject), {})
  t.equal(get(subject, 'stale', Want.Renewal), Found.Stale | Found.Won, 'the next client is to renew it')
  t.equal(get(subject, 'stale', Want.Renewal), Found.Stale | Found.WonBefore)
})

t.test('a get that gives its item a new end counts as a touch alone', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k', 10)
  counted(subject)
  get(subject, 'k', Want.NewExpiry, { expiresAt: inSeconds(subject, 20) })
  t.same(counted(subject), { touches: 1, touchHits: 1 })
  t.equal(facts(subject, 'k').endsIn, 20)
  get(subject, 'none', Want.NewExpiry)
  t.same(counted(subject), { gets: 1, misses: 1 }, 'with nothing to touch it is a get')
  get(subject, 'k', Want.Touch, { expiresAt: inSeconds(subject, 30) })
  t.same(counted(subject), { touches: 1, touchHits: 1 })
  t.equal(facts(subject, 'k').endsIn, 30)
  get(subject, 'none', Want.Touch)
  t.same(counted(subject), { touches: 1, touchMisses: 1 })
  get(subject, 'k', Want.Renewal, { expiresAt: inSeconds(subject, 40) })
  t.equal(facts(subject, 'k').endsIn, 30, 'an end that is not wanted')
})

t.test('a get says when its item ended before it got a new end', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k', 10)
  const endBefore = inSeconds(subject, 10)
  get(subject, 'k', Want.NewExpiry, { expiresAt: inSeconds(subject, 20) }, () => {
    t.equal(subject.for('k').endBefore, endBefore)
    return true
  })
})

t.test('a missing key comes into being without a value, and one client is to give it one', async t => {
  const subject = new StoreUnderTest()
  const rest = { vivifiedUntil: inSeconds(subject, 30), expiresAt: inSeconds(subject, 5), flags: 7 }
  t.equal(get(subject, 'k', Want.Vivify | Want.Renewal, rest, view => view.valueBytes === 0), Found.Vivified | Found.Won)
  t.same(counted(subject), { gets: 1, hits: 1 })
  t.match(facts(subject, 'k'), { endsIn: 30, flags: 0, isFetched: true })
  t.equal(subject.get('k')?.value.length, 0)
  t.equal(get(subject, 'k', Want.Vivify | Want.Renewal, { vivifiedUntil: inSeconds(subject, 90) }), Found.WonBefore)
  t.equal(facts(subject, 'k').endsIn, 30, 'what is there stays as it is')
  put(subject, 'k')
  t.equal(get(subject, 'k', Want.Vivify | Want.Renewal), Found.None, 'it has been renewed')
  t.equal(get(subject, 'other', Want.Vivify | Want.NewExpiry, rest), Found.Vivified, 'without Renewal nobody is asked to')
  t.equal(facts(subject, 'other').endsIn, 30, 'the end for what comes into being')
  t.equal(get(subject, 'other', Want.Renewal), Found.None, 'nor is anybody waited for')
  subject.verify()
})

t.test('without memory a missing key stays missing, which counts as a miss', async t => {
  const subject = new StoreUnderTest({ maxbytes: 2 * 1024 * 1024, evictions: false })
  for (let n = 0; subject.put(Mode.Set, `k${n}`, Buffer.alloc(0)) === Outcome.Stored; n++);
  counted(subject)
  t.equal(get(subject, 'none', Want.Vivify | Want.Renewal), undefined)
  t.same(counted(subject), { gets: 1, misses: 1 })
  subject.verify()
})

t.test('a stale item is renewed by the first client that asks, whatever else asks for it', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k')
  t.equal(get(subject, 'k', Want.Renewal), Found.None)
  subject.delete('k', Want.Invalidate)
  t.equal(get(subject, 'k', Want.NoBump), Found.None, 'a client that does not ask')
  t.equal(get(subject, 'k', Want.Renewal), Found.Stale | Found.Won)
  t.equal(get(subject, 'k', Want.Renewal), Found.Stale | Found.WonBefore)
  subject.delete('k', Want.Invalidate)
  t.equal(get(subject, 'k', Want.Renewal), Found.Stale | Found.Won, 'made stale once more')
  put(subject, 'k')
  t.equal(get(subject, 'k', Want.Renewal), Found.None)
})

t.test('an item that ends soon is renewed by one client that says how soon', async t => {
  const subject = new StoreUnderTest()
  const recache = (key: string, seconds: number, wants: number = Want.None, exptime = 0) => get(subject, key,
    Want.Renewal | Want.Recache | wants, { recacheBefore: inSeconds(subject, seconds), expiresAt: inSeconds(subject, exptime) })
  put(subject, 'k', 30)
  t.equal(recache('k', 30), Found.None, 'as much is left')
  t.equal(get(subject, 'k', Want.Renewal, { recacheBefore: inSeconds(subject, 31) }), Found.None, 'without Recache')
  t.equal(recache('k', 31), Found.Won)
  t.equal(recache('k', 31), Found.WonBefore)
  t.equal(get(subject, 'k', Want.Renewal), Found.WonBefore, 'as others are shown')
  put(subject, 'forever')
  t.equal(recache('forever', 1000), Found.None, 'what has no end')
  put(subject, 'longer', 10)
  t.equal(recache('longer', 20, Want.NewExpiry | Want.RecacheLast, 30), Found.None, 'the end that it gets')
  put(subject, 'longer', 10)
  t.equal(recache('longer', 20, Want.NewExpiry, 30), Found.Won, 'the end that it had')
  put(subject, 'shorter', 30)
  t.equal(recache('shorter', 20, Want.NewExpiry | Want.RecacheLast, 10), Found.Won)
  put(subject, 'shorter', 30)
  t.equal(recache('shorter', 20, Want.NewExpiry, 10), Found.None)
})

/** What no get wants. */
const NOT_OF_GETS = Want.CompareCas | Want.TellCas | Want.MayBeStale | Want.Invalidate | Want.RemoveValue | Want.DropOld | Want.FromMeta

t.test('what only other operations want makes no difference to a get', async t => {
  const subject = new StoreUnderTest()
  const rest = { expiresAt: inSeconds(subject, 5), vivifiedUntil: inSeconds(subject, 5), recacheBefore: inSeconds(subject, 100) }
  put(subject, 'k', 50)
  counted(subject)
  for (let hit = 0; hit < 2; hit++) {
    subject.clock.advance(1)
    t.equal(get(subject, 'k', NOT_OF_GETS, rest), Found.None)
  }
  t.equal(get(subject, 'k', NOT_OF_GETS | Want.Renewal, rest), Found.None)
  t.same(facts(subject, 'k'), { age: 0, endsIn: 48, flags: 0, isFetched: true })
  t.equal(get(subject, 'none', NOT_OF_GETS | Want.Renewal, rest), undefined)
  t.same(counted(subject), { gets: 4, hits: 3, misses: 1 })
  subject.delete('k', Want.Invalidate)
  t.equal(get(subject, 'k', NOT_OF_GETS, rest), Found.None, 'it is stale, but the request does not ask')
})

// Other operations with a cas number

t.test('a number to compare with is all that it says', async t => {
  const subject = new StoreUnderTest()
  const compare = (key: string, rest: Partial<Request>): Request => {
    const cas = subject.get(key)?.cas ?? 1
    const request = subject.for(key)
    request.cas.set(0, cas)
    request.newCas.set(7, 7)
    request.casAfter.set(8, 8)
    request.number.set(0, 1)
    return Object.assign(request, { wants: Want.CompareCas, flags: 3, expiresAt: inSeconds(subject, 5), isDecrement: false, ...rest })
  }
  const join = (key: string, mode: Mode): Outcome => {
    const request = compare(key, { mode, valueBytes: 1 })
    request.bytes = Buffer.concat([request.bytes, Buffer.from('1')])
    return subject.store.set(request, request.keyEnd)
  }
  const casAfter = () => [subject.for('k').casAfter.high, subject.for('k').casAfter.low]
  put(subject, 'k', 50, '5')
  for (const mode of [Mode.Append, Mode.Prepend]) {
    t.equal(join('k', mode), Outcome.Stored)
    t.same(casAfter(), [8, 8], 'nobody wants to know')
    t.equal(join('none', mode), Outcome.NotStored)
  }
  t.equal(subject.get('k')?.value.toString(), '151')
  t.equal(subject.store.arithmetic(compare('k', {})), Outcome.Number)
  t.equal(subject.store.arithmetic(compare('none', {})), Outcome.NotFound)
  t.same(casAfter(), [8, 8])
  t.equal(subject.get('k')?.value.toString(), '152')
  t.equal(facts(subject, 'k').endsIn, 50, 'no new end')
  t.equal(subject.look('k', view => view.casHigh), 0, 'no number of the request')
  const filling = subject.store.begin(compare('new', { mode: Mode.Set, valueBytes: 5 }))
  if (typeof filling === 'number') throw new Error('there is memory')
  t.equal(filling.commit(subject.for('any')), Outcome.Stored)
  for (const key of ['k', 'new']) t.equal(subject.look(key, view => view.isBinaryKey), false)
  t.equal(subject.store.delete(compare('k', {})), Outcome.Deleted)
  t.equal(subject.get('k'), undefined)
  subject.verify()
})

t.test('another number than the item has, or 0, refuses to change it, and of a missing key nothing is said', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k', 0, '5')
  const cas = subject.get('k')!.cas
  for (const [high, low] of [[0, cas + 1], [1, cas], [0, 0]] as const) {
    for (const mode of [Mode.Append, Mode.Prepend]) {
      const request = Object.assign(subject.for('k'), { mode, wants: Want.CompareCas, flags: 0, expiresAt: 0, valueBytes: 1 })
      request.cas.set(high, low)
      request.bytes = Buffer.concat([request.bytes, Buffer.from('1')])
      t.equal(subject.store.set(request, request.keyEnd), Outcome.Exists)
    }
    const request = Object.assign(subject.for('k'), { wants: Want.CompareCas, isDecrement: false })
    request.cas.set(high, low)
    request.number.set(0, 1)
    t.equal(subject.store.arithmetic(request), Outcome.Exists)
    t.equal(subject.store.delete(Object.assign(subject.for('k'), { wants: Want.CompareCas })), Outcome.Exists)
  }
  t.match(subject.get('k'), { cas })
  t.equal(subject.get('k')?.value.toString(), '5')
  subject.verify()
})

// Numbers

t.test('a number is what arithmetic of any length says, and stays in its place with spaces behind it', t => {
  const subject = new StoreUnderTest()
  const edges = Array.from({ length: 20 }, (_, zeros) => 10n ** BigInt(zeros)).flatMap(power => [power - 1n, power, power + 1n])
  const large = [2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n]
  const changes = [0n, 1n, 9n, 10n, 11n, 99n, 123_456_789n, 10n ** 9n - 1n, 10n ** 9n, 10n ** 9n + 1n, ...large]
  for (const before of [...edges, ...large]) {
    for (const change of changes) {
      for (const delta of change === 0n ? [0n] : [change, -change]) {
        for (const text of [String(before), `${before}   `, `0${before}`]) {
          put(subject, 'n', 0, text)
          const expected = delta < 0n ? (before > change ? before - change : 0n) : BigInt.asUintN(64, before + change)
          const result = subject.add('n', delta)
          const value = subject.get('n')?.value.toString()
          const isRight = result === expected && value === String(expected).padEnd(text.length)
          if (!isRight) t.fail(`'${text}' and ${delta} make ${String(result)} and '${value}'`)
        }
      }
    }
  }
  subject.verify()
  t.end()
})

t.test('a number that is missing begins as the request says, and counts as neither hit nor miss', async t => {
  const subject = new StoreUnderTest()
  const count = (key: string, wants: number, rest: Partial<Request> = {}): Outcome => {
    const request = subject.for(key)
    request.number.set(0, 2)
    request.initial.set(0, 40)
    request.newCas.set(0, 99)
    request.casAfter.set(0, 0)
    return subject.store.arithmetic(Object.assign(request, {
      wants, flags: 9, isDecrement: false, expiresAt: inSeconds(subject, 20), vivifiedUntil: inSeconds(subject, 30), ...rest,
    }))
  }
  const result = () => {
    const { casAfter, digits, result } = subject.for('any')
    return { cas: casAfter.low, number: Number(String(digits)), result }
  }
  const counts = () => {
    const { counters } = subject.store
    const sums = [Counter.IncrMisses, Counter.DecrMisses].map(counter => counters.sum(counter))
    sums.push(...[ClassCounter.IncrHits, ClassCounter.DecrHits].map(counter => counters.sumClasses(counter)))
    counters.reset()
    return sums
  }
  t.equal(count('n', Want.Vivify | Want.TellCas | Want.NewCas), Outcome.Number)
  t.same(result(), { cas: 99, number: 40, result: Found.Vivified })
  t.same(counts(), [0, 0, 0, 0])
  t.match(facts(subject, 'n'), { endsIn: 30, flags: 0 })
  t.equal(count('n', Want.Vivify | Want.TellCas), Outcome.Number)
  t.match(result(), { number: 42, result: Found.None })
  t.equal(result().cas, subject.get('n')!.cas)
  t.same(counts(), [0, 0, 1, 0])
  t.equal(facts(subject, 'n').endsIn, 30, 'what is there keeps its end')
  t.equal(count('n', Want.NewExpiry, { isDecrement: true }), Outcome.Number)
  t.match(result(), { cas: 0, number: 40 })
  t.equal(subject.for('n').endBefore, inSeconds(subject, 30))
  t.same(counts(), [0, 0, 0, 1])
  t.equal(facts(subject, 'n').endsIn, 20)
  t.equal(count('none', Want.NewExpiry), Outcome.NotFound)
  t.equal(count('none', Want.None, { isDecrement: true }), Outcome.NotFound)
  t.same(counts(), [1, 1, 0, 0])
  t.equal(count('other', Want.Vivify | Want.NewExpiry), Outcome.Number)
  t.equal(subject.for('other').endBefore, 0, 'what comes into being had no end')
  t.equal(facts(subject, 'other').endsIn, 30)
  subject.verify()
})

t.test('a number that outgrows its item, or that a client is reading, is given another item, as the request wants it', async t => {
  const subject = new StoreUnderTest()
  const increment = (key: string): Outcome => {
    const request = subject.for(key)
    request.number.set(0, 1)
    request.newCas.set(0, 99)
    request.casAfter.set(0, 0)
    const wants = Want.NewCas | Want.TellCas | Want.NewExpiry
    return subject.store.arithmetic(Object.assign(request, { wants, expiresAt: inSeconds(subject, 20), isDecrement: false }))
  }
  put(subject, 'grows', 50, '99')
  put(subject, 'read', 50, '5')
  const reader = subject.borrow('read')!
  for (const [key, value] of [['grows', '100'], ['read', '6']] as const) {
    t.equal(increment(key), Outcome.Number)
    t.equal(subject.for(key).casAfter.low, 99)
    t.equal(subject.for(key).endBefore, inSeconds(subject, 50))
    t.equal(facts(subject, key).endsIn, 20)
    t.match(subject.get(key), { cas: 99 })
    t.equal(subject.get(key)?.value.toString(), value)
  }
  t.equal(reader.read().toString(), '5', 'the client reads what was there')
  reader.end()
  subject.verify()
})

t.test('without memory a number does not begin, and one that outgrows its item stays as it is', async t => {
  const subject = new StoreUnderTest(FULL)
  put(subject, 'n', 0, '9')
  for (let n = 0; subject.put(Mode.Set, `k${n}`, Buffer.from('9')) === Outcome.Stored; n++);
  t.equal(subject.add('none', 1n, 5n), Outcome.NoMemory)
  t.equal(subject.get('none'), undefined)
  const end = subject.pin('n')
  t.equal(subject.add('n', 1n), Outcome.NoMemory)
  end()
  t.equal(subject.get('n')?.value.toString(), '9')
  subject.verify()
})

t.test('an item says that its key came in base64 however it was made, and what replaces it says the same of its own', async t => {
  const subject = new StoreUnderTest()
  const isBinary = (key: string) => subject.look(key, view => view.isBinaryKey)
  for (const wants of [Want.BinaryKey, Want.None]) {
    const request = (key: string): Request => {
      const request = subject.for(key)
      request.bytes = Buffer.concat([request.bytes, bytesOf(1, LARGE)])
      request.initial.set(0, 9)
      request.number.set(0, 1)
      return Object.assign(request, { mode: Mode.Set, wants, flags: 0, expiresAt: 0, valueBytes: LARGE, isDecrement: false })
    }
    subject.store.set(request('s'), 1)
    const filling = subject.store.begin(request('p'))
    if (typeof filling === 'number') throw new Error('there is memory')
    filling.commit(request('other'))
    get(subject, 'v', wants | Want.Vivify)
    subject.store.arithmetic(Object.assign(request('n'), { wants: wants | Want.Vivify }))
    const is = wants === Want.BinaryKey
    t.same(['s', 'p', 'v', 'n'].map(isBinary), [is, is, is, is])
    subject.put(Mode.Append, 's', Buffer.from('more'))
    subject.store.arithmetic(request('n'))
    t.same(['s', 'n'].map(isBinary), [is, is], 'what is joined, and what has outgrown its item')
    for (const key of ['v', 'n']) subject.delete(key)
  }
  subject.verify()
})

// Values for which there is no room

/** A store that has no memory for a value of LARGE bytes, and one in which such a value is too large. */
const LARGE = 9000
const FULL = { maxbytes: 2 * 1024 * 1024, evictions: false }
const SMALL_ITEMS = { itemSizeMax: 8192, slabChunkMax: 4096 }

t.test('a value that cannot be stored takes the old one with it if it was to replace it, or if that is wanted', async t => {
  for (const [options, failure, counter] of [
    [FULL, Outcome.NoMemory, Counter.StoreNoMemory], [SMALL_ITEMS, Outcome.TooLarge, Counter.StoreTooLarge],
  ] as const) {
    const subject = new StoreUnderTest(options)
    put(subject, 'k')
    if (failure === Outcome.NoMemory) {
      for (let n = 0; subject.put(Mode.Set, `k${n}`, bytesOf(n, LARGE)) === Outcome.Stored; n++);
    }
    const request = (mode: Mode, wants: number): Request => {
      const request = subject.for('k')
      request.bytes = Buffer.concat([request.bytes, bytesOf(1, LARGE)])
      return Object.assign(request, { mode, wants, flags: 0, expiresAt: 0, valueBytes: LARGE })
    }
    for (const mode of MODES) {
      for (const wants of [Want.None, Want.DropOld]) {
        for (const way of ['whole', 'parts'] as const) {
          put(subject, 'k')
          subject.store.counters.reset()
          const name = `outcome ${failure}, mode ${mode}, wants ${wants}, ${way}`
          const outcome = way === 'whole' ? subject.store.set(request(mode, wants), 1) : subject.store.begin(request(mode, wants))
          t.equal(outcome, failure, name)
          t.equal(subject.get('k') === undefined, mode === Mode.Set || wants === Want.DropOld, name)
          t.equal(subject.store.counters.sum(counter), 1, name)
        }
      }
    }
    subject.verify()
  }
})

// Values that come in parts

t.test('a value that is rejected counts as sent, one that is dropped does not, and of neither anything stays', async t => {
  const subject = new StoreUnderTest()
  for (const valueBytes of [10, 1_000_000]) {
    put(subject, 'k')
    subject.store.counters.reset()
    for (const [end, sets] of [['drop', 0], ['reject', 1]] as const) {
      const request = Object.assign(subject.for('k'), { mode: Mode.Set, wants: Want.None, flags: 0, expiresAt: 0, valueBytes })
      const filling = subject.store.begin(request)
      if (typeof filling === 'number') throw new Error('there is memory')
      t.equal(subject.store.refCount, 1)
      filling.write(0, bytesOf(1, valueBytes), 0, valueBytes)
      filling[end](request)
      t.equal(subject.store.counters.sumClasses(ClassCounter.CmdSet), sets, `${end} of ${valueBytes} bytes`)
      t.equal(subject.get('k')?.value.toString(), 'value')
      subject.verify()
    }
  }
})

t.test('a value that came in parts is stored as its request said, whatever the thread has served since', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k')
  const cas = subject.get('k')!.cas
  const request = Object.assign(subject.for('k'), {
    mode: Mode.Cas, wants: Want.NewCas | Want.TellCas, flags: 5, expiresAt: inSeconds(subject, 50), valueBytes: 3,
  })
  request.cas.set(0, cas)
  request.newCas.set(1, 77)
  const filling = subject.store.begin(request)
  if (typeof filling === 'number') throw new Error('there is memory')
  const other = Object.assign(subject.for('another'), {
    mode: Mode.Add, wants: Want.None, flags: 9, expiresAt: 0, valueBytes: 100, hash: 1,
  })
  other.cas.set(9, 9)
  other.newCas.set(9, 9)
  other.casAfter.set(9, 9)
  filling.write(0, Buffer.from('new'), 0, 3)
  subject.store.counters.reset()
  t.equal(filling.commit(request), Outcome.Stored)
  t.equal(subject.store.counters.sumClasses(ClassCounter.CmdSet), 1)
  t.same([request.casAfter.high, request.casAfter.low], [1, 77])
  t.equal(request.valueBytes, 3)
  t.match(subject.look('k', view => ({ flags: view.flags, high: view.casHigh, low: view.casLow })), { flags: 5, high: 1, low: 77 })
  t.equal(facts(subject, 'k').endsIn, 50)
  t.equal(subject.get('k')?.value.toString(), 'new')
})

t.test('a value that came in parts and is not stored has no number', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k')
  const request = Object.assign(subject.for('k'), { mode: Mode.Add, wants: Want.TellCas, flags: 0, expiresAt: 0, valueBytes: 3 })
  request.casAfter.set(0, 0)
  const filling = subject.store.begin(request)
  if (typeof filling === 'number') throw new Error('there is memory')
  filling.write(0, Buffer.from('new'), 0, 3)
  request.casAfter.set(9, 9)
  t.equal(filling.commit(request), Outcome.NotStored)
  t.same([request.casAfter.high, request.casAfter.low], [0, 0])
  subject.verify()
})

// Loans

t.test('a loan keeps its value until all who hold it have ended it, and ends once', async t => {
  const subject = new StoreUnderTest()
  put(subject, 'k', 0, 'lent')
  const lent: ValueLoan[] = []
  get(subject, 'k', Want.None, {}, view => lent.push(view.lend()!) > 0)
  const [loan] = lent as [ValueLoan]
  t.equal(loan.valueBytes, 4)
  loan.share()
  subject.delete('k')
  put(subject, 'k', 0, 'next')
  loan.end()
  t.equal(subject.store.refCount, 1, 'one holds it still')
  t.equal(loan.bytesAt(1, 2).toString(), 'en')
  loan.end()
  t.equal(subject.store.refCount, 0)
  t.throws(() => loan.end(), InvariantError)
  t.equal(subject.store.refCount, 0)
  subject.verify()
})
