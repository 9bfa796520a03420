import t from 'tap'
import { InvariantError } from '../../src/errors.js'
import { Lives } from '../../src/memory/lives.js'
import { Slots } from '../../src/net/slots.js'
import { ConnectionState, STATE_NAMES } from '../../src/protocol/work/state.js'
import { runThreads } from '../support/threads.js'
import { type TakerData } from './taker.js'

const KINDS = [['memory of its own', ArrayBuffer], ['shared memory', SharedArrayBuffer]] as const

/** All that `stats conns` would show. */
const factsOf = (slots: Slots, now: number) => [...slots.facts(() => now)].flat()

for (const [kind, MemoryKind] of KINDS) {
  const makeSlots = (count: number) => new Slots(new MemoryKind(Slots.bytesFor(count)), count)

  t.test(`slots are taken lowest first, until there is none, in ${kind}`, async t => {
    const slots = makeSlots(3)
    t.equal(slots.taken, 0)
    t.same([slots.take(), slots.take(), slots.take()], [0, 1, 2])
    t.equal(slots.take(), -1)
    t.equal(slots.taken, 3)
    slots.release(1)
    t.equal(slots.taken, 2)
    t.equal(slots.take(), 1)
    t.equal(slots.take(), -1)
  })

  t.test(`a slot used before is taken before a new one, in ${kind}`, async t => {
    const slots = makeSlots(4)
    slots.take()
    slots.take()
    slots.release(0)
    slots.release(1)
    t.same([slots.take(), slots.take(), slots.take(), slots.take(), slots.take()], [1, 0, 2, 3, -1])
  })

  t.test(`who has a slot is told in order of id, in ${kind}`, async t => {
    const slots = makeSlots(5)
    for (const id of [30, 10, 20]) {
      const slot = slots.take()
      slots.note(slot, ConnectionState.Read, 95)
      slots.describe(slot, id, `tcp:127.0.0.1:${id}`, 'tcp:127.0.0.1:11211')
    }
    t.same(factsOf(slots, 100), [10, 20, 30].map(id => ({
      id, address: `tcp:127.0.0.1:${id}`, listenAddress: 'tcp:127.0.0.1:11211', state: 'conn_read', idleSeconds: 5,
    })))
  })

  t.test(`a slot is told of from when it is described until it is released, in ${kind}`, async t => {
    const slots = makeSlots(2)
    const slot = slots.take()
    t.same(factsOf(slots, 0), [])
    slots.note(slot, ConnectionState.Read, 0)
    t.same(factsOf(slots, 0), [])
    slots.describe(slot, 7, 'unix:/tmp/s', 'unix:/tmp/s')
    t.equal(factsOf(slots, 0).length, 1)
    slots.release(slot)
    t.same(factsOf(slots, 0), [])
    t.equal(slots.take(), slot)
    t.same(factsOf(slots, 0), [], 'nor of who had it before')
  })

  t.test(`texts are kept whole as far as addresses go, in ${kind}`, async t => {
    const slots = makeSlots(2)
    const path = `unix:${'ü'.repeat(107)}`
    slots.describe(slots.take(), 1, path, path)
    slots.describe(slots.take(), 2, `${path}, and more`, '')
    t.same(factsOf(slots, 0).map(({ address, listenAddress }) => [address, listenAddress]), [[path, path], [path, '']])
  })

  t.test(`those who wait are counted, in ${kind}`, async t => {
    const slots = makeSlots(1)
    t.equal(slots.waiting, 0)
    slots.addWaiting(3)
    slots.addWaiting(-1)
    t.equal(slots.waiting, 2)
    t.equal(slots.taken, 0)
  })

  t.test(`what is not taken cannot be given back, in ${kind}`, async t => {
    const slots = makeSlots(2)
    t.throws(() => slots.release(0), InvariantError)
    const slot = slots.take()
    slots.release(slot)
    t.throws(() => slots.release(slot), InvariantError)
    t.equal(slots.take(), slot, 'nor is the lock held')
    t.throws(() => slots.release(-1), InvariantError)
  })
}

t.test('many who have slots are told of a few at a time, in order, whoever comes and goes meanwhile', async t => {
  const count = 5000
  const slots = new Slots(new ArrayBuffer(Slots.bytesFor(count)), count)
  const ids = Array.from({ length: count }, (_, index) => index * 7 % count)
  for (const id of ids) slots.describe(slots.take(), id, `tcp:127.0.0.1:${id}`, '')
  const told: number[] = []
  let parts = 0
  for (const part of slots.facts(() => 0)) {
    t.ok(part.length <= 32)
    told.push(...part.map(({ id }) => id))
    // one goes, and another comes to its slot
    if (++parts !== 10) continue
    slots.release(ids.indexOf(count - 1))
    slots.describe(slots.take(), 1, 'late', '')
  }
  t.same(told, Array.from({ length: count - 1 }, (_, id) => id))
})

t.test('each of many is told of once, though others have gone', t => {
  const count = 5000
  const slots = new Slots(new ArrayBuffer(Slots.bytesFor(count)), count)
  for (let id = 0; id < count; id++) slots.describe(slots.take(), id, '', '')
  const gone = [10, 2500]
  for (const slot of gone) slots.release(slot)
  t.same(factsOf(slots, 0).map(({ id }) => id), Array.from({ length: count }, (_, id) => id).filter(id => !gone.includes(id)))
  t.end()
})

t.test('states have the names that memcached gives them', async t => {
  const slots = new Slots(new ArrayBuffer(Slots.bytesFor(1)), 1)
  const slot = slots.take()
  slots.describe(slot, 1, '', '')
  const stateOf = (state: ConnectionState) => {
    slots.note(slot, state, 0)
    return factsOf(slots, 0)[0]!.state
  }
  t.equal(stateOf(ConnectionState.Read), 'conn_read')
  t.equal(stateOf(ConnectionState.Nread), 'conn_nread')
  t.equal(stateOf(ConnectionState.Swallow), 'conn_swallow')
  t.equal(stateOf(ConnectionState.Mwrite), 'conn_mwrite')
  t.equal(stateOf(ConnectionState.Closing), 'conn_closing')
  t.equal(stateOf(ConnectionState.ParseCmd), 'conn_parse_cmd')
  t.equal(stateOf(ConnectionState.Watch), 'conn_watch')
  t.equal(Object.keys(STATE_NAMES).length, 8)
})

t.test('nobody is idle for less than no time', async t => {
  const slots = new Slots(new ArrayBuffer(Slots.bytesFor(1)), 1)
  const slot = slots.take()
  slots.describe(slot, 1, '', '')
  slots.note(slot, ConnectionState.Read, 11)
  t.equal(factsOf(slots, 10)[0]!.idleSeconds, 0)
})

t.test('the largest -c asks for no more memory than there can be descriptors', async t => {
  t.equal(Slots.bytesFor(2 ** 31 - 1), Slots.bytesFor(2 ** 20))
})

t.test('over one memory all see the same slots', async t => {
  const memory = new SharedArrayBuffer(Slots.bytesFor(3))
  const one = new Slots(memory, 3)
  const other = new Slots(memory, 3)
  t.same([one.take(), other.take(), one.take(), other.take()], [0, 1, 2, -1])
  other.describe(1, 5, 'here', 'there')
  one.release(0)
  t.equal(other.taken, 2)
  t.equal(factsOf(one, 0).length, 1)
  t.equal(other.take(), 0)
})

t.test('threads that take and release at once never hold the same slot', async t => {
  const count = 20
  const threads = 3
  const rounds = 20_000
  const kept = 4
  const memory = new SharedArrayBuffer(Slots.bytesFor(count))
  const holders = new Int32Array(new SharedArrayBuffer(count * 4))
  const clashes = new Int32Array(new SharedArrayBuffer(4))
  const gate = new Int32Array(new SharedArrayBuffer(4))
  const lives = new Int32Array(new SharedArrayBuffer(Lives.bytesFor(threads + 1)))
  const slots = new Slots(memory, count, new Lives(lives, 0))
  const data = Array.from({ length: threads }, (_, index): TakerData => ({
    memory, count, lives, holders, clashes, gate, threads, thread: index + 1, rounds, heldMax: 10, kept,
  }))
  let torn = 0
  const look = () => {
    const all = factsOf(slots, 0)
    if (all.length > count || slots.taken > count) torn++
    for (const { id, address, listenAddress } of all) {
      if (address !== `address of ${id}` || listenAddress !== 'x'.repeat(id)) torn++
    }
  }
  await runThreads(new URL('taker.js', import.meta.url), data, look)
  t.equal(clashes[0], 0)
  t.equal(torn, 0, 'what is told meanwhile is of one connection')
  t.equal(slots.taken, threads * kept)
  t.equal(slots.waiting, threads * rounds / 2)
  t.same(factsOf(slots, 0).map(({ id }) => id), data.flatMap(({ thread }) => Array<number>(kept).fill(thread)))
  const free = [...holders.keys()].filter(slot => holders[slot] === 0)
  t.same(free.map(() => slots.take()).sort((one, other) => one - other), free)
  t.equal(slots.take(), -1)
})
