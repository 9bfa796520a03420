// A thread of threads.test.ts, which attaches to a cache and does one of several things. It imports nothing of support/: Node.js
// 22 and later abort the process if a worker is terminated whose modules have a top-level await, as fresh.ts has.
import { parentPort, workerData } from 'node:worker_threads'
import { setTimeout as sleep } from 'node:timers/promises'
import { Cache, MemslabError, type CacheHandle } from '../../src/index.js'
import { attachThread } from '../../src/embed/make.js'

export interface AttachedData {
  readonly handle: CacheHandle
  readonly task: 'count' | 'win' | 'make' | 'wait' | 'throw' | 'forget' | 'view' | 'hold' | 'attach' | 'close'
  /** One word of shared memory, at which `threads` threads meet before they begin. */
  readonly gate: Int32Array
  readonly threads: number
}

const COUNTS = 5000
const KEYS = 500

const { handle, task, gate, threads } = workerData as AttachedData
const port = parentPort!
const say = (message: unknown): void => port.postMessage(message)

async function run(): Promise<void> {
  if (task === 'hold') return await hold()
  const cache = Cache.attach(handle, { values: 'string' })
  meet(gate)
  switch (task) {
    case 'count':
      for (let count = 0; count < COUNTS; count++) cache.incr('n', 1, { initial: 1 })
      break
    case 'win': {
      let added = 0
      let swapped = 0
      for (let index = 0; index < KEYS; index++) if (cache.add(`add${index}`, 'x')) added++
      for (let index = 0; index < KEYS; index++) {
        const { cas } = cache.gets(`cas${index}`)!
        // each thread has read each item before any changes it
        meetAgain(index)
        if (cache.cas(`cas${index}`, 'new', cas)) swapped++
      }
      say({ added, swapped })
      break
    }
    case 'make': {
      let calls = 0
      const values = await Promise.all(Array.from({ length: 20 }, async (_, index) => await cache.getOrSet(`made${index}`, async () => {
        calls++
        await sleep(5)
        return `value ${index}`
      })))
      say({ calls, values })
      break
    }
    case 'wait':
      say(await cache.getOrSet('k', () => 'from the one that waited'))
      break
    case 'throw':
      await cache.getOrSet('k', () => {
        say('called')
        return sleep(100).then(() => { throw new Error('no value') })
      }).catch(() => {})
      break
    case 'forget':
      void cache.getOrSet('k', () => {
        say('called')
        return new Promise(() => {})
      })
      await sleep(1e9)
      break
    case 'view':
      cache.getView('k', view => {
        say(view.length)
        Atomics.wait(gate, 1, 0)
      })
      break
    case 'attach':
      say('attached')
      await sleep(1e9)
      break
    case 'close':
      say('attached')
      await new Promise(resolve => port.once('message', resolve))
      try {
        cache.get('k')
      } catch (error) { say(error instanceof MemslabError ? error.code : error) }
  }
  cache.close()
}

/** Ends while it holds the stripe of the key `k`. */
async function hold(): Promise<void> {
  const thread = attachThread(handle)
  thread.begin('k')
  thread.store.context.stripes.take(thread.request.hash)
  say('held')
  await sleep(1e9)
}

function meetAgain(index: number): void { meet(gate.subarray(1 + index)) }

/** Waits until all threads have come here. */
function meet(word: Int32Array): void {
  let here = Atomics.add(word, 0, 1) + 1
  Atomics.notify(word, 0)
  for (; here < threads; here = Atomics.load(word, 0)) Atomics.wait(word, 0, here)
}

run().catch((error: unknown) => {
  if (error instanceof MemslabError) say(error.code)
  else throw error
})
