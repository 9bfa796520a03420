// The entry of a worker. The one that is told to listens first of all; then what serves is loaded, while clients wait.
import { parentPort, workerData } from 'node:worker_threads'
import { assert, MemslabError } from '../errors.js'
import { sharesPorts } from '../net/descriptor.js'
import { Listeners } from '../net/listeners.js'
import { Balance } from '../net/balance.js'
import { type Life, type Order } from './messages.js'

assert(parentPort !== null, 'a worker has somebody to work for')
const port = parentPort
const tell = (message: Life): void => port.postMessage(message)
const order = workerData as Order | null
const listening = order === null ? undefined : listen(order)
void begin()

/** The main thread's messages wait until `beginServing` listens to them. */
async function begin(): Promise<void> {
  // to load the rest keeps this thread busy, so it listens before
  const listeners = await listening
  const { beginServing } = await import('./serving.js')
  beginServing(port, listeners)
}

async function listen({ options, balance }: Order): Promise<Listeners> {
  const opened = new Listeners(options, new Balance(balance, 1, sharesPorts(options)), () => tell({ life: 'crowded' }))
  try {
    await opened.open()
    tell({ life: 'listening', listening: opened.listening })
  } catch (error) {
    if (!(error instanceof MemslabError)) throw error
    tell({ life: 'not listening', problem: { code: error.code, message: error.message } })
  }
  return opened
}
