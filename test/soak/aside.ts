// What is said to a server besides: the commands of those who look after it, over and over, and a watcher. What the server
// does not know it answers with ERROR, and that is as good an answer; so new commands need only a line here.

import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

import { Talker } from '../torture/talker.js'

const LINES = [
  'stats', 'stats items', 'stats slabs', 'stats sizes', 'stats conns', 'stats settings', 'stats reset',
  'stats detail on', 'stats detail dump', 'stats detail off',
  'stats cachedump 5 1000', 'lru_crawler metadump all', 'lru_crawler mgdump all', 'lru_crawler crawl all',
  'slabs automove 1', 'slabs reassign -1 10', 'slabs reassign 10 30', 'lru tune 25 35 0.1 2.0', 'lru temp_ttl 30',
  'cache_memlimit 48', 'cache_memlimit 64', 'verbosity 0', 'me no-such-key',
] as const

/** What the lines of a table or a dump begin with: others end an answer, but for the OK before a dump. */
const ROW = /^(STAT|PREFIX|ITEM|key=|mg )/
const DUMP = /(metadump|mgdump)/
const PAUSE_MS = 20

/** Says all of them, again and again, until it is told to end. */
export class Caretaker {
  /** What was answered with ERROR. */
  readonly unknown = new Set<string>()
  rounds = 0
  private isEnding = false

  async run(port: number): Promise<void> {
    const talker = await Talker.connect(port)
    try {
      while (!this.isEnding) {
        for (const line of LINES) {
          if (await ask(talker, line) === 'ERROR') this.unknown.add(line)
          await sleep(PAUSE_MS)
        }
        this.rounds++
      }
      await talker.end()
    } finally { talker.destroy() }
  }

  end(): void { this.isEnding = true }
}

/** The last line of the answer. */
export async function ask(talker: Talker, line: string): Promise<string> {
  let last = ''
  await talker.say([{
    request: {
      bytes: Buffer.from(`${line}\r\n`),
      read: (bytes, at) => {
        // lines of a metadump end without \r
        const start = Math.max(bytes.lastIndexOf('\n', bytes.length - 3) + 1, at)
        last = bytes.toString('latin1', start, bytes.length - 2)
        const isWhole = bytes.length - at > 2 && bytes.subarray(-2).equals(Buffer.from('\r\n'))
        const isMiddle = ROW.test(last) || (last === 'OK' && DUMP.test(line))
        return isWhole && !isMiddle ? { answer: { is: 'unknown' }, end: bytes.length } : bytes.length - at + 1
      },
    },
    settle: () => {},
  }])
  return last
}

/** Watches everything, now and then without reading for a while. */
export class Watcher {
  lines = 0
  /** Whether the server lets anybody watch. */
  isHeard = false
  private socket: Socket | undefined
  private timer: NodeJS.Timeout | undefined

  async start(port: number): Promise<void> {
    const socket = connect({ host: '127.0.0.1', port })
    this.socket = socket
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.once('data', (answer: Buffer) => {
        this.isHeard = answer.toString('latin1').startsWith('OK')
        resolve()
      })
      socket.write('watch fetchers mutations evictions connevents deletions\r\n')
    })
    if (!this.isHeard) return void socket.destroy()
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) this.lines++
    })
    this.timer = setInterval(() => socket.isPaused() ? socket.resume() : socket.pause(), 700)
  }

  end(): void {
    clearInterval(this.timer)
    this.socket?.destroy()
  }
}
