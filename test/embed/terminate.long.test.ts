// Threads that use a cache are terminated at any moment. Either all is well afterwards, and what they held is taken back; or, if
// one of them held a lock, all threads get a typed error. Nothing hangs, and no value is wrong.
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { cacheOver } from '../../src/embed/over.js'
import { makeThread } from '../../src/embed/make.js'
import { completeCacheOptions } from '../../src/embed/options.js'
import { type CacheThread } from '../../src/embed/thread.js'
import { MemslabError, type Cache } from '../../src/index.js'
import { until } from '../support/patience.js'
import { Prng } from '../support/prng.js'

type HammerEnd = import('./hammer.js').HammerEnd
type HammerData = import('./hammer.js').HammerData

const HAMMER = new URL('hammer.js', import.meta.url)
const COUNTER = 'counter'
const THREADS = 3
const TERMINATIONS = 500
/** The longest that they work before one of them is terminated. */
const DELAY_MS = 20
/** The words of the additions of threads begin here. */
const FIRST_COUNT = 8
/** No end of a thread takes as long, however busy the machine is. */
const PATIENCE_MS = 60_000

interface Hammer { readonly worker: Worker, readonly end: Promise<HammerEnd | 'gone'> }

class Scene {
  readonly thread: CacheThread
  readonly cache: Cache
  readonly words = new Int32Array(new SharedArrayBuffer(4096))
  readonly hammers: Hammer[] = []
  terminated = 0
  started = 0

  constructor(memory: string, private readonly prng: Prng) {
    this.thread = makeThread(completeCacheOptions({ memory }))
    this.cache = cacheOver(this.thread)
  }

  start(): void {
    const data: HammerData = {
      handle: this.cache.handle, seed: this.prng.below(2 ** 31), words: this.words, countWord: FIRST_COUNT + this.started++,
    }
    const worker = new Worker(HAMMER, { workerData: data })
    const end = new Promise<HammerEnd | 'gone'>(resolve => {
      worker.once('message', resolve)
      worker.once('error', error => resolve({ wrong: String(error) }))
      worker.once('exit', () => resolve('gone'))
    })
    this.hammers.push({ worker, end })
  }

  /** The additions that threads know to have made. */
  get counted(): number { return this.words.subarray(FIRST_COUNT).reduce((sum, count) => sum + count, 0) }
}

async function inTime<Result>(what: string, result: Promise<Result>): Promise<Result> {
  const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(() => { throw new Error(`${what} takes too long`) })
  return await Promise.race([result, late])
}

for (const [memory, isRoomy] of [['100m', true], ['4m', false]] as const) {
  t.test(`threads are terminated at random while they use ${memory}`, { timeout: 600_000 }, async t => {
    const prng = new Prng(isRoomy ? 11 : 12)
    let scene: Scene | undefined
    let died = 0
    for (let count = 0; count < TERMINATIONS / 2; count++) {
      scene ??= new Scene(memory, prng)
      Atomics.store(scene.words, 0, 0)
      Atomics.store(scene.words, 1, 0)
      while (scene.hammers.length < THREADS) scene.start()
      const { words } = scene
      await until('all threads have begun', () => Atomics.load(words, 1) === THREADS)
      await sleep(prng.below(DELAY_MS))
      const [victim] = scene.hammers.splice(prng.below(THREADS), 1)
      await victim!.worker.terminate()
      scene.terminated++
      const isDead = await settle(scene, isRoomy, count)
      if (!isDead) continue
      died++
      scene = undefined
    }
    scene?.cache.close()
    t.pass('all is well')
    t.comment(`${died} of ${TERMINATIONS / 2} times a lock was held`)
  })
}

/** Stops the other threads, and checks what is left. Returns true if the cache has died. */
async function settle(scene: Scene, isRoomy: boolean, count: number): Promise<boolean> {
  const { cache, thread, words, hammers } = scene
  Atomics.store(words, 0, 1)
  const ends = await inTime(`the end after termination ${count}`, Promise.all(hammers.splice(0).map(({ end }) => end)))
  const code = codeOf(() => {
    thread.takeBack()
    cache.stats()
  })
  if (code === 'EDIED') {
    // a thread that had stopped before may not have noticed
    const strange = ends.filter(end => end !== 'EDIED' && end !== 'stopped')
    if (strange.length > 0) throw new Error(`after termination ${count}, threads ended otherwise: ${JSON.stringify(strange)}`)
    if (codeOf(() => cache.get('key1')) !== 'EDIED') throw new Error('a cache that has died goes on')
    return true
  }
  const strange = ends.filter(end => end !== 'stopped')
  if (code !== 'none' || strange.length > 0) throw new Error(`after termination ${count}: ${code}, ${JSON.stringify(ends)}`)
  thread.store.verify()
  const { refCount } = thread.store
  if (refCount !== 0) throw new Error(`${refCount} references are left after termination ${count}`)
  if (isRoomy) {
    const counter = Number(Buffer.from(cache.get(COUNTER) ?? Buffer.from('0')).toString())
    const { counted, terminated } = scene
    if (counter < counted || counter > counted + terminated) throw new Error(`the counter is ${counter}, of ${counted} additions`)
  }
  return false
}

function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof MemslabError) return error.code
    throw error
  }
  return 'none'
}
