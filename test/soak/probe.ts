// A client in a thread of its own, so that nothing but the server keeps it waiting: asks for one thing after the other, with
// pauses, and keeps the longest wait. Whoever started it asks for that with a message, and it begins anew.

import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { parentPort, workerData } from 'node:worker_threads'

import { Waits } from './waits.js'

const { port } = workerData as { port: number }
const PAUSE_MS = 5
const END = 'MN\r\n'

const waits = new Waits()
const socket = connect({ host: '127.0.0.1', port, noDelay: true })
let sentAt = 0
let heard = (): void => {}
socket.on('error', () => socket.destroy())
socket.on('close', () => heard())
socket.on('data', (answer: Buffer) => { if (answer.toString('latin1').endsWith(END)) heard() })
parentPort!.on('message', () => {
  // one that still waits has waited so long already
  if (sentAt > 0) waits.add(performance.now() - sentAt)
  parentPort!.postMessage(waits.take())
})
void ask()

async function ask(): Promise<void> {
  while (!socket.destroyed) {
    sentAt = performance.now()
    const answered = new Promise<void>(resolve => { heard = resolve })
    socket.write('mn\r\n')
    await answered
    waits.add(performance.now() - sentAt)
    sentAt = 0
    await sleep(PAUSE_MS)
  }
}
