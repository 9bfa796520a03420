// How long the chains of the hash table are: what verify() finds, and what `stats hash` says.
import t from 'tap'
import { Mode } from '../../src/store/request.js'
import { type Store } from '../../src/store/store.js'
import { startServer } from '../support/server.js'
import { StoreUnderTest } from '../support/store.js'

const MIB = 1024 * 1024
/** Keys that have so many low bits of their hashes in common are in one bucket of any table with fewer buckets than 2 to that. */
const COMMON_BITS = 16

/** Keys of one bucket, found by who knows the key of the hash. */
function collidingKeys({ context: { hash } }: Store, count: number): string[] {
  const bytes = Buffer.alloc(16)
  const keys: string[] = []
  let wanted: number | undefined
  for (let i = 0; keys.length < count; i++) {
    const end = bytes.write(`c${i}`)
    const bits = hash.of(bytes, 0, end) & 2 ** COMMON_BITS - 1
    wanted ??= bits
    if (bits === wanted) keys.push(`c${i}`)
  }
  return keys
}

t.test('keys that collide show as a long chain, for a minute or two after they are gone', async t => {
  const subject = new StoreUnderTest({ maxbytes: 4 * MIB })
  const { store, clock } = subject
  const steps = (): void => {
    for (let i = 0; i < 100; i++) {
      clock.advance(0.1)
      store.chainStep()
    }
  }
  steps()
  t.equal(store.longestChain, 0, 'of an empty store')
  for (let i = 0; i < 200; i++) subject.put(Mode.Set, `k${i}`, Buffer.from('v'))
  steps()
  t.ok(store.longestChain >= 1 && store.longestChain <= 4, `${store.longestChain} of 200 keys in one chain`)
  t.ok(store.verify() >= store.longestChain)
  const keys = collidingKeys(store, 30)
  for (const key of keys) subject.put(Mode.Set, key, Buffer.from('v'))
  steps()
  t.ok(store.longestChain >= 30, `${store.longestChain} in a chain with 30 keys`)
  t.equal(store.verify(), store.longestChain)
  for (const key of keys) subject.delete(key)
  t.ok(store.verify() <= 4)
  clock.advance(60)
  steps()
  t.ok(store.longestChain >= 30, 'that of the period before')
  clock.advance(60)
  steps()
  t.ok(store.longestChain <= 4, 'forgotten')
})

t.test('a step counts so many items and no more, however long the chains are', async t => {
  const subject = new StoreUnderTest({ maxbytes: 4 * MIB })
  // all keys in one chain: as if the hash were none
  const { hash } = subject.store.context
  hash.of = () => 1
  for (let i = 0; i < 1500; i++) subject.put(Mode.Set, `k${i}`, Buffer.from('v'))
  const { items } = subject.store.shards[0]!
  const chain = items.chain.bind(items)
  let counted = 0
  items.chain = item => {
    counted++
    return chain(item)
  }
  let most = 0
  for (let i = 0; i < 100; i++) {
    counted = 0
    subject.store.chainStep()
    most = Math.max(most, counted)
  }
  t.ok(most >= 1000 && most <= 1200, `${most} items in one step`)
  t.equal(subject.store.longestChain, 1000, 'counted up to 1000')
  t.equal(subject.store.verify(), 1500)
})

t.test('`stats hash` tells of the hash table and its longest chain', async t => {
  const { client, clock, server } = await startServer(t, { maxbytes: 4 * MIB })
  for (let i = 0; i < 100; i++) await client.says(`set k${i} 0 0 1\r\nv\r\n`, 'STORED\r\n')
  clock.advance(30)
  await client.says('stats hash\r\n',
    /^STAT hash_power_level \d+\r\nSTAT hash_bytes \d+\r\nSTAT hash_is_expanding 0\r\nSTAT hash_longest_chain [1-5]\r\nEND\r\n$/)
  server.verify()
})
