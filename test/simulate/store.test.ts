// Random operations on a store beside a plain Map. A hit must equal the model; a miss where the model has a value is
// allowed only where memory is short. A failure names its seed: MEMSLAB_SEED repeats it, MEMSLAB_STEPS makes it longer.
import t, { type Test } from 'tap'
import { ClassCounter, Counter } from '../../src/stats/counters.js'
import { type ItemId } from '../../src/store/items/items.js'
import { Mode, Want } from '../../src/store/request.js'
import { Outcome } from '../../src/store/outcome.js'
import { type StoreOptions } from '../../src/store/store.js'
import { Prng } from '../support/prng.js'
import { bytesOf, StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
const STEPS = Number(process.env['MEMSLAB_STEPS'] ?? 40_000)

/** How many keys have the same prefix. */
const KEYS_PER_PREFIX = 20

interface Entry { value: Buffer; flags: number; expiresAt: number }

interface World {
  readonly title: string
  readonly options: Partial<StoreOptions>
  readonly keys: number
  readonly valueBytesMax: number
  /** Whether everything fits, so that no miss is excused. */
  readonly isRoomy: boolean
}

const WORLDS: readonly World[] = [
  { title: 'plenty of memory', options: { maxbytes: 64 * MIB }, keys: 300, valueBytesMax: 2000, isRoomy: true },
  { title: 'small values under pressure', options: { maxbytes: MIB, slabChunkMax: 512, factor: 4, itemSizeMax: 400 },
    keys: 20_000, valueBytesMax: 300, isRoomy: false },
  { title: 'mixed values under pressure', options: { maxbytes: 4 * MIB }, keys: 2000, valueBytesMax: 60_000, isRoomy: false },
  { title: 'items of several pieces', options: { maxbytes: 16 * MIB, itemSizeMax: 4 * MIB }, keys: 40, valueBytesMax: 3 * MIB,
    isRoomy: false },
  { title: 'pieces of 4 KiB', options: { maxbytes: 3 * MIB, slabChunkMax: 4096 }, keys: 200, valueBytesMax: 100_000,
    isRoomy: false },
  { title: 'one flat list', options: { maxbytes: 2 * MIB, lruSegmented: false, slabChunkMax: 16384 }, keys: 5000,
    valueBytesMax: 12_000, isRoomy: false },
  { title: 'a list for short lives', options: { maxbytes: 2 * MIB, tempLru: true, slabChunkMax: 16384 }, keys: 5000,
    valueBytesMax: 12_000, isRoomy: false },
  { title: 'quotas', options: { maxbytes: 3 * MIB, slabChunkMax: 16384, prefixQuotas: { 0: 0.5, 1: 5, 2: 20, 7: 0.01 } }, keys: 5000,
    valueBytesMax: 12_000, isRoomy: false },
  { title: 'no evictions', options: { maxbytes: 2 * MIB, evictions: false, slabChunkMax: 16384 }, keys: 5000,
    valueBytesMax: 12_000, isRoomy: false },
]

for (const world of WORLDS) {
  t.test(`a store agrees with a map: ${world.title}`, async t => simulate(t, world, SEED))
}

function simulate(t: Test, world: World, seed: number): void {
  const random = new Prng(seed)
  const subject = new StoreUnderTest({ trackSizes: true, trackPrefixes: true, ...world.options })
  const model = new Map<string, Entry>()
  const pins: { item: ItemId, end: () => void }[] = []
  const steps = world.valueBytesMax > MIB ? STEPS / 40 : STEPS
  const prefixes = Math.ceil(world.keys / KEYS_PER_PREFIX)
  const startedAt = subject.clock.milliseconds()
  const now = () => Math.floor((subject.clock.milliseconds() - startedAt) / 1000)
  for (let step = 0; step < steps; step++) {
    const number = random.below(world.keys)
    const key = `${number % prefixes}:key-${number}`
    const entry = model.get(key)
    if (entry !== undefined && entry.expiresAt <= now()) model.delete(key)
    try {
      act(key)
    } catch (error) {
      t.fail(`seed ${seed} step ${step}`, { error: String(error) })
      return
    }
    if (step % Math.ceil(steps / 20) === 0) subject.verify(new Set(pins.map(({ item }) => item)).size)
  }
  for (const { end } of pins) end()
  subject.reclaimDead()
  subject.verify()
  t.ok(subject.store.itemCount <= model.size, `${subject.store.itemCount} items at most as many as in the model`)
  const evicted = subject.store.counters.sumClasses(ClassCounter.Evicted)
  const refused = subject.store.counters.sum(Counter.StoreNoMemory)
  if (world.isRoomy) t.equal(evicted + refused, 0, 'nothing had to go')
  else if (world.options.evictions === false) t.ok(refused > 0 && evicted === 0, `${refused} stores were refused`)
  else t.ok(evicted > 0, `${evicted} items were evicted`)
  if (world.isRoomy) t.equal(subject.store.itemCount, liveCount(model, now()))

  function act(key: string): void {
    const roll = random.below(1000)
    if (roll < 350) return read(key)
    if (roll < 700) return write(key, Mode.Set)
    if (roll < 750) return write(key, Mode.Add)
    if (roll < 790) return write(key, Mode.Replace)
    if (roll < 830) return write(key, random.below(2) === 0 ? Mode.Append : Mode.Prepend)
    if (roll < 860) return remove(key)
    if (roll < 870) return hollow(key)
    if (roll < 900) return count(key)
    if (roll < 930) return touch(key)
    if (roll < 950) return hold(key)
    if (roll < 970) return letGo()
    if (roll < 990) return subject.clock.advance(random.below(3))
    if (roll < 997) return void (random.below(2) === 0 ? subject.store.sweepStep(100) : subject.store.balanceStep())
    if (roll < 998) return flushPrefix(key)
    if (roll < 999 && random.below(20) === 0) {
      subject.store.flush(0)
      model.clear()
    }
  }

  /** That of a key, and now and then many more, so that generations run on. */
  function flushPrefix(key: string): void {
    const prefix = key.slice(0, key.indexOf(':'))
    const flushed = [prefix, ...Array.from({ length: random.oneIn(4) ? 20 : 0 }, (_, index) => `other-${index}`)]
    for (const each of flushed) if (!subject.store.flushPrefix(Buffer.from(each))) throw new Error(`${each} was not flushed`)
    for (const other of model.keys()) if (other.startsWith(`${prefix}:`)) model.delete(other)
  }

  function read(key: string): void {
    const found = subject.get(key)
    const entry = model.get(key)
    if (found === undefined) {
      if (entry !== undefined && world.isRoomy) throw new Error(`${key} is gone`)
      model.delete(key)
      return
    }
    if (entry === undefined) throw new Error(`${key} should not be there`)
    if (!found.value.equals(entry.value)) throw new Error(`${key} has another value`)
    if (found.flags !== entry.flags) throw new Error(`${key} has other flags`)
  }

  function write(key: string, mode: Mode): void {
    const value = bytesOf(random.below(1000), random.below(3) > 0 ? random.below(world.valueBytesMax) : random.below(100))
    const flags = random.below(3) === 0 ? random.below(2 ** 32) : 0
    const exptime = random.below(5) === 0 ? random.below(20) + 1 : 0
    if (mode !== Mode.Set) read(key)   // so that the model knows what was evicted
    const old = model.get(key)
    const outcome = random.oneIn(2) ? subject.put(mode, key, value, flags, exptime)
      : subject.putWhole(mode, key, value, flags, exptime)
    const wants = expectation(mode, old)
    if (outcome === Outcome.NoMemory || outcome === Outcome.TooLarge) {
      if (world.isRoomy) throw new Error('out of memory')
      if (mode === Mode.Set) model.delete(key)
      return
    }
    const isJoined = mode === Mode.Append || mode === Mode.Prepend
    // making room for the new value may have cost the old one
    const isExcused = !world.isRoomy && old !== undefined && mode !== Mode.Set
    if (isExcused && outcome === Outcome.NotStored && mode !== Mode.Add) return
    if (outcome !== wants && !(isExcused && mode === Mode.Add)) {
      throw new Error(`${key}: mode ${mode} came to ${outcome}, not ${wants}`)
    }
    if (outcome !== Outcome.Stored) return
    if (isJoined && old !== undefined) {
      old.value = Buffer.concat(mode === Mode.Append ? [old.value, value] : [value, old.value])
    } else {
      model.set(key, { value, flags, expiresAt: exptime === 0 ? Infinity : now() + exptime })
    }
  }

  function remove(key: string): void {
    const outcome = subject.delete(key)
    if (outcome === Outcome.Deleted && !model.has(key)) throw new Error(`${key} was deleted twice`)
    model.delete(key)
  }

  /** The item stays, stale or not, and loses its value. */
  function hollow(key: string): void {
    read(key)
    const exptime = random.below(2) * 10
    const wants = Want.RemoveValue | (random.oneIn(2) ? Want.Invalidate : Want.None)
    const outcome = subject.delete(key, wants, exptime)
    if (outcome === Outcome.NoMemory && !world.isRoomy) return
    if (outcome !== (model.has(key) ? Outcome.Deleted : Outcome.NotFound)) {
      throw new Error(`${key}: removing its value came to ${outcome}`)
    }
    if (outcome !== Outcome.Deleted) return
    model.set(key, { value: Buffer.alloc(0), flags: 0, expiresAt: exptime === 0 ? Infinity : now() + exptime })
  }

  function count(key: string): void {
    read(key)
    const initial = 18446744073709551600n
    if (!model.has(key) && subject.add(key, 1n, initial) === initial) {
      model.set(key, { value: Buffer.from(String(initial)), flags: 0, expiresAt: Infinity })
    }
    const delta = BigInt(random.below(100)) - 50n
    const outcome = subject.add(key, delta)
    if (typeof outcome !== 'bigint') return
    const number = model.get(key)
    if (number === undefined) throw new Error(`${key} was counted but is not there`)
    const digits = /^[ \t-\r]*\+?(\d+)/.exec(number.value.toString('latin1'))
    if (digits === null) throw new Error(`${key} was counted but is no number`)
    const old = BigInt(digits[1]!)
    const sum = delta < 0n && old < -delta ? 0n : BigInt.asUintN(64, old + delta)
    if (outcome !== sum) throw new Error(`${key}: ${old} and ${delta} make ${outcome}`)
    number.value = Buffer.from(String(sum).padEnd(number.value.length, ' '))
  }

  function touch(key: string): void {
    const exptime = random.below(30) + 1
    if (subject.touch(key, exptime) !== Outcome.Touched) return
    const entry = model.get(key)
    if (entry === undefined) throw new Error(`${key} was touched but should not be there`)
    entry.expiresAt = now() + exptime
  }

  function hold(key: string): void {
    if (pins.length >= 5 || subject.get(key) === undefined) return
    pins.push({ item: subject.find(key).item, end: subject.pin(key) })
  }

  function letGo(): void {
    pins.splice(random.below(Math.max(pins.length, 1)), 1)[0]?.end()
  }
}

function expectation(mode: Mode, old: Entry | undefined): Outcome {
  switch (mode) {
    case Mode.Set: return Outcome.Stored
    case Mode.Add: return old === undefined ? Outcome.Stored : Outcome.NotStored
    default: return old === undefined ? Outcome.NotStored : Outcome.Stored
  }
}

function liveCount(model: Map<string, Entry>, now: number): number {
  let count = 0
  for (const { expiresAt } of model.values()) if (expiresAt > now) count++
  return count
}
