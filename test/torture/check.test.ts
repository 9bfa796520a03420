// The judge of histories, on histories made by hand: what a server may do is not complained of, and what it may not do is.

import t from 'tap'

import { Prng } from '../support/prng.js'
import { check, report } from './check.js'
import { EVERY_KEY, History } from './history.js'
import type { Effect, Operation, Sight, Value } from './history.js'

const WRITE: Effect = { does: 'write' }
const REMOVE: Effect = { does: 'remove' }
const NOTHING: Effect = { does: 'nothing' }
const UNKNOWN: Sight = { is: 'unknown' }
const ABSENT: Sight = { is: 'absent' }
const PRESENT: Sight = { is: 'present' }

type More = Partial<Pick<Operation, 'key' | 'connection' | 'isCertain'>>

/** Operations on one key, each with its own moments; each on a connection of its own unless told otherwise. */
class Story {
  readonly history = new History()
  private connections = 1000

  add(begin: number, end: number, name: string, saw: Sight, effect: Effect, more: More = {}): Operation {
    const { key = 'k', connection = this.connections++, isCertain = true } = more
    return Object.assign(this.history.record(connection, key, name), { begin, end, saw, effect, isCertain })
  }

  set(begin: number, end: number, more: More = {}): Operation { return this.add(begin, end, 'set', UNKNOWN, WRITE, more) }
  delete(begin: number, end: number): Operation { return this.add(begin, end, 'delete', PRESENT, REMOVE) }
  miss(begin: number, end: number, more: More = {}): Operation { return this.add(begin, end, 'get', ABSENT, NOTHING, more) }
  append(begin: number, end: number): Operation { return this.add(begin, end, 'append', PRESENT, { does: 'append' }) }

  /** The command of that name. */
  addition(begin: number, end: number, isDone: boolean): Operation {
    return this.add(begin, end, 'add', isDone ? ABSENT : PRESENT, isDone ? WRITE : NOTHING)
  }

  get(begin: number, end: number, value: Value | Operation, token?: string, connection?: number): Operation {
    const seen = 'id' in value ? whole(value) : value
    const saw: Sight = token === undefined ? { is: 'value', value: seen } : { is: 'value', value: seen, token }
    return this.add(begin, end, 'get', saw, NOTHING, connection === undefined ? {} : { connection })
  }

  cas(begin: number, end: number, token: string, result: 'done' | 'exists'): Operation {
    return result === 'done' ? this.add(begin, end, 'cas', { is: 'token', token }, WRITE)
      : this.add(begin, end, 'cas', { is: 'other', token }, NOTHING)
  }

  count(begin: number, end: number, base: Operation, sum: number, amount = 1): Operation {
    return this.add(begin, end, 'incr', PRESENT, { does: 'count', amount, result: { ...whole(base), sum } })
  }

  faultWith(canEvict: boolean): string | undefined {
    return check(this.history.operations, { canEvict })?.message
  }
}

function whole({ id }: Operation, back: readonly Operation[] = [], front: readonly Operation[] = []): Value {
  return { base: id, front: front.map(each => each.id), back: back.map(each => each.id), sum: 0 }
}

interface Case {
  readonly title: string
  readonly tell: (story: Story) => void
  /** Part of what is said about it; undefined: nothing. */
  readonly fault?: RegExp
  /** The same where items may be evicted, if it is another. */
  readonly withEviction?: RegExp | 'none'
}

const CASES: readonly Case[] = [
  { title: 'nothing', tell: () => {} },
  { title: 'a value is read after it was written', tell: s => { const w = s.set(1, 2); s.get(3, 4, w) } },
  {
    title: 'a value is read while it is written',
    tell: s => {
      const w = s.set(1, 5)
      s.get(2, 4, w)
      s.get(3, 6, w)
    },
  },
  { title: 'a value is read before it is written', tell: s => { s.get(1, 2, s.set(3, 4)) }, fault: /no moment/ },
  {
    title: 'a value that nobody wrote', fault: /nobody wrote/,
    tell: s => {
      s.set(1, 2)
      s.get(3, 4, { base: 99, front: [], back: [], sum: 0 })
    },
  },
  {
    title: 'a value of another key', fault: /nobody wrote/,
    tell: s => {
      const w = s.set(1, 2, { key: 'other' })
      s.get(3, 4, w)
    },
  },
  {
    title: 'a value whose write was refused', fault: /nobody wrote/,
    tell: s => {
      s.set(1, 2)
      const w = s.addition(3, 4, false)
      s.get(5, 6, w)
    },
  },
  {
    title: 'either of two writes at one time is last',
    tell: s => {
      const a = s.set(1, 4)
      s.set(2, 3)
      s.get(5, 6, a)
      s.get(5, 6, a)
    },
  },
  {
    title: 'the other of two writes at one time is last',
    tell: s => {
      s.set(1, 4)
      const b = s.set(2, 3)
      s.get(5, 6, b)
    },
  },
  {
    title: 'a replaced value is read', fault: /no moment|ended it/,
    tell: s => {
      const a = s.set(1, 2)
      s.set(3, 4)
      s.get(5, 6, a)
    },
  },
  {
    title: 'a value is read while it is replaced',
    tell: s => {
      const a = s.set(1, 2)
      const b = s.set(3, 6)
      s.get(4, 5, a)
      s.get(7, 8, b)
    },
  },
  {
    title: 'readers see two writes in different orders', fault: /no moment|one time|ended it/,
    tell: s => {
      const a = s.set(1, 9)
      const b = s.set(1, 9)
      s.get(2, 3, a)
      s.get(4, 5, b)
      s.get(6, 7, a)
    },
  },
  {
    title: 'a value that was replaced according to another reader', fault: /no moment|one time/,
    tell: s => {
      const a = s.set(1, 2)
      const b = s.set(1, 9)
      s.get(3, 4, b)
      s.get(5, 6, a)
      s.get(7, 8, b)
    },
  },
  {
    title: 'readers of one connection go back in time', fault: /no moment|one time|ended it/,
    tell: s => {
      const a = s.set(1, 2)
      const b = s.set(1, 2)
      s.get(3, 10, a, undefined, 7)
      s.get(3, 10, b, undefined, 7)
      s.get(3, 10, a, undefined, 7)
    },
  },
  {
    title: 'readers of two connections see what they like',
    tell: s => {
      const a = s.set(1, 20)
      const b = s.set(1, 20)
      s.get(3, 10, a)
      s.get(3, 10, b)
      s.get(3, 10, a)
    },
  },
  {
    title: 'an unanswered write may be seen',
    tell: s => {
      const w = s.set(1, Infinity, { isCertain: false })
      s.get(5, 6, w)
    },
  },
  {
    title: 'an unanswered write may be done or not',
    tell: s => {
      const a = s.set(1, 2)
      s.set(3, Infinity, { isCertain: false })
      s.get(5, 6, a)
    },
  },
  { title: 'an unanswered write does not come after what the connection did next', fault: /no moment|one time|ended it/,
    tell: s => {
      const a = s.set(1, Infinity, { isCertain: false, connection: 7 })
      const b = s.set(2, 3, { connection: 7 })
      s.get(4, 5, b)
      s.get(6, 7, a)
    } },

  { title: 'a miss before everything', tell: s => { s.miss(1, 2); s.set(3, 4) } },
  { title: 'a miss while something is written', tell: s => { s.set(1, 4); s.miss(2, 3) } },
  { title: 'a miss after a write', tell: s => { s.set(1, 2); s.miss(3, 4) }, fault: /missed/, withEviction: 'none' },
  { title: 'a miss after a removal', tell: s => { s.set(1, 2); s.delete(3, 4); s.miss(5, 6) } },
  {
    title: 'a miss after a removal and a write', fault: /missed/, withEviction: 'none',
    tell: s => {
      s.set(1, 2)
      s.delete(3, 4)
      s.set(5, 6)
      s.miss(7, 8)
    },
  },
  {
    title: 'a miss between two reads of one value', fault: /missed while/,
    tell: s => {
      const w = s.set(1, 2)
      s.get(3, 4, w)
      s.miss(5, 6)
      s.get(7, 8, w)
    },
  },
  {
    title: 'a value after its removal', fault: /ended it/,
    tell: s => {
      const w = s.set(1, 2)
      s.delete(3, 4)
      s.get(5, 6, w)
    },
  },
  {
    title: 'a value after a flush', fault: /ended it/,
    tell: s => {
      const w = s.set(1, 2)
      s.add(3, 4, 'flush', UNKNOWN, REMOVE, { key: EVERY_KEY })
      s.get(5, 6, w)
    },
  },
  {
    title: 'a value during a flush, and a miss',
    tell: s => {
      const w = s.set(1, 2)
      s.add(3, 9, 'flush', UNKNOWN, REMOVE, { key: EVERY_KEY })
      s.get(4, 5, w)
      s.miss(6, 7)
    },
  },
  {
    title: 'a miss of what expires',
    tell: s => {
      s.add(1, 2, 'set', UNKNOWN, { does: 'write', lasts: 'briefly' })
      s.miss(3, 4)
    },
  },
  {
    title: 'a miss of what was touched',
    tell: s => {
      s.set(1, 2)
      s.add(3, 4, 'touch', PRESENT, { does: 'fade' })
      s.miss(5, 6)
    },
  },
  {
    title: 'a miss of what replaced what was touched', fault: /missed/, withEviction: 'none',
    tell: s => {
      s.set(1, 2)
      s.add(3, 4, 'touch', PRESENT, { does: 'fade' })
      s.set(5, 6)
      s.miss(7, 8)
    },
  },
  {
    title: 'a value that had expired when it was written', fault: /had expired/,
    tell: s => {
      s.get(3, 4, s.add(1, 2, 'set', UNKNOWN, { does: 'write', lasts: 'never' }))
    },
  },
  {
    title: 'an unanswered removal explains a miss',
    tell: s => {
      s.set(1, 2)
      s.add(3, Infinity, 'delete', UNKNOWN, REMOVE, { isCertain: false })
      s.miss(5, 6)
    },
  },
  { title: 'a removal of nothing', tell: s => { s.delete(1, 2); s.set(3, 4) }, fault: /nobody can have written/ },
  {
    title: 'two removals of one item', fault: /more removals/,
    tell: s => {
      s.set(1, 2)
      s.delete(3, 6)
      s.delete(4, 5)
    },
  },
  {
    title: 'a removal after a removal', fault: /nobody can have written/,
    tell: s => {
      s.set(1, 2)
      s.delete(3, 4)
      s.delete(5, 6)
    },
  },

  { title: 'one addition wins', tell: s => { const a = s.addition(1, 5, true); s.addition(2, 6, false); s.get(7, 8, a) } },
  {
    title: 'two additions win', fault: /more additions/, withEviction: 'none',
    tell: s => {
      s.addition(1, 5, true)
      s.addition(2, 6, true)
    },
  },
  {
    title: 'two additions win with a removal between them',
    tell: s => {
      s.addition(1, 5, true)
      s.addition(2, 6, true)
      s.delete(3, 4)
    },
  },
  {
    title: 'an addition is refused for nothing', fault: /nobody can have written/,
    tell: s => {
      s.addition(1, 2, false)
      s.set(3, 4)
    },
  },
  {
    title: 'an addition over an item that stays', fault: /ended it|no moment/,
    tell: s => {
      const w = s.set(1, 2)
      s.addition(3, 4, true)
      s.get(5, 6, w)
    },
  },
  {
    title: 'a replacement is refused though the item is there', fault: /missed/,
    tell: s => {
      const w = s.set(1, 2)
      s.add(3, 4, 'replace', ABSENT, NOTHING)
      s.get(5, 6, w)
    },
  },

  {
    title: 'a cas succeeds',
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      const b = s.cas(5, 6, '10', 'done')
      s.get(7, 8, b, '11')
    },
  },
  {
    title: 'one cas of two succeeds',
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      s.cas(5, 8, '10', 'done')
      s.cas(6, 7, '10', 'exists')
    },
  },
  {
    title: 'two cas succeed', fault: /twice/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      s.cas(5, 8, '10', 'done')
      s.cas(6, 7, '10', 'done')
    },
  },
  {
    title: 'a cas succeeds though the item was replaced', fault: /ended it|no moment/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      s.set(5, 6)
      s.cas(7, 8, '10', 'done')
    },
  },
  {
    title: 'a cas succeeds though another value was seen', fault: /no moment|one time|ended it/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      const b = s.set(5, 20)
      s.get(6, 7, b)
      s.cas(8, 9, '10', 'done')
      s.get(10, 11, b)
    },
  },
  {
    title: 'a cas is refused though nobody replaced the item', fault: /right one/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      s.cas(5, 6, '10', 'exists')
      s.get(7, 8, a, '10')
    },
  },
  {
    title: 'one cas number of two values', fault: /of two values/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      const b = s.set(5, 6)
      s.get(7, 8, b, '10')
    },
  },
  {
    title: 'two cas numbers of one value', fault: /of one value/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      s.get(5, 6, a, '11')
    },
  },
  {
    title: 'a cas replaces what was appended to', fault: /lost/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(3, 4, a, '10')
      const p = s.append(5, 6)
      s.get(7, 8, whole(a, [p]))
      s.cas(9, 10, '10', 'done')
    },
  },
  { title: 'an appended piece that needs the cas number has it', tell: s => {
    const a = s.set(1, 2)
    s.get(3, 4, a, '10')
    const p = s.add(5, 6, 'append', { is: 'token', token: '10' }, { does: 'append' })
    s.get(7, 8, whole(a, [p]), '11')
  } },

  {
    title: 'appended pieces are there in order',
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 4)
      const q = s.append(5, 6)
      s.get(7, 8, whole(a, [p, q]))
    },
  },
  {
    title: 'appended pieces of one time are there in either order',
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 6)
      const q = s.append(4, 5)
      s.get(7, 8, whole(a, [p, q]))
      s.get(9, 10, whole(a, [p, q]))
    },
  },
  {
    title: 'appended pieces are in the wrong order', fault: /no moment/,
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 4)
      const q = s.append(5, 6)
      s.get(7, 8, whole(a, [q, p]))
    },
  },
  {
    title: 'an appended piece is lost', fault: /ended it/,
    tell: s => {
      const a = s.set(1, 2)
      s.append(3, 4)
      s.get(5, 6, a)
    },
  },
  {
    title: 'an appended piece is lost to another', fault: /ended it|no moment/,
    tell: s => {
      const a = s.set(1, 2)
      s.append(3, 6)
      const q = s.append(4, 5)
      s.get(7, 8, whole(a, [q]))
    },
  },
  {
    title: 'an appended piece may have gone to what was replaced',
    tell: s => {
      s.set(1, 2)
      s.append(3, 6)
      const b = s.set(4, 5)
      s.get(7, 8, b)
    },
  },
  {
    title: 'an appended piece disappears', fault: /no moment/,
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 4)
      s.get(5, 6, whole(a, [p]))
      s.get(7, 8, a)
    },
  },
  {
    title: 'an appended piece is there twice', fault: /twice/,
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 4)
      s.get(5, 6, whole(a, [p, p]))
    },
  },
  {
    title: 'an appended piece is read before it was sent', fault: /no moment/,
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(5, 6)
      s.get(3, 4, whole(a, [p]))
    },
  },
  {
    title: 'two versions made from one', fault: /cannot follow/,
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 8)
      const q = s.append(3, 8)
      s.get(4, 5, whole(a, [p]))
      s.get(6, 7, whole(a, [q]))
    },
  },
  { title: 'pieces at both ends', tell: s => {
    const a = s.set(1, 2)
    const p = s.append(3, 4)
    const q = s.add(5, 6, 'prepend', PRESENT, { does: 'prepend' })
    s.get(7, 8, whole(a, [p], [q]))
  } },
  {
    title: 'a piece in two values', fault: /in two values/,
    tell: s => {
      const a = s.set(1, 2)
      const p = s.append(3, 20)
      const b = s.set(5, 20)
      s.get(4, 9, whole(a, [p]))
      s.get(10, 11, whole(b, [p]))
    },
  },

  {
    title: 'counts in order',
    tell: s => {
      const a = s.set(1, 2)
      s.count(3, 4, a, 1)
      s.count(5, 6, a, 3, 2)
      s.get(7, 8, { ...whole(a), sum: 3 })
    },
  },
  { title: 'counts of one time', tell: s => { const a = s.set(1, 2); s.count(3, 6, a, 2); s.count(4, 5, a, 1) } },
  {
    title: 'two counts with one result', fault: /same result/,
    tell: s => {
      const a = s.set(1, 2)
      s.count(3, 6, a, 1)
      s.count(4, 5, a, 1)
    },
  },
  {
    title: 'two counts from one number', fault: /count is lost/,
    tell: s => {
      const a = s.set(1, 2)
      s.count(3, 6, a, 1)
      s.count(4, 5, a, 2, 2)
    },
  },
  {
    title: 'counts out of order', fault: /no moment/,
    tell: s => {
      const a = s.set(1, 2)
      s.count(3, 4, a, 2)
      s.count(5, 6, a, 1)
    },
  },
  {
    title: 'a number in the middle of a count', fault: /count is lost/,
    tell: s => {
      const a = s.set(1, 2)
      s.count(3, 6, a, 3, 3)
      s.get(4, 5, { ...whole(a), sum: 1 })
    },
  },
  {
    title: 'a number that nobody counted to', fault: /more than was added/,
    tell: s => {
      const a = s.set(1, 2)
      s.get(4, 5, { ...whole(a), sum: 1 })
    },
  },
  { title: 'a number that went on without an answer', tell: s => {
    const a = s.set(1, 2)
    s.add(3, Infinity, 'incr', UNKNOWN, { does: 'count', amount: 2 }, { isCertain: false })
    s.get(4, 5, { ...whole(a), sum: 2 })
  } },
  {
    title: 'an old number', fault: /no moment/,
    tell: s => {
      const a = s.set(1, 2)
      s.count(3, 4, a, 1)
      s.get(5, 6, a)
    },
  },
]

for (const { title, tell, fault, withEviction = fault } of CASES) {
  t.test(`${fault === undefined ? 'right' : 'wrong'}: ${title}`, async t => {
    for (const [canEvict, expected] of [[false, fault], [true, withEviction]] as const) {
      const story = new Story()
      tell(story)
      const found = story.faultWith(canEvict)
      const name = `${canEvict ? 'with' : 'without'} eviction`
      if (expected === undefined || expected === 'none') t.equal(found, undefined, name)
      else t.match(found, expected, name)
    }
  })
}

t.test('right: whatever a store did one after the other, however long the answers took', async t => {
  for (let seed = 0; seed < 40; seed++) {
    const { operations } = new Sequence(new Prng(seed)).history
    const fault = check(operations, { canEvict: false })
    if (fault !== undefined) t.fail(`seed ${seed}: ${report(fault)}`)
  }
  t.pass('nothing to complain of')
})

t.test('wrong: a store that answers now and then with what was there before', async t => {
  let found = 0
  for (let seed = 0; seed < 40; seed++) {
    if (check(new Sequence(new Prng(seed), 10).history.operations, { canEvict: false }) !== undefined) found++
  }
  t.ok(found > 35, `found in ${found} of 40 histories`)
})

/** A history of a few connections and keys. What was done when is known while it is made, but does not show in it. */
class Sequence {
  readonly history = new History()
  private readonly items = new Map<string, Value>()
  private readonly before = new Map<string, Value>()
  private readonly begins = [0, 0, 0, 0]
  private readonly ends = [0, 0, 0, 0]

  /** @param staleOneIn one answer in so many tells what was there before; 0: none */
  constructor(private readonly prng: Prng, private readonly staleOneIn = 0) {
    for (let moment = 1; moment <= 400; moment++) this.step(moment)
  }

  private step(moment: number): void {
    const { prng, items } = this
    const connection = prng.below(this.begins.length)
    const key = `k${prng.below(2)}`
    const operation = this.history.record(connection, key, 'step')
    operation.begin = this.begins[connection] = Math.max(this.begins[connection]!, moment - prng.below(10) - 0.25)
    operation.end = this.ends[connection] = Math.max(this.ends[connection]!, moment + prng.below(10) + 0.25)
    const found = items.get(key)
    const { id } = operation
    const saw: Sight = found === undefined ? ABSENT : PRESENT
    const put = (value: Value | undefined): void => {
      if (found !== undefined) this.before.set(key, found)
      if (value === undefined) items.delete(key)
      else items.set(key, value)
    }
    switch (prng.below(7)) {
      case 0:
        operation.effect = WRITE
        put(whole(operation))
        break
      case 1:
        operation.saw = saw
        if (found !== undefined) break
        operation.effect = WRITE
        put(whole(operation))
        break
      case 2:
        operation.saw = saw
        if (found === undefined) break
        operation.effect = { does: 'append' }
        put({ ...found, back: [...found.back, id] })
        break
      case 3:
        operation.saw = saw
        if (found === undefined) break
        operation.effect = REMOVE
        put(undefined)
        break
      default: {
        const value = this.staleOneIn > 0 && prng.oneIn(this.staleOneIn) ? this.before.get(key) : found
        operation.saw = value === undefined ? ABSENT : { is: 'value', value }
      }
    }
  }
}
