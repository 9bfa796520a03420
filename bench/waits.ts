// How long other clients wait while somebody gives one of the commands that concern the whole cache: each on a cache of
// many items, watched from the command on until it is answered and for a while afterwards, as much of it goes on in the
// background. Before each the clients are watched as long while there is no command: so much is the machine's doing.

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { ask, askStats, open } from './connection.js'
import { fillUntil } from './drive.js'
import { median } from './numbers.js'
import type { RunningServer } from './servers.js'
import type { WaitsWorkload } from './workloads.js'
import type { WaiterData, WaiterOrder } from './waiter.js'

export interface WaitsSide {
  readonly server: string
  readonly items: number
  readonly waits: readonly Wait[]
}

export interface Wait {
  readonly command: string
  readonly answer: string          // the end of the command's
  readonly answerMs: number        // how long whoever gave it waited, the median over the rounds
  readonly longestMs: number       // the same of the longest that anybody else did
  readonly quietMs: number         // and without the command
}

interface Command { readonly line: string, readonly end?: RegExp, readonly before?: string }

// Each of the server's threads has some of them.
const WAITERS = 16
const IDLE_CONNECTIONS = 1000
const PREFIXES = 10_000
const WATCH_MS = 1000
const QUICK_WATCH_MS = 50
const SETTLE_MS = 3000
const VALUE_BYTES = 10
// What ends an answer: its only line, or of many the last one, or what says that there are none.
const LINE_END = /\n$/
const LIST_END = /(^|\n)(END|EN|BUSY .*|ERROR|CLIENT_ERROR .*|SERVER_ERROR .*)\r\n$/

export async function measureWaits(workload: WaitsWorkload, server: RunningServer, rounds: number,
  quick: boolean): Promise<WaitsSide> {
  const { port } = server
  await ask(port, 'stats detail on', '\r\n')
  await fillUntil(port, VALUE_BYTES, stats => stats.get('curr_items')! >= workload.items)
  await addPrefixes(port)
  const idle = await openIdle(port)
  const waiter = new Worker(new URL('./waiter.js', import.meta.url),
    { workerData: { port, connections: WAITERS } satisfies WaiterData })
  try {
    await sleep(quick ? 0 : SETTLE_MS)
    const items = (await askStats(port)).get('curr_items')!
    const waits: Wait[] = []
    for (const command of commandsFor(workload)) waits.push(await measureWait(port, waiter, command, rounds, quick))
    return { server: server.name, items, waits }
  } finally {
    await waiter.terminate()
    idle.forEach(socket => socket.destroy())
  }
}

// Those that take items away come last.
function commandsFor({ megabytes }: WaitsWorkload): Command[] {
  const lists = [
    'stats', 'stats items', 'stats slabs', 'stats sizes', 'stats conns', 'stats detail dump', 'stats cachedump 1 0',
    'lru_crawler metadump all', 'lru_crawler mgdump all',
  ].map((line): Command => ({ line, end: LIST_END }))
  return lists.concat([
    { line: 'stats reset' },
    { line: 'lru_crawler crawl all' },
    { line: 'slabs reassign 1 2' },
    { line: 'slabs automove 2' },
    { line: 'lru mode flat', before: 'lru mode segmented' },
    { line: 'lru mode segmented', before: 'lru mode flat' },
    { line: `cache_memlimit ${megabytes / 2}`, before: `cache_memlimit ${megabytes}` },
    { line: `cache_memlimit ${megabytes}`, before: `cache_memlimit ${megabytes / 2}` },
    { line: 'flush_all' },
  ])
}

async function measureWait(port: number, waiter: Worker, command: Command, rounds: number, quick: boolean): Promise<Wait> {
  const { line, end = LINE_END, before } = command
  const watchMs = quick ? QUICK_WATCH_MS : WATCH_MS
  const samples: { answerMs: number, longestMs: number, quietMs: number }[] = []
  let answer = ''
  for (let round = 0; round < rounds; round++) {
    if (before !== undefined) await give(port, before, LINE_END)
    const quietMs = await watch(waiter, () => sleep(watchMs))
    let answerMs = 0
    const longestMs = await watch(waiter, async () => {
      const asked = performance.now()
      answer = await give(port, line, end)
      answerMs = performance.now() - asked
      await sleep(watchMs)
    })
    samples.push({ answerMs, longestMs, quietMs })
  }
  const middle = (figure: 'answerMs' | 'longestMs' | 'quietMs'): number => median(samples.map(sample => sample[figure]))
  return { command: line, answer, answerMs: middle('answerMs'), longestMs: middle('longestMs'), quietMs: middle('quietMs') }
}

// The longest that one of the clients has waited meanwhile.
async function watch(waiter: Worker, during: () => Promise<unknown>): Promise<number> {
  waiter.postMessage('watch' satisfies WaiterOrder)
  await during()
  waiter.postMessage('tell' satisfies WaiterOrder)
  const [longestMs] = await once(waiter, 'message') as [number]
  return longestMs
}

// Gives a command and reads all of its answer, of which it returns the last line.
async function give(port: number, line: string, end: RegExp): Promise<string> {
  let tail = ''
  const socket: Socket = open(port, (length, buffer) => {
    // of a long answer only the end is looked at
    tail = (tail + buffer.toString('latin1', Math.max(0, length - 100), length)).slice(-200)
    if (end.test(tail)) socket.emit('answered')
    return true
  })
  socket.on('error', () => {})
  socket.write(`${line}\r\n`)
  const closed = once(socket, 'close').then(() => { throw new Error(`no answer to ${line}`) })
  closed.catch(() => {})
  await Promise.race([once(socket, 'answered'), closed])
  socket.destroy()
  return tail.trimEnd().split('\n').at(-1)!
}

async function addPrefixes(port: number): Promise<void> {
  const gets = Array.from({ length: PREFIXES }, (_, index) => `get prefix${index}:k\r\n`).join('')
  await ask(port, `${gets}mn`, 'MN\r\n')
}

async function openIdle(port: number): Promise<Socket[]> {
  const sockets = Array.from({ length: IDLE_CONNECTIONS }, () => connect(port, '127.0.0.1').on('error', () => {}))
  await Promise.all(sockets.map(socket => once(socket, 'connect')))
  return sockets
}
