// Clients that nothing may take anything from: values that were stored before, in a cache with room for all of them, and
// clients that store and read all the while on connections that they keep. Each knows what it must be answered.

import type { Client } from '../support/client.js'
import { Prng } from '../support/prng.js'

const STORED = 2000
const STORED_BYTES = 1000
const VALUE_BYTES_MAX = 3000
const KEYS = 50
/** So that what goes on beside them is not held up by them. */
const PAUSE_MS = 2

export class Steady {
  /** What they were answered so far. */
  answers = 0
  private isEnding = false
  private error: unknown
  private readonly done: Promise<unknown>

  private constructor(private readonly clients: readonly Client[], seed: number) {
    this.done = Promise.all(clients.map((client, number) => this.live(client, number, new Prng(seed + number))))
      .catch((error: unknown) => {
      this.error = error
      this.isEnding = true
    })
  }

  /** @param clients connected, each to be used by nobody else */
  static async start(clients: readonly Client[], seed: number): Promise<Steady> {
    for (let number = 0; number < STORED; number++) {
      await clients[0]!.says(`set stored-${number} ${number} 0 ${STORED_BYTES}\r\n${stored(number)}\r\n`, 'STORED\r\n')
    }
    return new Steady(clients, seed)
  }

  private async live(client: Client, number: number, prng: Prng): Promise<void> {
    const values = new Map<string, string>()
    while (!this.isEnding) {
      const key = `own-${number}-${prng.below(KEYS)}`
      if (prng.oneIn(2)) {
        const value = String(prng.below(10)).repeat(prng.below(VALUE_BYTES_MAX))
        await client.says(`set ${key} 0 0 ${value.length}\r\n${value}\r\n`, 'STORED\r\n')
        values.set(key, value)
      } else {
        const value = values.get(key)
        await client.says(`get ${key}\r\n`, value === undefined ? 'END\r\n'
          : `VALUE ${key} 0 ${value.length}\r\n${value}\r\nEND\r\n`)
      }
      this.answers++
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** Throws if a client was answered something else. */
  check(): void { if (this.error !== undefined) throw this.error }

  /** Resolves when so many more answers have come. */
  async progress(answers: number): Promise<void> {
    const wanted = this.answers + answers
    while (this.answers < wanted) {
      this.check()
      await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
    }
  }

  /** Ends what goes on, and reads what was stored before. */
  async end(): Promise<void> {
    this.isEnding = true
    await this.done
    this.check()
    for (let number = 0; number < STORED; number++) {
      await this.clients[0]!.says(`get stored-${number}\r\n`,
        `VALUE stored-${number} ${number} ${STORED_BYTES}\r\n${stored(number)}\r\nEND\r\n`)
    }
  }

  stop(): void { this.isEnding = true }
}

function stored(number: number): string { return `${number}:`.repeat(STORED_BYTES).slice(0, STORED_BYTES) }
