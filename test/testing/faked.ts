// A program whose test has replaced all timers and clocks, as fakes.test.ts starts it. It has a server started, asked by a real
// client and stopped. Its argument says how they are replaced, and when.
import { createConnection } from 'node:net'
import { mock } from 'node:test'
import { isMainThread, parentPort, Worker } from 'node:worker_threads'
import { TestServer } from '../../dist/testing/index.js'

const [, , how = '', when = '', where = ''] = process.argv
const print = process.stdout.write.bind(process.stdout)

const fail = (name: string) => (): never => { throw new Error(`${name} was called`) }

function replace(): void {
  if (how === 'mock') {
    mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'setImmediate', 'Date'], now: 0 })
    return
  }
  const target: object = globalThis
  for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'clearTimeout', 'clearInterval', 'clearImmediate', 'queueMicrotask']) {
    Reflect.set(target, name, fail(name))
  }
  Reflect.set(target, 'Date', class { constructor() { fail('Date')() } })
  Reflect.set(target, 'performance', { now: fail('performance.now') })
  Reflect.set(process, 'hrtime', Object.assign(fail('hrtime'), { bigint: fail('hrtime') }))
}

/** Asks the server on a connection of its own. Node's own sockets need no timers. */
function ask(cache: TestServer, request: string, end: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(cache.port, cache.host)
    let answer = ''
    socket.on('connect', () => socket.write(request))
    socket.on('data', bytes => {
      answer += String(bytes)
      if (!answer.endsWith(end)) return
      resolve(answer)
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

async function main(): Promise<void> {
  if (when === 'before') replace()
  let answer = ''
  // it would say here that it serves clients in the slow way, if something it needs for the quick one failed
  const log = (line: string): void => { answer += `${line}\n` }
  const cache = await TestServer.create({ threads: Number(where.replace('worker', '')) || 1, idleTimeout: 3600, verbosity: 1, log })
  if (when === 'after') replace()
  cache.clock.freeze()
  const long = 'x'.repeat(500_000)
  answer += await ask(cache, 'set k 0 86400 1\r\nv\r\nget k\r\n', 'END\r\n')
  answer += (await ask(cache, `set long 0 0 ${long.length}\r\n${long}\r\nget long\r\n`, 'END\r\n')).replace(long, 'x')
  if (how === 'mock') mock.timers.tick(2 * 86_400_000)
  answer += await ask(cache, 'mg k t\r\n', '\r\n')
  cache.clock.tick('23h')
  answer += await ask(cache, 'mg k t\r\n', '\r\n')
  cache.clock.tick('1h')
  answer += await ask(cache, 'get k\r\n', 'END\r\n')
  await cache.restart({ keepItems: true })
  answer += await ask(cache, 'get k long\r\n', 'END\r\n').then(text => text.replace(long, 'x'))
  await cache.restart()
  answer += await ask(cache, 'get long\r\n', 'END\r\n')
  await cache.stop()
  if (parentPort === null) print(answer)
  else parentPort.postMessage(answer)
}

if (where.startsWith('worker') && isMainThread) {
  const worker = new Worker(new URL(import.meta.url), { argv: process.argv.slice(2) })
  worker.on('message', print)
} else await main()
