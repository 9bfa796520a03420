// One user of a cache that is soaked: a connection, which now and then is another one, and keys that nobody else writes.
// So of every key it knows what must be there if anything is: a miss is right at any time, as memory is short, but a hit has
// exactly the pieces that were stored last, and not long after it should have expired.

import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import type { Prng } from '../support/prng.js'
import type { Answer, Dialect, Intent } from '../torture/intent.js'
import { Talker } from '../torture/talker.js'
import type { Exchange } from '../torture/talker.js'
import { makePiece, readPieces } from '../torture/values.js'

/** What values are like for a while. */
export interface Phase {
  readonly name: string
  /** A value has from least to most bytes. */
  readonly least: number
  readonly most: number
  /** How many keys each user has. */
  readonly keys: number
}

/** What was stored last under a key. */
interface Entry {
  /** The numbers of its pieces. */
  readonly pieces: number[]
  /** Milliseconds; Infinity if it does not expire. */
  expiresAt: number
}

export interface Tally {
  requests: number
  hits: number
  misses: number
  refusals: number
  reconnects: number
}

const BURST_MAX = 24
const BURST_BYTES = 1024 * 1024
/** A server looks at its clock in whole seconds. */
const EXPIRY_SLACK_MS = 10_000
const PIECE_BYTES = 100
const READ_AT_ONCE = 20

export class User {
  private talker: Talker | undefined
  private readonly entries = new Map<string, Entry>()
  private id = 0
  private count = 0

  constructor(
    private readonly port: number, private readonly number: number, private readonly dialects: readonly Dialect[],
    private readonly prng: Prng, private readonly tally: Tally,
  ) {}

  /** The keys that it has written, whatever became of them. */
  get keys(): string[] { return [...this.entries.keys()] }

  /** Everything is gone: from now on a hit of what was stored before is wrong. Answers the keys there were. */
  forget(): string[] {
    const { keys } = this
    this.entries.clear()
    return keys
  }

  /**
   * @param phases the present one first
   * @param strangers whose keys it reads besides its own
   */
  async work(phases: readonly Phase[], until: number, strangers: readonly User[]): Promise<void> {
    while (performance.now() < until) {
      const talker = this.talker ??= await Talker.connect(this.port)
      const exchanges: Exchange[] = []
      for (let bytes = 0; exchanges.length < BURST_MAX && bytes < BURST_BYTES;) {
        const exchange = this.next(phases, strangers)
        exchanges.push(exchange)
        bytes += exchange.request.bytes.length
      }
      // the last is always answered
      exchanges.push(this.ask({ does: 'nothing' }, () => {}))
      this.tally.requests += exchanges.length
      await talker.say(exchanges)
      if (this.prng.oneIn(60)) await this.leave()
      // on few cores, the server needs some time too
      if (this.prng.oneIn(4)) await sleep(1)
    }
  }

  /** Reads keys, every one that it has written unless told otherwise; answers how many were there. */
  async readAll(keys: readonly string[] = this.keys): Promise<number> {
    const talker = this.talker ??= await Talker.connect(this.port)
    const before = this.tally.hits
    for (let at = 0; at < keys.length; at += READ_AT_ONCE) {
      await talker.say(keys.slice(at, at + READ_AT_ONCE).map(key => this.get(key)))
    }
    return this.tally.hits - before
  }

  async end(): Promise<void> {
    await this.talker?.end()
    this.talker = undefined
  }

  destroy(): void { this.talker?.destroy() }

  /** Leaves, in good order or not, and one who dies in the middle of a value leaves as well. */
  private async leave(): Promise<void> {
    this.tally.reconnects++
    if (this.prng.oneIn(2)) await this.end()
    else this.talker?.destroy()
    this.talker = undefined
    const dying = connect({ host: '127.0.0.1', port: this.port })
    await new Promise<void>((resolve, reject) => dying.once('connect', resolve).once('error', reject))
    dying.write(`set half-${this.number} 0 0 300000\r\n${'x'.repeat(this.prng.below(100_000))}`, () => dying.resetAndDestroy())
  }

  // Requests

  private next(phases: readonly Phase[], strangers: readonly User[]): Exchange {
    const { prng } = this
    const phase = phases[0]!
    const key = this.pickKey(prng.oneIn(8) ? prng.pick(phases) : phase)
    const roll = prng.below(100)
    if (roll < 40) return this.get(key)
    if (roll < 45) return this.getForeign(prng.pick(strangers))
    if (roll < 82) return this.set(key, prng.between(phase.least, phase.most))
    if (roll < 87) return this.append(key)
    if (roll < 91) return this.delete(key)
    if (roll < 95) return this.touch(key)
    return this.increment()
  }

  /** Mostly one of the few that are popular. */
  private pickKey(phase: Phase): string {
    const { prng } = this
    const index = prng.below(prng.oneIn(2) ? phase.keys : Math.max(1, phase.keys >> 3))
    return `${phase.name}-${this.number}-${index}`
  }

  private ask(intent: Intent, settle: (answer: Answer) => void): Exchange {
    const dialect = this.prng.pick(this.dialects.filter(each => each.knows(intent)))
    return { request: dialect.encode(intent), settle }
  }

  private get(key: string): Exchange {
    const sentAt = Date.now()
    return this.ask({ does: 'get', keys: [key] }, answer => this.checkHit(key, answer, sentAt))
  }

  private checkHit(key: string, answer: Answer, sentAt: number): void {
    const item = answer.is === 'items' ? answer.items[0] : undefined
    if (item === undefined) {
      this.tally.misses++
      return
    }
    this.tally.hits++
    const found = readPieces(key, item.value).map(({ id }) => id)
    const entry = this.entries.get(key)
    if (entry === undefined) throw new Error(`${key} has the pieces ${found.join()}, but it was deleted or flushed`)
    if (found.join() !== entry.pieces.join() || item.flags !== entry.pieces[0]) {
      throw new Error(`${key} has the pieces ${found.join()} and the flags ${item.flags}, but ${entry.pieces.join()} were stored`)
    }
    if (sentAt > entry.expiresAt + EXPIRY_SLACK_MS) throw new Error(`${key} lives ${sentAt - entry.expiresAt} ms after its end`)
  }

  /** What somebody else is just writing can be any version, but a whole one of that key. */
  private getForeign(stranger: User): Exchange {
    const key = stranger.entries.keys().next().value ?? `nothing-${this.number}`
    return this.ask({ does: 'get', keys: [key] }, answer => {
      const item = answer.is === 'items' ? answer.items[0] : undefined
      if (item === undefined) return
      const [first] = readPieces(key, item.value)
      if (first?.id !== item.flags) throw new Error(`${key} begins with piece ${first?.id}, but its flags are ${item.flags}`)
    })
  }

  private set(key: string, bytes: number): Exchange {
    const id = ++this.id
    const exptime = this.prng.oneIn(6) ? this.prng.between(1, 3) : 0
    const value = makePiece(key, { kind: 'base', writer: this.number, id }, bytes)
    const does = this.prng.oneIn(8) ? 'add' : 'set'
    return this.ask({ does, key, value, flags: id, exptime }, answer => {
      if (answer.is === 'done') this.entries.set(key, { pieces: [id], expiresAt: endOf(exptime) })
      else this.refused(answer)
    })
  }

  private append(key: string): Exchange {
    const id = ++this.id
    const value = makePiece(key, { kind: 'back', writer: this.number, id }, this.prng.below(PIECE_BYTES))
    return this.ask({ does: 'append', key, value }, answer => {
      if (answer.is !== 'done') return this.refused(answer)
      const entry = this.entries.get(key)
      if (entry === undefined) throw new Error(`something was appended to ${key}, which was deleted or flushed`)
      entry.pieces.push(id)
    })
  }

  private refused(answer: Answer): void {
    if (answer.is === 'full') this.tally.refusals++
    else if (answer.is !== 'unstored' && answer.is !== 'exists' && answer.is !== 'absent') {
      throw new Error(`a value was answered with ${answer.is}`)
    }
  }

  private delete(key: string): Exchange {
    return this.ask({ does: 'delete', key }, () => { this.entries.delete(key) })
  }

  private touch(key: string): Exchange {
    const exptime = this.prng.oneIn(3) ? this.prng.between(1, 3) : 0
    const sentAt = Date.now()
    const settle = (answer: Answer): void => {
      if (answer.is === 'items') this.checkHit(key, answer, sentAt)
      const entry = this.entries.get(key)
      const isHit = answer.is === 'done' || (answer.is === 'items' && answer.items[0] !== undefined)
      if (isHit && entry !== undefined) entry.expiresAt = endOf(exptime)
    }
    return this.ask(this.prng.oneIn(2) ? { does: 'touch', key, exptime } : { does: 'gat', key, exptime }, settle)
  }

  /** A number of its own goes up by one, or begins anew at 0. */
  private increment(): Exchange {
    const key = `number-${this.number}`
    return this.ask({ does: 'incr', key, amount: 1, initial: 0 }, answer => {
      if (answer.is !== 'done' || answer.number === undefined) return this.refused(answer)
      const due = answer.number === 0 ? 0 : this.count + 1
      if (answer.number !== due) throw new Error(`${key} went to ${answer.number} where ${due} was due`)
      this.count = due
    })
  }
}

function endOf(exptime: number): number { return exptime === 0 ? Infinity : Date.now() + exptime * 1000 }
