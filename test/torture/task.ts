// What several connections, in one process or in many, do at one time to the same keys, and what they are told. None of it
// needs the order of things: what all processes were told together must be exactly right.

import type { Prng } from '../support/prng.js'
import { binary } from './binary.js'
import { classic } from './classic.js'
import type { Answer, Dialect, Intent, Request } from './intent.js'
import { meta } from './meta.js'
import { Talker } from './talker.js'
import type { Exchange } from './talker.js'
import { makePiece, readPieces } from './values.js'

/** What each connection does. */
export type Task =
  /** Adds 1 so many times. */
  | { readonly does: 'count', readonly key: string, readonly times: number, readonly isQuiet: boolean }
  /** Appends so many pieces of its own. */
  | { readonly does: 'append', readonly key: string, readonly times: number }
  /** Tries each key once. @param tokens the cas numbers of the keys */
  | { readonly does: 'win', readonly game: Game, readonly keys: readonly string[], readonly tokens?: readonly string[] }
  /** Reads and writes so many times, and looks at every byte it reads. */
  | { readonly does: 'mix', readonly keys: readonly string[], readonly times: number, readonly bytesMax: number }

/** What only one of all connections can do. */
export type Game = 'add' | 'cas' | 'delete' | 'delete of a cas number' | 'begin a number' | 'fill a miss' |
  'renew what is stale'

/** What the connections of one process were told, all together. */
export interface Result {
  /** For each key how often it was won. */
  readonly wins: number[]
  /** The sum of the numbers they were told, and of their digests. */
  sum: number
  digests: number
  /** How many values were read and were whole. */
  reads: number
}

export interface Part {
  readonly port: number
  readonly connections: number
  /** The number of its first connection among those of all processes. */
  readonly first: number
  readonly task: Task
}

const BURST_MAX = 30
const TEXT = [classic, meta]

export async function perform({ port, connections, first, task }: Part, prng: Prng): Promise<Result> {
  const result: Result = { wins: task.does === 'win' ? task.keys.map(() => 0) : [], sum: 0, digests: 0, reads: 0 }
  const talkers = await Promise.all(Array.from({ length: connections }, () => Talker.connect(port)))
  try {
    await Promise.all(talkers.map((talker, index) => new Worker(talker, first + index, prng, result).perform(task)))
    await Promise.all(talkers.map(talker => talker.end()))
  } finally {
    for (const talker of talkers) talker.destroy()
  }
  return result
}

/** Spreads numbers so that two sets of them that have the same sum have not the same digests. */
export function digest(number: number): number {
  let mixed = Math.imul(number ^ (number >>> 15), 0x85ebca6b)
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}

class Worker {
  private readonly dialects: readonly Dialect[]
  private pieces = 0

  constructor(
    private readonly talker: Talker, private readonly writer: number,
    private readonly prng: Prng, private readonly result: Result,
  ) {
    this.dialects = writer % 3 === 2 ? [binary] : TEXT
  }

  async perform(task: Task): Promise<void> {
    switch (task.does) {
      case 'count': return await this.repeat(task.times, () => this.count(task.key, task.isQuiet))
      case 'append': return await this.repeat(task.times, () => this.append(task.key))
      case 'mix': return await this.repeat(task.times, () => this.mix(this.prng.pick(task.keys), task.bytesMax))
      case 'win': {
        let index = 0
        await this.repeat(task.keys.length, () => this.tryToWin(task.game, task.keys[index]!, task.tokens?.[index], index++))
      }
    }
  }

  /** Sends what is made so many times, in bursts. */
  private async repeat(times: number, make: () => Exchange): Promise<void> {
    for (let left = times; left > 0;) {
      const count = Math.min(left, this.prng.between(1, BURST_MAX))
      const exchanges = Array.from({ length: count }, make)
      exchanges.push(this.ask({ does: 'nothing' }, () => {}))
      await this.talker.say(exchanges)
      left -= count
    }
  }

  private ask(intent: Intent, settle: (answer: Answer) => void): Exchange {
    const dialect = this.prng.pick(this.dialects.filter(each => each.knows(intent)))
    return { request: dialect.encode(intent), settle }
  }

  private count(key: string, isQuiet: boolean): Exchange {
    return this.ask({ does: 'incr', key, amount: 1, isQuiet }, answer => {
      if (isQuiet) return
      if (answer.is !== 'done' || answer.number === undefined) throw new Error(`incr ${key} was answered with ${answer.is}`)
      this.result.sum += answer.number
      this.result.digests += digest(answer.number)
    })
  }

  private append(key: string): Exchange {
    const value = makePiece(key, { kind: 'back', writer: this.writer, id: this.pieces++ }, 0)
    return this.ask({ does: 'append', key, value }, answer => {
      if (answer.is !== 'done') throw new Error(`append ${key} was answered with ${answer.is}`)
    })
  }

  private mix(key: string, bytesMax: number): Exchange {
    const { prng } = this
    if (prng.oneIn(8)) return this.ask({ does: 'delete', key }, () => {})
    if (prng.oneIn(12)) return this.ask({ does: 'touch', key, exptime: prng.below(2) }, () => {})
    if (prng.oneIn(3)) {
      const id = this.pieces++
      const bytes = prng.below(prng.pick([100, bytesMax / 16, bytesMax]))
      const value = makePiece(key, { kind: 'base', writer: this.writer, id }, bytes)
      return this.ask({ does: prng.oneIn(4) ? 'add' : 'set', key, value, flags: 0, exptime: prng.oneIn(20) ? 1 : 0 }, () => {})
    }
    if (prng.oneIn(6)) {
      const value = makePiece(key, { kind: 'back', writer: this.writer, id: this.pieces++ }, prng.below(200))
      return this.ask({ does: 'append', key, value }, () => {})
    }
    return this.ask({ does: 'get', keys: [key] }, answer => {
      const item = answer.is === 'items' ? answer.items[0] : undefined
      if (item === undefined) return
      readPieces(key, item.value)
      this.result.reads++
    })
  }

  private tryToWin(game: Game, key: string, token: string | undefined, index: number): Exchange {
    const settle = (answer: Answer): void => { if (answer.is === 'done') this.result.wins[index]!++ }
    const value = makePiece(key, { kind: 'base', writer: this.writer, id: index }, 0)
    switch (game) {
      case 'add': return this.ask({ does: 'add', key, value, flags: this.writer, exptime: 0 }, settle)
      case 'cas': return this.ask({ does: 'set', key, value, flags: this.writer, exptime: 0, token }, settle)
      case 'delete': return this.ask({ does: 'delete', key }, settle)
      case 'delete of a cas number': {
        const intent: Intent = { does: 'delete', key, token }
        // The classic delete has no cas number.
        return { request: (this.dialects === TEXT ? meta : binary).encode(intent), settle }
      }
      case 'begin a number': {
        const intent: Intent = { does: 'incr', key, amount: 1, initial: 7_000_000 }
        const dialect = this.dialects === TEXT ? meta : binary
        // Some are refused by memcached 1.6.18, which looks for the item and adds it under two locks.
        const settleFirst = (answer: Answer): void => {
          if (answer.is === 'done' && answer.number === 7_000_000) settle(answer)
        }
        return { request: dialect.encode(intent), settle: settleFirst }
      }
      case 'fill a miss': return this.metaWin(`mg ${key} N30\r\n`, settle)
      case 'renew what is stale': return this.metaWin(`mg ${key}\r\n`, settle)
    }
  }

  /** A meta command that says with W to one of all that it has won. A binary connection cannot say it. */
  private metaWin(text: string, settle: (answer: Answer) => void): Exchange {
    if (this.dialects !== TEXT) return this.ask({ does: 'nothing' }, () => {})
    const request: Request = {
      bytes: Buffer.from(text),
      read: (bytes, at) => {
        const end = bytes.indexOf('\r\n', at)
        if (end < 0) return bytes.length - at + 1
        const words = bytes.toString('latin1', at, end).split(' ')
        if (words[0] !== 'HD') throw new Error(`${text} was answered with ${words.join(' ')}`)
        return { answer: { is: words.includes('W') ? 'done' : 'exists' }, end: end + 2 }
      },
    }
    return { request, settle }
  }
}
