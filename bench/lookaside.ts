// A client that uses a cache as applications do: it asks for keys, and sets those that were missing. Keys are drawn by a
// zipf distribution from a seed, so every server sees the same keys in the same order. Among them may be some that never
// come again.
//
// One connection sends many gets at once, then the sets of what was missing at once. An answer has one of two lengths,
// so a hit is told from a miss by its first byte; then its whole text is compared.

import { connect, type Socket } from 'node:net'
import { SILENCE_MS_MAX } from './connection.js'
import { Prng, shuffle, Zipf } from './random.js'

const SEED = 99
const BATCH = 50
const KEY_BYTES = 20
const HIT = 'V'.charCodeAt(0)
const MISS = Buffer.from('END\r\n')
const STORED = 'STORED\r\n'

export class LookAside {
  private readonly keys: Uint32Array       // by popularity, so that popular keys are no neighbours
  private readonly dice = new Prng(SEED + 1)
  private onceCount = 0                    // keys that came and will not come again
  private readonly zipf: Zipf
  private readonly value: Buffer
  private readonly hit: Buffer             // an answer with some key
  private readonly answers: Buffer         // those of the batch under way

  // Keys begin with `letter`.
  constructor(keyCount: number, exponent: number, valueBytes: number, private readonly onceShare = 0,
    private readonly letter = 'k') {
    const prng = new Prng(SEED)
    this.keys = Uint32Array.from(shuffle(Array.from({ length: keyCount }, (_, index) => index), prng))
    this.zipf = new Zipf(keyCount, exponent, prng)
    this.value = Buffer.alloc(valueBytes, 'look-aside ')
    this.hit = Buffer.concat([Buffer.from(`VALUE ${this.keyText(0)} 0 ${valueBytes}\r\n`), this.value,
      Buffer.from('\r\nEND\r\n')])
    this.answers = Buffer.alloc(BATCH * this.hit.length)
  }

  // Hits ÷ gets, of keys that may come again, over the second half of the gets; the first half fills the cache and lets
  // it settle.
  async run(port: number, gets: number): Promise<number> {
    const socket = connect({ host: '127.0.0.1', port, noDelay: true })
    socket.setTimeout(SILENCE_MS_MAX, () => socket.destroy())
    const batches = Math.ceil(gets / 2 / BATCH) * 2
    let hits = 0
    let counted = 0
    for (let batch = 0; batch < batches; batch++) {
      const onceBefore = this.onceCount
      const keys = Array.from({ length: BATCH }, () => this.nextKey())
      const missing = await this.getAll(socket, keys)
      if (missing.length > 0) await this.setAll(socket, missing)
      if (batch < batches / 2) continue
      hits += BATCH - missing.length
      counted += BATCH - (this.onceCount - onceBefore)
    }
    socket.destroy()
    return hits / counted
  }

  private nextKey(): string {
    const isOnce = this.onceShare > 0 && this.dice.next() < this.onceShare
    return this.keyText(isOnce ? this.keys.length + this.onceCount++ : this.keys[this.zipf.next()]!)
  }

  // Returns the keys that were missing.
  private async getAll(socket: Socket, keys: readonly string[]): Promise<string[]> {
    let missing: string[] | undefined
    await this.exchange(socket, [Buffer.from(keys.map(key => `get ${key}\r\n`).join(''), 'latin1')], filled => {
      missing = this.missingOf(keys, filled)
      return missing !== undefined
    })
    return missing!
  }

  private async setAll(socket: Socket, keys: readonly string[]): Promise<void> {
    const end = Buffer.from('\r\n')
    const sets = keys.flatMap(key => [Buffer.from(`set ${key} 0 0 ${this.value.length}\r\n`), this.value, end])
    const expected = STORED.repeat(keys.length)
    await this.exchange(socket, sets, filled => filled >= expected.length)
    if (this.answers.toString('latin1', 0, expected.length) !== expected) throw new Error('wrong answer to set')
  }

  // undefined while the answers are not all there
  private missingOf(keys: readonly string[], filled: number): string[] | undefined {
    const missing: string[] = []
    let at = 0
    for (const key of keys) {
      const expected = this.answers[at] === HIT ? this.hitOf(key) : MISS
      if (at + expected.length > filled) return undefined
      if (this.answers.compare(expected, 0, expected.length, at, at + expected.length) !== 0) {
        throw new Error('wrong answer to get')
      }
      if (expected === MISS) missing.push(key)
      at += expected.length
    }
    return missing
  }

  private hitOf(key: string): Buffer {
    this.hit.write(key, 'VALUE '.length, 'latin1')
    return this.hit
  }

  private exchange(socket: Socket, request: readonly Buffer[], isComplete: (filled: number) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let filled = 0
      const settle = (error?: Error): void => {
        socket.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close')
        if (error === undefined) resolve()
        else reject(error)
      }
      socket.on('error', settle).on('close', () => settle(new Error('the server closed the connection')))
      socket.on('data', (bytes: Buffer) => {
        try {
          filled += bytes.copy(this.answers, filled)
          if (isComplete(filled)) settle()
        } catch (error) {
          settle(error as Error)
        }
      })
      socket.write(Buffer.concat(request))
    })
  }

  private keyText(index: number): string { return String(index).padStart(KEY_BYTES, this.letter) }
}
