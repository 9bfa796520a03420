// A thread of waits.ts: clients that each ask, wait for the answer, pause and ask again, and note the longest that one of them
// has waited. Half of them look a key up and half store one.

import { once } from 'node:events'
import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'
import { failWith, open } from './connection.js'

export interface WaiterData { readonly port: number, readonly connections: number }

// `watch`: from now on; `tell`: the longest wait in ms since then, also of what is not answered yet.
export type WaiterOrder = 'watch' | 'tell'

const PAUSE_MS = 1
const EXCHANGES = [['get nothing\r\n', 'END\r\n'], ['set waiter 0 0 1\r\nv\r\n', 'STORED\r\n']] as const

const { port, connections } = workerData as WaiterData
const thread = parentPort!
const sentAt = new Float64Array(connections)   // 0: nothing is under way
let watchedFrom = 0
let longestMs = 0

for (let index = 0; index < connections; index++) void keepAsking(index)

thread.on('message', (order: WaiterOrder) => {
  const now = performance.now()
  if (order === 'watch') {
    watchedFrom = now
    longestMs = 0
  } else {
    for (const since of sentAt) if (since !== 0) note(since, now)
    thread.postMessage(longestMs)
  }
})

async function keepAsking(index: number): Promise<void> {
  const [request, answer] = EXCHANGES[index % EXCHANGES.length]!
  const fail = (error: Error): void => { throw error }
  let got = 0
  const socket: Socket = open(port, length => {
    got += length
    if (got < answer.length) return true
    note(sentAt[index]!, performance.now())
    got = sentAt[index] = 0
    socket.emit('answered')
    return true
  })
  failWith(socket, fail)
  await once(socket, 'connect')
  for (;;) {
    sentAt[index] = performance.now()
    socket.write(request)
    await once(socket, 'answered')
    await sleep(PAUSE_MS)
  }
}

// What was asked before counts from the moment on that is watched.
function note(since: number, now: number): void { longestMs = Math.max(longestMs, now - Math.max(since, watchedFrom)) }
