// Makes requests by the laws of chance, writes down what they want in a history, and what came of them.
//
// Keys are of four kinds, by their first letter, so that what happened to them can be told: values, which are
// replaced and grow at both ends; locks, which are mostly added and deleted; numbers that go up, and numbers that go down.

import type { Prng } from '../support/prng.js'
import { binary } from './binary.js'
import { classic } from './classic.js'
import { EVERY_KEY } from './history.js'
import type { Effect, History, Operation, Sight } from './history.js'
import type { Answer, Count, Dialect, Intent, Item } from './intent.js'
import { meta } from './meta.js'
import type { Exchange } from './talker.js'
import { firstNumber, makePiece, numberValue, readNumber, readPieces, valueOf } from './values.js'

/** What the requests are like. */
export interface Taste {
  /** How many keys of each kind. */
  readonly values: number
  readonly locks: number
  readonly numbers: number
  /** A value is shorter than one of these. */
  readonly sizes: readonly number[]
  /** One value in so many has 600 KiB; 0: none. */
  readonly largeOneIn: number
  /** Whether items may expire. */
  readonly expires: boolean
  /** One request in so many is a flush_all; 0: none. */
  readonly flushOneIn: number
  /** Whether the server may be short of memory, so that it drops items and refuses some. */
  readonly canEvict: boolean
}

const TEXT: readonly Dialect[] = [classic, meta]
const BINARY: readonly Dialect[] = [binary]
const LARGE_BYTES = 600 * 1024
const TOKENS_MAX = 4
const KEYS_MAX = 6

type Does = 'get' | 'many' | 'gat' | 'touch' | 'set' | 'add' | 'replace' | 'cas' | 'append' | 'prepend' | 'count' | 'delete'

/** How often each is done to the keys of a kind. */
const WEIGHTS: Readonly<Record<string, Readonly<Partial<Record<Does, number>>>>> = {
  v: {
    get: 28, many: 4, gat: 3, touch: 3, set: 20, add: 6, replace: 6, cas: 14, append: 8, prepend: 4, delete: 5,
  },
  l: { get: 15, many: 3, add: 38, delete: 34, cas: 10 },
  u: { get: 12, many: 3, count: 70, set: 1, add: 5, cas: 3, delete: 2, touch: 2 },
}

const HABITS = new Map(Object.entries(WEIGHTS).map(([kind, weights]) =>
  [kind, Object.entries(weights).map(([does, weight]) => ({ does: does as Does, weight }))]))

export class Mixture {
  readonly keys: readonly string[]
  private readonly tokens = new Map<string, string[]>()

  /** @param name is part of every key */
  constructor(private readonly prng: Prng, private readonly history: History, private readonly taste: Taste, name: string) {
    const { values, locks, numbers } = taste
    const keys: string[] = []
    for (let index = 0; index < values; index++) keys.push(`v${name}-${index}`)
    for (let index = 0; index < locks; index++) keys.push(`l${name}-${index}`)
    for (let index = 0; index < numbers; index++) keys.push(`${index % 2 === 0 ? 'u' : 'd'}${name}-${index}`)
    this.keys = keys
  }

  /** What a connection says next. @param count how many requests, and a last one if without it not all would be answered */
  burst(connection: number, isBinary: boolean, count: number): Exchange[] {
    const exchanges: Exchange[] = []
    let isAnswered = false
    for (let index = 0; index < count; index++) {
      const { exchange, intent } = this.next(connection, isBinary)
      exchanges.push(exchange)
      isAnswered = !('isQuiet' in intent && intent.isQuiet === true)
    }
    if (!isAnswered) exchanges.push(this.exchange(connection, isBinary, { does: 'nothing' }, []))
    return exchanges
  }

  /** Reads all keys. */
  readAll(connection: number): Exchange[] {
    return this.keys.map(key => {
      const operation = this.record(connection, key)
      return this.exchange(connection, false, { does: 'get', keys: [key] }, [operation])
    })
  }

  private next(connection: number, isBinary: boolean): { exchange: Exchange, intent: Intent } {
    const { prng, taste } = this
    if (taste.flushOneIn > 0 && prng.oneIn(taste.flushOneIn)) {
      const operation = this.record(connection, EVERY_KEY)
      const intent: Intent = { does: 'flush' }
      return { intent, exchange: this.exchange(connection, isBinary, intent, [operation]) }
    }
    if (prng.oneIn(50)) {
      const intent: Intent = { does: 'nothing' }
      return { intent, exchange: this.exchange(connection, isBinary, intent, []) }
    }
    const key = prng.pick(this.keys)
    const { does } = prng.pickWeighted(HABITS.get(key[0] === 'd' ? 'u' : key[0]!)!)
    if (does === 'many') {
      const keys = [...new Set(Array.from({ length: prng.between(2, KEYS_MAX) }, () => prng.pick(this.keys)))]
      if (!isBinary) {
        const operations = keys.map(each => this.record(connection, each))
        const intent: Intent = { does: 'get', keys }
        return { intent, exchange: this.exchange(connection, isBinary, intent, operations) }
      }
    }
    const operation = this.record(connection, key)
    const intent = this.intent(operation, does, isBinary)
    return { intent, exchange: this.exchange(connection, isBinary, intent, [operation]) }
  }

  private record(connection: number, key: string): Operation {
    return this.history.record(connection, key, '')
  }

  private intent({ key, id, connection }: Operation, does: Does, isBinary: boolean): Intent {
    const { prng, taste } = this
    // Without an answer of its own, a text command that found no memory cannot be told from the next one.
    const isQuiet = prng.oneIn(5) && (isBinary || !taste.canEvict)
    const isNumber = key[0] === 'u' || key[0] === 'd'
    switch (does) {
      case 'get': case 'many': return { does: 'get', keys: [key], isQuiet }
      case 'gat': return { does: 'gat', key, exptime: this.exptime(isBinary), isQuiet }
      case 'touch': return { does: 'touch', key, exptime: this.exptime(isBinary) }
      case 'delete': return { does: 'delete', key, isQuiet, token: prng.oneIn(3) ? this.token(key) : undefined }
      case 'append': case 'prepend': {
        const kind = does === 'append' ? 'back' : 'front'
        const value = makePiece(key, { kind, writer: connection, id }, prng.oneIn(10) ? prng.below(2048) : prng.below(100))
        return { does, key, value, isQuiet, token: prng.oneIn(4) ? this.token(key) : undefined }
      }
      case 'count': {
        const direction = key[0] === 'u' ? 'up' : 'down'
        const initial = !isQuiet && prng.oneIn(8) ? firstNumber(id, direction) : undefined
        const token = initial === undefined && prng.oneIn(8) ? this.token(key) : undefined
        return { does: direction === 'up' ? 'incr' : 'decr', key, amount: prng.between(1, 3), initial, token, isQuiet }
      }
      case 'set': case 'add': case 'replace': case 'cas': {
        const token = does === 'cas' ? this.token(key) : undefined
        if (does === 'cas' && token === undefined) return { does: 'get', keys: [key] }
        const value = isNumber ? Buffer.from(String(firstNumber(id, key[0] === 'u' ? 'up' : 'down')))
          : this.value(key, connection, id)
        const exptime = this.exptime(isBinary)
        return { does: does === 'cas' ? 'set' : does, key, value, flags: id, exptime, token, isQuiet }
      }
    }
  }

  /** A cas number that the item had, mostly the last that was seen. */
  private token(key: string): string | undefined {
    const known = this.tokens.get(key)
    if (known === undefined) return undefined
    return this.prng.oneIn(4) ? this.prng.pick(known) : known.at(-1)
  }

  private value(key: string, writer: number, id: number): Buffer {
    const { prng, taste } = this
    const kind = 'base'
    if (taste.largeOneIn > 0 && prng.oneIn(taste.largeOneIn)) return makePiece(key, { kind, writer, id }, LARGE_BYTES)
    if (prng.oneIn(20)) return Buffer.alloc(0)
    return makePiece(key, { kind, writer, id }, prng.below(prng.pick(taste.sizes)))
  }

  private exptime(isBinary: boolean): number {
    const { prng, taste } = this
    if (!taste.expires || !prng.oneIn(12)) return 0
    return isBinary || prng.oneIn(2) ? 1 : -1
  }

  private exchange(connection: number, isBinary: boolean, intent: Intent, operations: readonly Operation[]): Exchange {
    const dialects = (isBinary ? BINARY : TEXT).filter(dialect => dialect.knows(intent))
    const dialect = dialects.length > 0 ? this.prng.pick(dialects) : undefined
    if (dialect === undefined) return this.exchange(connection, isBinary, simpler(intent), operations)
    const isQuiet = 'isQuiet' in intent && intent.isQuiet === true
    const condition = 'token' in intent && intent.token !== undefined ? ` if cas is ${intent.token}` : ''
    for (const operation of operations) {
      operation.name = `${dialect.name} ${isQuiet ? 'quiet ' : ''}${intent.does}${condition}`
      operation.effect = this.wanted(intent)
      operation.isCertain = false
    }
    return { request: dialect.encode(intent), settle: answer => this.settle(intent, answer, operations) }
  }

  /** What the request does if it succeeds. */
  private wanted(intent: Intent, token?: string): Effect {
    switch (intent.does) {
      case 'get': case 'nothing': return { does: 'nothing' }
      case 'gat': case 'touch':
        if (intent.exptime === 0) return { does: 'nothing' }
        return { does: intent.exptime < 0 ? 'remove' : 'fade' }
      case 'append': case 'prepend': return { does: intent.does }
      case 'incr': case 'decr': return { does: 'count', amount: intent.amount }
      case 'delete': case 'flush': return { does: 'remove' }
      case 'set': case 'add': case 'replace': {
        if (intent.exptime === 0) return { does: 'write', token }
        return { does: 'write', token, lasts: intent.exptime < 0 ? 'never' : 'briefly' }
      }
    }
  }

  /** Writes down what came of a request. */
  private settle(intent: Intent, answer: Answer, operations: readonly Operation[]): void {
    if (answer.is === 'items') {
      for (const [index, operation] of operations.entries()) this.settleRead(intent, operation, answer.items[index])
      return
    }
    for (const operation of operations) {
      if (answer.is !== 'unknown') {
        operation.isCertain = true
        operation.end = this.history.tick()
      }
      this.settleChange(intent, answer, operation)
    }
  }

  private settleRead(intent: Intent, operation: Operation, item: Item | undefined): void {
    operation.end = this.history.tick()
    operation.isCertain = true
    if (item === undefined) {
      operation.saw = { is: 'absent' }
      operation.effect = { does: 'nothing' }
      return
    }
    const { key } = operation
    const value = key[0] === 'u' || key[0] === 'd' ? numberValue(readNumber(key, item.value), key[0] === 'u' ? 'up' : 'down')
      : valueOf(readPieces(key, item.value), item.flags)
    operation.saw = item.token === undefined ? { is: 'value', value } : { is: 'value', value, token: item.token }
    operation.effect = this.wanted(intent)
    if (item.token !== undefined) this.note(key, item.token)
  }

  private settleChange(intent: Intent, answer: Exclude<Answer, { is: 'items' }>, operation: Operation): void {
    const token = 'token' in intent ? intent.token : undefined
    const nothing: Effect = { does: 'nothing' }
    switch (answer.is) {
      case 'unknown': return
      case 'full':
        // What was there before may be gone.
        operation.effect = intent.does === 'set' ? { does: 'remove' } : nothing
        operation.isCertain = false
        return
      case 'absent':
        operation.saw = { is: 'absent' }
        operation.effect = nothing
        return
      case 'exists':
        if (token === undefined) throw new Error(`${operation.name} ${operation.key} was refused for its cas number`)
        operation.saw = { is: 'other', token }
        operation.effect = nothing
        return
      case 'unstored':
        operation.saw = this.whyUnstored(intent)
        operation.effect = nothing
        return
      case 'done':
        operation.saw = token === undefined ? sightOfSuccess(intent) : { is: 'token', token }
        operation.effect = this.wanted(intent, answer.token)
        if (answer.number === undefined || (intent.does !== 'incr' && intent.does !== 'decr')) return
        this.settleCount(intent, answer.number, answer.token, operation)
    }
  }

  private settleCount(intent: Count, number: number, token: string | undefined, operation: Operation): void {
    if (number === intent.initial) {
      operation.saw = { is: 'absent' }
      operation.effect = { does: 'write' }
      return
    }
    const result = numberValue(number, intent.does === 'incr' ? 'up' : 'down')
    operation.effect = { does: 'count', amount: intent.amount, result, token }
    if (token !== undefined) this.note(operation.key, token)
  }

  private whyUnstored({ does }: Intent): Sight {
    switch (does) {
      case 'add': return { is: 'present' }
      case 'replace': return { is: 'absent' }
      // Where memory is short, this is said for want of it as well.
      case 'append': case 'prepend': return this.taste.canEvict ? { is: 'unknown' } : { is: 'absent' }
      default: return { is: 'unknown' }
    }
  }

  private note(key: string, token: string): void {
    const known = this.tokens.get(key)
    if (known === undefined) this.tokens.set(key, [token])
    else if (known.push(token) > TOKENS_MAX) known.shift()
  }
}

function sightOfSuccess({ does }: Intent): Sight {
  switch (does) {
    case 'add': return { is: 'absent' }
    case 'set': case 'flush': return { is: 'unknown' }
    default: return { is: 'present' }
  }
}

/** The same in a way that every dialect knows. */
function simpler(intent: Intent): Intent {
  switch (intent.does) {
    case 'get': return { does: 'get', keys: intent.keys }
    case 'gat': return { ...intent, isQuiet: false }
    case 'append': case 'prepend': case 'delete': return { ...intent, token: undefined }
    case 'incr': case 'decr': return { ...intent, token: undefined, initial: undefined }
    default: return intent
  }
}
