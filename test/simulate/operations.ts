// What simulated threads do to a store, an operation each: requests of clients, whole, in parts, and of ones that read slowly
// or die; and the steps of the background work. What an operation answers is what its client saw, the same each time if
// nobody else is at work. A new operation is a row.

import { ClassSet } from '../../src/store/walks/crawler.js'
import { NO_ITEM } from '../../src/store/items/items.js'
import type { ItemView } from '../../src/store/view.js'
import type { StoreUnderTest } from '../support/store.js'
import { binary } from '../torture/binary.js'
import type { Intent } from '../torture/intent.js'
import type { SimulatedThread } from './thread.js'

/** What an operation is about. */
export interface Subject {
  readonly key: string
  /** The number for a compare-and-swap that succeeds if nobody is quicker. */
  readonly cas: number
  /** The class of the key's item, and one that has another page. */
  readonly slabClass: number
  readonly otherClass: number
  /** How long values are that are stored: as long as what is there. */
  readonly valueBytes: number
  /** And values that go elsewhere. */
  readonly elsewhereBytes: number
}

export interface Operation {
  readonly name: string
  /** Whether it is about all keys, so that it is the same operation whatever its key. */
  readonly isWide?: true
  /** Whether it is work of the background, which one thread does. That is made anew after it, as something may be left in it. */
  readonly isBackground?: true
  /** Whether it is a run of the crawler, of which there is one at a time. */
  readonly isRun?: true
  /** Whether it may cost any item its place. */
  readonly drops?: true
  /** Whether it counts, or reads what it then still holds: see `isKnownToDiffer` of explore.ts. */
  readonly isCount?: true
  readonly isReader?: true
  /** Whether it is there only to be found wrong. */
  readonly isCareless?: true
  run(thread: SimulatedThread, subject: Subject): string
}

/** More than one chunk of the worlds with small values holds. */
const LARGE_BYTES = 20_000
/** Of the steps of the background, what is enough for each to come to its end. */
const STEPS = 12
const MIB = 1024 * 1024
/** How often a slow reader looks at its value. */
const LOOKS = 3
/** What ends the prefix of a key: all keys have one. */
export const DELIMITER = 'e'
const anyWord = new Int32Array(1)

const CLIENTS: readonly Operation[] = [
  request('get', ({ key }) => `get ${key}\r\n`),
  request('gets', ({ key }) => `gets ${key}\r\n`),
  request('gat', ({ key }) => `gat 100 ${key}\r\n`),
  request('gat ended', ({ key }) => `gat -1 ${key}\r\n`),
  request('touch', ({ key }) => `touch ${key} 200\r\n`),
  request('set', ({ key, valueBytes }) => `set ${key} 0 0 ${valueBytes}\r\n${valueOf(34, valueBytes)}\r\n`),
  request('set flags', ({ key, valueBytes }) => `set ${key} 7 300 ${valueBytes}\r\n${valueOf(56, valueBytes)}\r\n`),
  request('set large', ({ key }) => `set ${key} 0 0 ${LARGE_BYTES}\r\n${valueOf(78, LARGE_BYTES)}\r\n`),
  request('set ended', ({ key }) => `set ${key} 0 -1 1\r\n9\r\n`),
  request('add', ({ key, valueBytes }) => `add ${key} 0 0 ${valueBytes}\r\n${valueOf(21, valueBytes)}\r\n`),
  request('replace', ({ key, valueBytes }) => `replace ${key} 0 0 ${valueBytes}\r\n${valueOf(43, valueBytes)}\r\n`),
  request('append', ({ key }) => `append ${key} 0 0 2\r\n65\r\n`),
  request('prepend', ({ key }) => `prepend ${key} 0 0 2\r\n87\r\n`),
  request('cas', ({ key, cas, valueBytes }) => `cas ${key} 0 0 ${valueBytes} ${cas}\r\n${valueOf(31, valueBytes)}\r\n`),
  { ...request('incr', ({ key }) => `incr ${key} 5\r\n`), isCount: true },
  { ...request('incr longer', ({ key }) => `incr ${key} 99999999\r\n`), isCount: true },
  { ...request('decr', ({ key }) => `decr ${key} 3\r\n`), isCount: true },
  request('delete', ({ key }) => `delete ${key}\r\n`),
  request('mg', ({ key }) => `mg ${key} v f c t s l h\r\n`),
  request('mg vivify', ({ key }) => `mg ${key} v c t N30\r\n`),
  request('mg win', ({ key }) => `mg ${key} v c t R3000\r\n`),
  request('mg touch', ({ key }) => `mg ${key} v c T400 E77\r\n`),
  request('ms', ({ key, valueBytes }) => `ms ${key} ${valueBytes} T100 F3\r\n${valueOf(57, valueBytes)}\r\n`),
  request('ms own cas', ({ key, valueBytes }) => `ms ${key} ${valueBytes} E999\r\n${valueOf(75, valueBytes)}\r\n`),
  request('ms stale', ({ key, cas, valueBytes }) => `ms ${key} ${valueBytes} C${cas} I\r\n${valueOf(79, valueBytes)}\r\n`),
  request('ms append', ({ key }) => `ms ${key} 2 MA N30\r\n97\r\n`),
  request('md', ({ key, cas }) => `md ${key} C${cas}\r\n`),
  request('md stale', ({ key }) => `md ${key} I T30\r\n`),
  request('md hollow', ({ key }) => `md ${key} x\r\n`),
  { ...request('ma', ({ key }) => `ma ${key} N0 J13 v t\r\n`), isCount: true },
  request('me', ({ key }) => `me ${key}\r\n`, { isHidden: true }),
  intent('binary get', ({ key }) => ({ does: 'get', keys: [key] })),
  intent('binary set', ({ key }) => ({ does: 'set', key, value: Buffer.from('11'), flags: 1, exptime: 0 })),
  { ...intent('binary incr', ({ key }) => ({ does: 'incr', key, amount: 2, initial: 40 })), isCount: true },
  {
    name: 'set in parts',
    run: (thread, { key, valueBytes }) => {
      const session = thread.connectDirectly()
      const bytes = Buffer.from(`set ${key} 0 0 ${valueBytes}\r\n${valueOf(13, valueBytes)}\r\n`, 'latin1')
      for (const part of [bytes.subarray(0, -3), bytes.subarray(-3)]) void session.send(part)
      return session.waiting().toString('latin1')
    },
  },
  {
    name: 'set that dies',
    run: (thread, { key }) => {
      const session = thread.connectDirectly()
      void session.send(Buffer.from(`set ${key} 0 0 ${LARGE_BYTES}\r\nhalf of it`, 'latin1'))
      void session.hangUp()
      return ''
    },
  },
  {
    // looks again and again at a value that is pinned, with points at which others go on
    name: 'read slowly', isReader: true,
    run: (thread, { key }) => {
      const loan = thread.subject.borrow(key)
      if (loan === undefined) return 'nothing'
      const before = loan.read()
      let isSame = true
      for (let looks = 0; looks < LOOKS; looks++) {
        Atomics.load(anyWord, 0)
        isSame &&= loan.read().equals(before)
      }
      loan.end()
      return isSame ? before.toString('latin1') : `torn: ${digest(before.toString('latin1'))}`
    },
  },
]

const WIDE: readonly Operation[] = [
  { ...request('flush', () => 'flush_all\r\n'), isWide: true },
  { name: 'flush prefix', run: ({ store }, { key }) => String(store.flushPrefix(prefixOf(key))) },
  {
    name: 'walk keys', isRun: true,
    run: ({ store }, { key }) => keysOf(store, key).filter(found => found === key).join(),
  },
  request('metadump', () => 'lru_crawler metadump all\r\n', { isRun: true, keeps: key => new RegExp(`^key=${key} `) }),
  request('cachedump', ({ slabClass }) => `stats cachedump ${slabClass} 0\r\n`, { isHidden: true }),
  {
    name: 'maintain', isWide: true, isBackground: true,
    run: ({ store }) => quiet(() => { for (let steps = 0; steps < STEPS && store.balanceStep(); steps++); }),
  },
  { name: 'sweep', isWide: true, isBackground: true,
    run: ({ store }) => quiet(() => { for (let steps = 0; steps < 2; steps++) store.sweepStep(1000) }) },
  {
    name: 'crawl', isWide: true, isRun: true, isBackground: true,
    run: ({ store }) => quiet(() => {
      store.crawler.tryBegin(ClassSet.all)
      for (let steps = 0; steps < STEPS && !store.crawlStep(1000); steps++);
    }),
  },
  move('move page', (store, { slabClass }) => { store.rebalance.reassign(slabClass, 0) }),
  move('move page across', (store, { slabClass, otherClass }) => { store.rebalance.reassign(slabClass, otherClass) }),
  { ...move('less memory', store => { store.setMemoryLimit(MIB) }), drops: true },
  {
    ...move('less, then more memory', store => {
      store.setMemoryLimit(MIB)
      store.setMemoryLimit(8 * MIB)
    }),
    drops: true,
  },
  {
    name: 'crowd', isWide: true, drops: true,
    run: (thread, { valueBytes }) => {
      const answers = [1, 2,
        3].map(number => thread.say(`set crowd-${number} 0 0 ${valueBytes}\r\n${valueOf(number, valueBytes)}\r\n`))
      return answers.every(answer => answer === 'STORED\r\n' || answer.startsWith('SERVER_ERROR out of memory')) ? ''
        : answers.join('')
    },
  },
  {
    // makes room in a class that has none, which takes a page from another
    name: 'crowd elsewhere', isWide: true, drops: true,
    run: (thread, { elsewhereBytes: bytes }) => {
      const answers = [1, 2].map(number => thread.say(`set wide-${number} 0 0 ${bytes}\r\n${valueOf(number, bytes)}\r\n`))
      return answers.every(answer => answer === 'STORED\r\n' || answer.startsWith('SERVER_ERROR out of memory')) ? ''
        : answers.join('')
    },
  },
]

/** What is wrong on purpose, so that it is seen that wrong things are found. */
const CARELESS: readonly Operation[] = [
  {
    name: 'careless count', isCareless: true,
    run: (thread, { key }) => {
      const count = Number(/\r\n(\d+)\r\n/.exec(thread.say(`get ${key}\r\n`))?.[1]) + 1
      return thread.say(`set ${key} 0 0 2\r\n${count}\r\n`) + String(count)
    },
  },
  { name: 'locks upwards', isCareless: true, run: ({ store }) => lockBoth(store, 1, 2) },
  { name: 'locks downwards', isCareless: true, run: ({ store }) => lockBoth(store, 2, 1) },
]

export const operations: readonly Operation[] = [...CLIENTS, ...WIDE, ...CARELESS]

export function operationNumber(name: string): number {
  const number = operations.findIndex(operation => operation.name === name)
  if (number < 0) throw new Error(`no operation is called ${name}`)
  return number
}

interface RequestTraits {
  readonly isRun?: true
  /** The answer is of no meaning, as it tells of time or memory. */
  readonly isHidden?: true
  /** Of an answer about many keys, the lines that count. */
  readonly keeps?: (key: string) => RegExp
}

function request(name: string, lineOf: (subject: Subject) => string,
  { isHidden, keeps, ...traits }: RequestTraits = {}): Operation {
  return {
    name, ...traits,
    run: (thread, subject) => {
      const answer = thread.say(lineOf(subject))
      if (isHidden === true) return ''
      return keeps === undefined ? answer : answer.split('\n').filter(line => keeps(subject.key).test(line)).join('\n')
    },
  }
}

function intent(name: string, intentOf: (subject: Subject) => Intent): Operation {
  return {
    name,
    run: (thread, subject) => {
      const answer = Buffer.from(thread.say(binary.encode(intentOf(subject)).bytes.toString('latin1')), 'latin1')
      // what the request is called, and the item's cas number
      answer.fill(0, 12, 24)
      return answer.toString('latin1')
    },
  }
}

function move(name: string, ask: (store: SimulatedThread['store'], subject: Subject) => void): Operation {
  return {
    name, isWide: true, isBackground: true,
    run: ({ store }, subject) => quiet(() => {
      ask(store, subject)
      store.balanceStep()
      for (let steps = 0; steps < STEPS && store.moveStep(); steps++);
    }),
  }
}

function lockBoth({ shards }: SimulatedThread['store'], first: number, second: number): string {
  const { slabs } = shards[0]!
  slabs.lock(first)
  slabs.lock(second)
  slabs.unlock(second)
  slabs.unlock(first)
  return ''
}

export function prefixOf(key: string): Buffer { return Buffer.from(key.slice(0, key.indexOf(DELIMITER))) }

/** The keys that begin so. */
function keysOf(store: SimulatedThread['store'], prefix: string): string[] {
  const keys: string[] = []
  const walk = store.tryWalkKeys(Buffer.from(prefix))
  const visit = ({ bytes, keyStart, keyBytes }: ItemView): boolean => {
    keys.push(Buffer.from(bytes.subarray(keyStart, keyStart + keyBytes)).toString('latin1'))
    return true
  }
  while (walk?.step({ visit }) === false);
  return walk === undefined ? ['busy'] : keys
}

function quiet(act: () => void): string {
  act()
  return ''
}

/** A number of two digits that begins a value of so many bytes. */
export function valueOf(number: number, bytes: number): string {
  const digits = String(number).padStart(2, '0')
  return bytes <= 2 ? digits.slice(0, bytes) : `${digits}:${digits.repeat(Math.ceil(bytes / 2))}`.slice(0, bytes)
}

/** How many characters of a long text its short form shows. */
const SHOWN = 40

/** A short form of a text that may be long: its beginning, in which a cas number can be seen, and a hash of the rest. */
export function digest(text: string): string {
  if (text.length <= 3 * SHOWN) return JSON.stringify(text)
  let hash = 0x811c9dc5
  for (let at = SHOWN; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return `${JSON.stringify(text.slice(0, SHOWN))}... ${text.length} bytes ${(hash >>> 0).toString(16)}`
}

/** What is stored under a key, whole, as the store itself has it; nothing is changed by looking. */
export function stateOf(subject: StoreUnderTest, key: string): string {
  const request = subject.for(key)
  const shard = subject.store.shardOf(request.hash)
  const item = shard.table.find(request.hash, request.bytes, request.keyStart, request.keyEnd - request.keyStart)
  if (item === NO_ITEM || shard.allocator.isDead(item)) return 'absent'
  const { items } = shard
  const found = subject.get(key)
  const marks = (items.state(item) >>> 29).toString(2)
  return `${digest(found?.value.toString('latin1') ?? '')} flags ${items.flags(item)} cas ${items.casLow(item)} ` +
    `ends ${items.expiresAt(item)} marks ${marks}`
}
