// Replays a trace as an application uses a cache, one request after the other: get, and on a miss set, before the next get. What
// a server answers decides what it is asked next, so only requests that are certain go together: the set after a miss and the
// next get; and get and set of keys that come for the first time, which no server can have. Every byte of the answers is
// compared; a set may find no memory, as a server is free to say.

import type { Socket } from 'node:net'
import { failWith, open, wrongAnswer } from '../connection.js'

const CERTAIN_MAX = 16   // new keys at once
const KEY_DIGITS = 10
const MISS = 'END\r\n'
const STORED = 'STORED\r\n'
const REFUSED = 'SERVER_ERROR out of memory storing object\r\n'

export class Replay {
  hits = 0
  refused = 0                          // sets that found no memory
  done = 0                             // requests sent

  private readonly socket: Socket
  private readonly value: string
  private answers = ''                 // to all that is under way
  private certain = ''                 // what they must begin with
  private asked: number | undefined    // the key of the last get, of which only the server knows whether it hits
  private missing: number | undefined  // the key to be set next
  private newKeys = 0
  private end: () => void = () => {}

  // Keys are numbered by their first use.
  constructor(port: number, private readonly keys: Uint32Array, valueBytes: number) {
    this.value = 'trace '.repeat(valueBytes / 6 + 1).slice(0, valueBytes)
    this.socket = open(port, (length, buffer) => this.receive(length, buffer))
  }

  // Resolves when the whole trace was replayed.
  run(): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      this.end = resolve
      failWith(this.socket, reject)
      this.next()
    }).finally(() => this.socket.destroy())
  }

  private next(): void {
    let requests = ''
    this.answers = ''
    this.certain = ''
    if (this.missing !== undefined) {
      requests += this.setOf(this.missing)
      this.certain += STORED
      this.missing = undefined
    }
    for (let count = 0; count < CERTAIN_MAX && this.keys[this.done] === this.newKeys; count++) {
      requests += getOf(this.newKeys) + this.setOf(this.newKeys)
      this.certain += MISS + STORED
      this.newKeys++
      this.done++
    }
    this.asked = this.keys[this.done] === this.newKeys ? undefined : this.keys[this.done]
    if (this.asked !== undefined) {
      requests += getOf(this.asked)
      this.done++
    }
    if (requests === '') this.end()
    else this.socket.write(requests, 'latin1')
  }

  private receive(length: number, buffer: Buffer): boolean {
    this.answers += buffer.toString('latin1', 0, length)
    const answers = this.answers.replaceAll(REFUSED, STORED)
    const { asked, certain } = this
    const isHit = answers[certain.length] === 'V'
    const expected = certain + (asked === undefined ? '' : isHit ? this.hitOf(asked) : MISS)
    if (answers.length < expected.length) return true
    if (answers !== expected) {
      this.socket.destroy(wrongAnswer(Buffer.from(answers), Buffer.from(expected)))
      return false
    }
    this.refused += (this.answers.length - answers.length) / (REFUSED.length - STORED.length)
    if (isHit) this.hits++
    else this.missing = asked
    this.next()
    return true
  }

  private setOf(key: number): string { return `set ${keyText(key)} 0 0 ${this.value.length}\r\n${this.value}\r\n` }

  private hitOf(key: number): string { return `VALUE ${keyText(key)} 0 ${this.value.length}\r\n${this.value}\r\nEND\r\n` }
}

function getOf(key: number): string { return `get ${keyText(key)}\r\n` }

function keyText(key: number): string { return `trace:${String(key).padStart(KEY_DIGITS, '0')}` }
