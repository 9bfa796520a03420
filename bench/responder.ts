// The bare responder: the least that a server in Node can do for a request, and so what memslab's rows at depth 1 are to be
// compared with. It reads and writes sockets as memslab does, by net/direct.ts, and answers a request with a buffer that was made
// beforehand, found by one look-up of the key in a Map. There is no store, no statistics, no expiry and no limit.
//
// It knows `get` of one key, in the classic protocol or as `mg` with the flag v, and `set`: the first of a key makes the answers,
// and later ones change nothing. `incr` adds 1 to a number that was set, in the buffer of the answer. A process of its own,
// started with the options of a server, of which it takes -p.

import { writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { hasQuickWay, linkOver } from '../dist/net/direct.js'
import { acceptHandles } from '../dist/net/handle.js'
import type { Link, LinkUser } from '../dist/net/link.js'
import { proveQuickWay } from '../dist/net/proof.js'

interface Answers { readonly get: Buffer, readonly mg: Buffer, readonly count: Buffer }

const INPUT_BYTES = 256 * 1024
const LF = 10
const SPACE = 32
const ZERO = 0x30
const NINE = 0x39
const STORED = Buffer.from('STORED\r\n')
const MISSES: Answers = { get: Buffer.from('END\r\n'), mg: Buffer.from('EN\r\n'), count: Buffer.from('NOT_FOUND\r\n') }
const VERSION = Buffer.from('VERSION bare\r\n')

const input = Buffer.allocUnsafeSlow(INPUT_BYTES)   // of all connections, as only one is read at a time
const answersOf = new Map<string, Answers>()

class Client implements LinkUser {
  private bytes = input
  private kept: Buffer | undefined   // of a request that is not whole yet
  private at = 0
  private readonly replies: Buffer[] = []

  constructor(private readonly link: Link) { link.begin(this) }

  get firstTarget(): Buffer { return input }

  read(count: number): undefined {
    const { kept, replies } = this
    this.bytes = kept === undefined ? input : Buffer.concat([kept, input.subarray(0, count)])
    const end = kept === undefined ? count : this.bytes.length
    this.at = 0
    while (this.at < end && this.takeRequest(end));
    this.kept = this.at < end ? Buffer.from(this.bytes.subarray(this.at, end)) : undefined
    if (replies.length === 1) this.link.write(replies[0]!)
    else if (replies.length > 1) this.link.writeMany([...replies])
    replies.length = 0
  }

  readChunk(): number { return 0 }
  drained(): void {}
  failed(): void {}
  closed(): void {}
  ended(): void { this.link.end() }
  broke(problem: string): void { throw new Error(problem) }

  // False if the request is not whole.
  private takeRequest(end: number): boolean {
    const { bytes, at } = this
    let lineEnd = at
    while (bytes[lineEnd] !== LF) if (++lineEnd >= end) return false
    this.at = lineEnd + 1
    switch (bytes[at]) {
      case 0x67: this.replies.push(this.answers(at + 4, lineEnd - 1).get); break   // get
      case 0x69: this.replies.push(counted(this.answers(at + 5, this.keyEnd(at + 5)).count)); break   // incr
      case 0x6d: this.replies.push(this.answers(at + 3, lineEnd - 3).mg); break    // mg
      case 0x73: return this.set(at, lineEnd, end)                                 // set
      default: this.replies.push(VERSION)
    }
    return true
  }

  private answers(keyStart: number, keyEnd: number): Answers {
    return answersOf.get(this.bytes.toString('latin1', keyStart, keyEnd)) ?? MISSES
  }

  private keyEnd(keyStart: number): number {
    let end = keyStart
    while (this.bytes[end] !== SPACE) end++
    return end
  }

  private set(at: number, lineEnd: number, end: number): boolean {
    const { bytes } = this
    const keyStart = at + 4
    const keyEnd = this.keyEnd(keyStart)
    let count = 0
    let digit = lineEnd - 1
    while (bytes[digit] !== SPACE) digit--
    while (++digit < lineEnd - 1) count = count * 10 + bytes[digit]! - ZERO
    const next = lineEnd + 1 + count + 2
    if (next > end) {
      this.at = at
      return false
    }
    if (this.answers(keyStart, keyEnd) === MISSES) this.remember(keyStart, keyEnd, lineEnd, next)
    this.at = next
    this.replies.push(STORED)
    return true
  }

  private remember(keyStart: number, keyEnd: number, lineEnd: number, next: number): void {
    const { bytes } = this
    const key = bytes.toString('latin1', keyStart, keyEnd)
    const value = bytes.toString('latin1', lineEnd + 1, next)
    const count = value.length - 2
    answersOf.set(key, {
      get: Buffer.from(`VALUE ${key} 0 ${count}\r\n${value}END\r\n`, 'latin1'),
      mg: Buffer.from(`VA ${count}\r\n${value}`, 'latin1'),
      count: Buffer.from(value, 'latin1'),
    })
  }
}

// The number in front of the line end, one greater. It keeps its digits.
function counted(number: Buffer): Buffer {
  let digit = number.length - 3
  while (number[digit] === NINE) number[digit--] = ZERO
  number[digit]!++
  return number
}

await proveQuickWay()
const port = Number(process.argv[process.argv.indexOf('-p') + 1])
const server = createServer()
server.listen(Math.max(port, 0), '127.0.0.1', () => {
  acceptHandles(server, hasQuickWay, handle => { new Client(linkOver(handle)!) })
  const { MEMCACHED_PORT_FILENAME: file } = process.env
  if (file !== undefined) writeFileSync(file, `TCP INET: ${(server.address() as AddressInfo).port}\n`)
})
