// The entry of a worker. The one that is told to listens first of all; then what serves is loaded, while clients wait.
import { parentPort, workerData } from 'node:worker_threads'
import { assert, MemslabError } from '../errors.js'
import { sharesPorts } from '../net/descriptor.js'
import { Listeners } from '../net/listeners.js'
import { Balance } from '../net/balance.js'
import { type News, type Order } from './messages.js'

assert(parentPort !== null, 'a worker has somebody to work for')
const port = parentPort
const tell = (news: News): void => port.postMessage(news)
const order = workerData as Order | null
const listening = order === null ? undefined : listen(order)
// messages wait until somebody listens to them
const { beginServing } = await import('./serving.js')
beginServing(port, await listening)

async function listen({ options, shares }: Order): Promise<Listeners> {
  const opened = new Listeners(options, new Balance(shares, 1, sharesPorts(options)), () => tell({ tell: 'crowd' }))
  try {
    await opened.open()
    tell({ tell: 'listening', listening: opened.listening })
  } catch (error) {
    if (!(error instanceof MemslabError)) throw error
    tell({ tell: 'not listening', problem: { code: error.code, message: error.message } })
  }
  return opened
}
