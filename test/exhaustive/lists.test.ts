// Every order in which a few items can be stored, hit, held, moved and dropped, each with a look at the whole structure.
import t from 'tap'
import { ListWord } from '../../src/memory/layout.js'
import { Mode } from '../../src/store/request.js'
import { NO_ITEM, Segment, type ItemId } from '../../src/store/items/items.js'
import { StoreUnderTest } from '../support/store.js'

const KEYS = ['a', 'b', 'c', 'd', 'e']
const VALUE = Buffer.from('v')

t.test('five items leave in every order and take nobody with them', async t => {
  const wrong: string[] = []
  for (const order of permutations(KEYS)) {
    const subject = storeOf(KEYS)
    for (const [index, key] of order.entries()) {
      subject.delete(key)
      const left = order.slice(index + 1)
      if (!isListed(subject, KEYS.filter(key => left.includes(key)).reverse())) wrong.push(order.join(''))
      subject.verify()
    }
  }
  t.same(wrong, [])
})

t.test('five items go to the head of a flat list in every order', async t => {
  const wrong: string[] = []
  for (const order of permutations(KEYS)) {
    const subject = storeOf(KEYS, { lruSegmented: false })
    subject.clock.advance(61)
    for (const key of order) subject.get(key)
    if (!isListed(subject, [...order].reverse(), Segment.Cold)) wrong.push(order.join(''))
    subject.verify()
  }
  t.same(wrong, [])
})

t.test('every short story of two keys ends well', async t => {
  const acts: readonly ((subject: StoreUnderTest, pins: (() => void)[]) => void)[] = [
    subject => subject.put(Mode.Set, 'a', VALUE),
    subject => subject.put(Mode.Set, 'b', Buffer.alloc(300)),
    subject => subject.put(Mode.Append, 'a', Buffer.alloc(100)),
    subject => subject.get('a'),
    subject => subject.delete('a'),
    subject => subject.delete('b'),
    (subject, pins) => { if (subject.get('a') !== undefined) pins.push(subject.pin('a')) },
    (_subject, pins) => pins.pop()?.(),
    subject => subject.store.flush(0),
    subject => subject.store.balanceStep(),
  ]
  let stories = 0
  const subject = new StoreUnderTest({ maxbytes: 1024 * 1024, slabChunkMax: 1024, hotLruPct: 1, warmLruPct: 1 })
  for (const story of sequences(acts.length, 4)) {
    const pins: (() => void)[] = []
    for (const act of story) acts[act]!(subject, pins)
    for (const unpin of pins) unpin()
    subject.delete('a')
    subject.delete('b')
    stories++
  }
  subject.verify()
  t.equal(stories, 10_000)
  t.equal(subject.store.itemCount, 0)
})

function storeOf(keys: readonly string[], options: { lruSegmented?: boolean } = {}): StoreUnderTest {
  const subject = new StoreUnderTest({ maxbytes: 1024 * 1024, ...options })
  for (const key of keys) subject.put(Mode.Set, key, VALUE)
  return subject
}

/** Whether the list of the smallest class holds just these keys, from its head on. */
function isListed({ store }: StoreUnderTest, keys: readonly string[], segment = Segment.Hot): boolean {
  const { lru, items } = store.shards[0]!
  const found: string[] = []
  for (let item = lru.get(1, segment, ListWord.Head) as ItemId; item !== NO_ITEM; item = items.next(item)) {
    const start = items.keyStart(item)
    found.push(Buffer.from(items.bytes.subarray(start, start + items.keyBytes(item))).toString())
  }
  return found.join() === keys.join()
}

function* permutations<T>(of: readonly T[]): Iterable<T[]> {
  if (of.length === 0) yield []
  for (const [index, first] of of.entries()) {
    for (const rest of permutations(of.filter((_, at) => at !== index))) yield [first, ...rest]
  }
}

function* sequences(choices: number, length: number): Iterable<number[]> {
  if (length === 0) {
    yield []
    return
  }
  for (const rest of sequences(choices, length - 1)) for (let choice = 0; choice < choices; choice++) yield [...rest, choice]
}
