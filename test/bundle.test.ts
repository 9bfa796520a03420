// The bundle that the command is loaded from, and the caches of what V8 has compiled of it.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runInThisContext } from 'node:vm'
import t, { type Test } from 'tap'
import { proveQuickWay } from '../src/net/proof.js'
import { stackOf } from '../src/stack.js'
import { Client } from './support/client.js'
import { folder, start } from './support/command.js'
import { until } from './support/patience.js'
import { inProject } from './support/places.js'

const { version, platform, arch } = process
const NAME = new RegExp(`^memslab\\.bundle\\.(command|server-worker)\\.[0-9a-f]{16}\\.${version}-${platform}-${arch}\\.cache$`)

/** A flag with which V8 refuses caches of processes that do not have it. */
const FLAG = '--stack-trace-limit=20'

/** An installed command without caches. */
function install(t: Test): string {
  const place = folder(t)
  cpSync(inProject('dist'), join(place, 'dist'), { recursive: true, filter: path => !path.endsWith('.cache') })
  cpSync(inProject('package.json'), join(place, 'package.json'))
  return join(place, 'dist')
}

/** Starts an installed command with two threads, and compares an answer. */
async function serve(t: Test, dist: string, env: Readonly<Record<string, string>> = {}, flags: readonly string[] = []) {
  // tap sets it in a Node.js 26
  const server = await start(t, ['-t', '2'], { NODE_OPTIONS: '', ...env }, join(dist, 'cli.js'), flags)
  const client = await Client.connect({ host: '127.0.0.1', port: server.port })
  await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
  return server
}

function cachesIn(dist: string): string[] { return readdirSync(dist).filter(name => name.includes('.cache')).sort() }

t.test('the command makes the caches for its Node, and removes those that are of no use', async t => {
  const dist = install(t)
  const { child, ended } = await serve(t, dist)
  await until('both caches are there', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  for (const name of cachesIn(dist)) writeFileSync(join(dist, name), 'of no use')
  const { child: second } = await serve(t, dist)
  await until('both are removed', () => cachesIn(dist).length === 0)
  second.kill('SIGTERM')
  await serve(t, dist)
  await until('both have been made again', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  t.ok(cachesIn(dist).every(name => readFileSync(join(dist, name)).length > 10_000))
})

t.test('the cache of the command says how sockets are served', async t => {
  const dist = install(t)
  const ways = (): string[] => cachesIn(dist).filter(name => NAME.test(name))
    .map(name => readFileSync(join(dist, name), 'latin1').slice(-8).trim())
  const { child } = await serve(t, dist, { MEMSLAB_STREAMS: '1' })
  await until('both caches are there', () => ways().length === 2)
  child.kill('SIGTERM')
  t.same(ways(), ['', ''], 'no way is proved by a process that may not use it')
  const { way = '' } = await proveQuickWay()
  await serve(t, dist)
  await until('a process that proves it keeps it', () => ways()[0] === way)
  t.equal(ways()[1], '', 'workers get it from the command')
})

t.test('threads that start later find the caches good, though V8 may inline more by then', async t => {
  const dist = install(t)
  const { child, ended } = await serve(t, dist)
  await until('both caches are there', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  child.kill('SIGTERM')
  await ended
  const { port, output } = await start(t, ['-t', '2', '-vv'], {}, join(dist, 'cli.js'))
  // at 10 ms V8 gets leave to inline more, and at 500 ms caches would be written
  await sleep(100)
  for (let count = 0; count < 2; count++) await Client.connect({ host: '127.0.0.1', port })
  await until('the second thread has one of the clients', () => output.stderr.includes('in another thread'))
  t.equal(cachesIn(dist).filter(name => NAME.test(name)).length, 2, 'it has removed none')
})

t.test('a process with other flags serves, and leaves the caches as they are', async t => {
  const dist = install(t)
  const { child } = await serve(t, dist)
  await until('both caches are there', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  child.kill('SIGKILL')
  const bytes = () => cachesIn(dist).map(name => readFileSync(join(dist, name)))
  const before = bytes()
  for (const [env, flags] of [[{ NODE_OPTIONS: FLAG }, []], [{}, [FLAG]]] as const) {
    const { child: other, ended } = await serve(t, dist, env, flags)
    other.kill('SIGTERM')
    await ended
    t.same(bytes(), before)
  }
})

t.test('a cache that has been damaged is removed, and does no harm', async t => {
  const dist = install(t)
  const { child } = await serve(t, dist)
  await until('both caches are there', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  child.kill('SIGKILL')
  for (const name of cachesIn(dist)) {
    const bytes = readFileSync(join(dist, name))
    writeFileSync(join(dist, name), bytes.fill(0, bytes.length / 4, bytes.length / 4 + 4096))
  }
  await serve(t, dist)
  await until('both are removed', () => cachesIn(dist).length === 0)
})

t.test('a worker that starts late still finds its cache of use', async t => {
  const dist = install(t)
  const { child } = await serve(t, dist)
  await until('both caches are there', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  child.kill('SIGKILL')
  const names = cachesIn(dist)
  const late = join(folder(t), 'late.cjs')
  writeFileSync(late, `if (!require('node:worker_threads').isMainThread) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 700)
  }`)
  await start(t, ['-t', '2'], { NODE_OPTIONS: `--require ${late}` }, join(dist, 'cli.js'))
  t.same(cachesIn(dist), names)
})

t.test('the command serves where it cannot write a cache, and leaves nothing behind', async t => {
  const dist = install(t)
  const { child } = await serve(t, dist)
  await until('both caches are there', () => cachesIn(dist).filter(name => NAME.test(name)).length === 2)
  child.kill('SIGKILL')
  const names = cachesIn(dist)
  for (const name of names) rmSync(join(dist, name))
  mkdirSync(join(dist, names[0]!))
  const { child: other, ended, output } = await serve(t, dist)
  // the worker has started later than the command, whose cache cannot be written
  await until('the cache of the worker is there', () => cachesIn(dist).includes(names[1]!))
  t.same(cachesIn(dist), names)
  other.kill('SIGTERM')
  t.equal(await ended, 0)
  t.equal(output.stderr, '')
})

t.test('the command serves without the bundle', async t => {
  const dist = install(t)
  rmSync(join(dist, 'memslab.bundle'))
  await serve(t, dist)
})

t.test('a stack names the files that the bundle is made of', async t => {
  const lineOf = (file: string) => readFileSync(inProject(`dist/${file}`), 'utf8').split('\n').indexOf('class StoreContext {') + 1
  t.not(lineOf('memslab.bundle'), lineOf('store/context.js'))
  const frame = (place: string) => `Error: a defect\n    at new StoreContext (${inProject('dist')}/${place}:5)`
  const error = Object.assign(new Error('a defect'), { stack: frame(`memslab.bundle:${lineOf('memslab.bundle')}`) })
  t.equal(stackOf(error), frame(`store/context.js:${lineOf('store/context.js')}`))
})

t.test('the models of stats sizing have code of their own, which V8 compiles for them alone', async t => {
  const dist = inProject('dist')
  type Load = (name: string) => Readonly<Record<string, object>>
  const run = runInThisContext(readFileSync(join(dist, 'memslab.bundle'), 'latin1')) as (require: unknown, folder: string) => Load
  const load = run(createRequire(join(dist, 'cli.js')), dist)
  const LISTS = 'store/items/lru.js'
  const { Lru } = load(LISTS)
  const { Lru: ofModels } = load(`${LISTS} of insight/miniatures.js`)
  t.equal(String(ofModels).replaceAll(' of insight/miniatures.js', ''), String(Lru))
  t.not(ofModels, Lru)
  t.match(String(load('insight/miniatures.js')['Miniatures']), 'new lru_js_1.Lru(')
})
