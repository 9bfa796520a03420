// Threads that attach to a cache by its handle: they share its items, and come and go.
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import t from 'tap'
import { Cache, createServer, MemslabError, PACKAGE_VERSION, type CacheOptions } from '../../src/index.js'
import { attachThread } from '../../src/embed/make.js'
import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { type Ends } from '../support/real.js'

type AttachedData = import('./attached.js').AttachedData

const MODULE = new URL('attached.js', import.meta.url)
const isLinux = process.platform === 'linux'

class Scene {
  readonly cache: Cache<string>
  readonly gate = new Int32Array(new SharedArrayBuffer(4096))

  constructor(private readonly t: Ends, options: CacheOptions = {}) {
    this.cache = new Cache({ memory: '16m', values: 'string', ...options })
    t.teardown(() => this.cache.close())
  }

  start(task: AttachedData['task'], threads = 1, handle = this.cache.handle): Worker {
    this.gate[0] = 0
    const data: AttachedData = { handle, task, gate: this.gate, threads }
    const worker = new Worker(MODULE, { workerData: data })
    this.t.teardown(() => worker.terminate())
    return worker
  }

  /** Runs a task in several threads at once; resolves with what they say. */
  async run(task: AttachedData['task'], threads: number): Promise<unknown[]> {
    this.gate.fill(0)
    const said: unknown[] = []
    const workers = Array.from({ length: threads }, () => this.start(task, threads))
    for (const worker of workers) worker.on('message', message => said.push(message))
    await Promise.all(workers.map(worker => once(worker, 'exit')))
    return said
  }
}

async function firstWord(worker: Worker): Promise<unknown> {
  const [message] = await once(worker, 'message') as unknown[]
  return message
}

function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof MemslabError) return error.code
    throw error
  }
  return 'nothing was thrown'
}

t.test('no addition of any thread is lost', async t => {
  const scene = new Scene(t)
  await scene.run('count', 3)
  t.equal(scene.cache.get('n'), String(3 * 5000))
})

t.test('one thread wins each add and each cas', async t => {
  const scene = new Scene(t)
  for (let index = 0; index < 500; index++) scene.cache.set(`cas${index}`, 'old')
  const said = await scene.run('win', 3) as { added: number, swapped: number }[]
  t.equal(said.reduce((sum, { added }) => sum + added, 0), 500)
  t.equal(said.reduce((sum, { swapped }) => sum + swapped, 0), 500)
})

t.test('one factory of a key is called, whichever threads ask for it', async t => {
  const scene = new Scene(t)
  const said = await scene.run('make', 3) as { calls: number, values: string[] }[]
  t.equal(said.reduce((sum, { calls }) => sum + calls, 0), 20)
  const values = Array.from({ length: 20 }, (_, index) => `value ${index}`)
  for (const one of said) t.same(one.values, values)
  // each asks once, and once more when it has waited
  t.ok(scene.cache.stats().cmd_get! <= 2 * 3 * 20, 'waiting does not count')
})

t.test('the lease of a factory that throws, or whose thread ends, goes to another thread', async t => {
  for (const task of ['throw', 'forget'] as const) {
    if (task === 'forget' && !isLinux) continue
    const scene = new Scene(t)
    const maker = scene.start(task)
    t.equal(await firstWord(maker), 'called')
    const waiter = firstWord(scene.start('wait'))
    if (task === 'forget') await maker.terminate()
    t.equal(await waiter, 'from the one that waited')
    t.equal(scene.cache.get('k'), 'from the one that waited')
  }
})

t.test('what a thread that ended held is taken back, and its place', { skip: !isLinux }, async t => {
  const scene = new Scene(t, { attachable: 1 })
  scene.cache.set('k', 'seen')
  const viewer = scene.start('view')
  t.equal(await firstWord(viewer), 4)
  t.equal(codeOf(() => Cache.attach(scene.cache.handle)), 'ENOPLACE')
  scene.cache.delete('k')
  await viewer.terminate()
  const next = scene.start('attach')
  t.equal(await firstWord(next), 'attached')
  scene.cache.set('k', 'again')
  t.equal(scene.cache.get('k'), 'again')
})

t.test('a thread that ends with a lock closes the cache in all threads, and the program goes on', { skip: !isLinux }, async t => {
  const scene = new Scene(t)
  scene.cache.set('k', 'v')
  const other = Cache.attach(scene.cache.handle)
  const holder = scene.start('hold')
  t.equal(await firstWord(holder), 'held')
  await holder.terminate()
  t.throws(() => scene.cache.get('k'), { code: 'EDIED', cause: { name: 'InvariantError' } })
  t.throws(() => other.get('another key'), { code: 'EDIED' })
  t.throws(() => scene.cache.set('k', 'v'), { code: 'EDIED' })
  await t.rejects(scene.cache.getOrSet('k', () => 'x'), { code: 'EDIED' })
  t.equal(codeOf(() => Cache.attach(scene.cache.handle)), 'EDIED')
})

t.test('a server closes when a thread ends with a lock of its cache', { skip: !isLinux }, async t => {
  const scene = new Scene(t)
  const failed = new Promise<Error>(resolve => {
    const server = createServer({ port: -1, listen: ['127.0.0.1'] }, { attachable: 1, failed: resolve })
    t.teardown(() => server.close())
    server.cache.set('k', Buffer.from('v'))
    const holder = scene.start('hold', 1, server.cache.handle)
    const held = firstWord(holder)
    void server.listen().then(() => held).then(() => holder.terminate())
  })
  // nobody asks for the key: the server looks for threads that have ended
  t.match(await failed, { message: /thread 1 (has ended while it held a lock|holds a lock)/ })
})

t.test('a place is free again after close', async t => {
  const scene = new Scene(t, { attachable: 2 })
  const { handle } = scene.cache
  const one = Cache.attach(handle)
  const two = Cache.attach(handle)
  t.equal(codeOf(() => Cache.attach(handle)), 'ENOPLACE')
  // a callback is still reading a value when its cache is closed
  scene.cache.set('k', 'value')
  one.getView('k', view => {
    one.close()
    t.equal(codeOf(() => Cache.attach(handle)), 'ENOPLACE')
    t.equal(Buffer.from(view).toString(), 'value')
  })
  t.equal(codeOf(() => one.get('k')), 'ECLOSED')
  const three = Cache.attach(handle, { values: 'string' })
  t.equal(three.get('k'), 'value')
  two.close()
  three.close()
  t.equal(scene.cache.get('k'), 'value')
})

t.test('a cache that its thread closes is closed in all threads', async t => {
  const scene = new Scene(t)
  const { handle } = scene.cache
  const worker = scene.start('close')
  t.equal(await firstWord(worker), 'attached')
  scene.cache.close()
  const said = firstWord(worker)
  worker.postMessage('now')
  t.equal(await said, 'ECLOSED')
  t.equal(codeOf(() => Cache.attach(handle)), 'ECLOSED')
})

t.test('a cache may be closed after a thread has died', async t => {
  const { cache } = new Scene(t)
  const thread = attachThread(cache.handle)
  const { memory } = thread.parts.memory
  // another thread, which has died, holds the lock of the leases
  new Int32Array(memory)[1] = (thread.store.thread + 2) << 1
  thread.store.fail()
  thread.close()
  t.equal(codeOf(() => thread.check()), 'EDIED')
  t.equal(codeOf(() => cache.get('k')), 'EDIED')
  cache.close()
})

t.test('what is no handle of this version is refused', async t => {
  const scene = new Scene(t)
  const { handle } = scene.cache
  const torn = [{ store: {} }, { memory: new SharedArrayBuffer(8) }, { time: undefined }].map(part => ({ ...handle, ...part }))
  for (const wrong of [undefined, null, 7, 'handle', {}, { memslab: 7 }, JSON.parse(JSON.stringify(handle)), ...torn]) {
    t.equal(codeOf(() => Cache.attach(wrong as never)), 'EHANDLE', String(wrong))
  }
  t.throws(() => Cache.attach({ ...handle, memslab: '0.0.1' }),
    { code: 'EVERSION', message: `the cache is of memslab 0.0.1, and this thread has memslab ${PACKAGE_VERSION}` })
  t.equal(codeOf(() => Cache.attach(handle, { values: 'text' as 'bytes' })), 'EUSAGE')
  t.equal(codeOf(() => new Cache({ attachable: 0 }).handle), 'ENOPLACE')
})

t.test('threads attach to the cache of a server, and see what its clients store', async t => {
  for (const threads of [1, 2]) {
    const server = createServer({ port: -1, listen: ['127.0.0.1'], threads }, { attachable: 2 })
    t.teardown(() => server.close())
    await server.listen()
    const client = await Client.connect({ host: '127.0.0.1', port: server.port })
    await client.says('set k 0 0 5\r\nvalue\r\n', 'STORED\r\n')
    const attached = Cache.attach(server.cache.handle, { values: 'string' })
    t.equal(attached.get('k'), 'value')
    attached.set('n', '41')
    await client.says('incr n 1\r\n', '42\r\n')
    await server.close()
    t.equal(codeOf(() => attached.get('k')), 'ECLOSED')
  }
})

t.test('an old value is there while a new one is made', async t => {
  const { cache } = new Scene(t)
  // less than an hour to live: its value is old
  cache.set('k', 'old', { ttl: '30m' })
  let make: ((value: string) => void) | undefined
  const options = { ttl: '1h', staleTtl: '1h' } as const
  const made = cache.getOrSet('k', () => new Promise<string>(resolve => { make = resolve }), options)
  await until('the factory is called', () => make !== undefined)
  t.equal(await cache.getOrSet('k', () => 'another', options), 'old', 'while it is made')
  t.equal(await cache.as('string').getOrSet('k', () => 'another', options), 'old', 'for another view of the cache, too')
  make!('new')
  t.equal(await made, 'new')
  t.equal(await cache.getOrSet('k', () => 'another', options), 'new')
})

t.test('callers of one thread share a factory, and its error', async t => {
  const { cache } = new Scene(t)
  let calls = 0
  const failing = (): Promise<string> => {
    calls++
    return Promise.reject(new Error('mine'))
  }
  const both = [cache.getOrSet('k', failing), cache.getOrSet('k', failing)]
  for (const one of both) await t.rejects(one, { message: 'mine' })
  t.equal(calls, 1)
  t.equal(await cache.getOrSet('k', () => 'value'), 'value')
  await t.rejects(cache.getOrSet('', failing), { code: 'EKEY' })
  const wrong = [{ staleTtl: -1 }, { staleTtl: Infinity }, { staleTtl: '3651d' }, { ttl: 'soon' }, { lease: -1 }, { flags: -1 }]
  for (const options of wrong) {
    await t.rejects(cache.getOrSet('x', () => Promise.reject(new Error('the options come first')), options), { code: 'EUSAGE' })
  }
})

t.test('callers of one thread wait for a factory no longer than its lease', async t => {
  const { cache } = new Scene(t)
  let make: ((value: string) => void) | undefined
  const late = cache.getOrSet('k', () => new Promise<string>(resolve => { make = resolve }), { lease: 20 })
  const got: string[] = []
  for (const number of [1, 2]) void cache.getOrSet('k', () => `from caller ${number}`).then(value => got.push(value))
  await until('others have a value', () => got.length === 2)
  t.same(got, ['from caller 1', 'from caller 1'])
  make!('late')
  t.equal(await late, 'late')
  t.equal(cache.get('k'), 'from caller 1')
})

t.test('what was stored while a factory was at work stays', async t => {
  const { cache } = new Scene(t)
  t.equal(await cache.getOrSet('k', () => {
    cache.set('k', 'newer')
    return 'made'
  }), 'made')
  t.equal(cache.get('k'), 'newer')
  // a value that is too large is returned all the same
  const large = 'x'.repeat(2 ** 20)
  t.equal(await cache.getOrSet('large', () => large), large)
  t.notOk(cache.has('large'))
  t.equal(cache.stats().store_too_large, 1)
})
