// The entry point of a worker. The worker with a ListenOrder listens first, and loads the rest while clients wait.
import { parentPort, workerData } from 'node:worker_threads'
import { assert, MemslabError } from '../errors.js'
import { sharesPorts } from '../net/descriptor.js'
import { Listeners } from '../net/listeners.js'
import { Balance } from '../net/balance.js'
import { type Life, type ListenOrder } from './messages.js'

assert(parentPort !== null, 'worker.js was not started as a worker')
const port = parentPort
const post = (message: Life): void => port.postMessage(message)
const order = workerData as ListenOrder | null
const listening = order === null ? undefined : listen(order)
void begin()

/** Loads the rest. Messages of the main thread wait until `beginServing` handles them. */
async function begin(): Promise<void> {
  // loading keeps this thread busy, so it listens before
  const listeners = await listening
  const { beginServing } = await import('./serving.js')
  beginServing(port, listeners)
}

async function listen({ options, balance }: ListenOrder): Promise<Listeners> {
  const opened = new Listeners(options, new Balance(balance, 1, sharesPorts(options)), () => post({ life: 'crowded' }))
  try {
    await opened.open()
    post({ life: 'listening', listening: opened.listening })
  } catch (error) {
    if (!(error instanceof MemslabError)) throw error
    post({ life: 'not listening', problem: { code: error.code, message: error.message } })
  }
  return opened
}
