// The public interface of the package: what programs can import and call, as its built types say and as it is at run time.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { PassThrough } from 'node:stream'
import t from 'tap'
import * as api from '../src/index.mjs'
import './support/fresh.js'
import { inProject } from './support/places.js'

const DIST = inProject('dist')

t.test('what a program can import', async t => {
  t.same(Object.keys(api).sort(),
    ['Cache', 'ERROR_CODES', 'MemslabError', 'PACKAGE_VERSION', 'PROTOCOL_VERSION', 'Server', 'SystemClock', 'createServer'])
})

t.test('a server has what programs need, and nothing of its inside', async t => {
  const server = api.createServer({ port: 0 })
  t.teardown(() => server.close())
  t.same(Object.getOwnPropertyNames(api.Server.prototype).sort(),
    ['addresses', 'cache', 'close', 'constructor', 'handle', 'httpPort', 'listen', 'onShutdown', 'options', 'port', 'reload', 'udpPort'])
  t.same(Reflect.ownKeys(server), [])
  t.equal(api.Server.length, 0, 'it is made of options and parts, both of which may be left out')
})

t.test('memory may be written with a unit, and all that is wrong is one error', async t => {
  const server = api.createServer({ port: 0, memory: '16m' })
  t.teardown(() => server.close())
  t.equal(server.options.maxbytes, 16 * 1024 * 1024)
  t.equal(server.options.itemSizeMax, 1024 * 1024)
  t.notOk('memory' in server.options)
  const wrong: object = { memroy: 5, memory: '16q', maxconns: 0 }
  t.throws(() => api.createServer(wrong), { code: 'EUSAGE', problems: [
    "memory: must be a number of megabytes or a text such as '256m' or '2g', not '16q'",
    'unknown option "memroy"; is it memory?',
    'maxconns: must be from 1 to 2147483647, not 0',
  ] })
})

t.test('the types that programs see lead to none of the inside', { skip: !existsSync(DIST) && 'dist is missing' }, async t => {
  t.same(reachableTypes('index.d.mts').sort(),
    ['clock.d.ts', 'embed/cache.d.ts', 'embed/interface.d.ts', 'embed/options.d.ts', 'embed/values.d.ts', 'errors.d.ts',
      'index.d.mts', 'index.d.ts', 'options/address.d.ts', 'options/durations.d.ts', 'options/memory.d.ts', 'options/values.d.ts',
      'server/parts.d.ts', 'server/server.d.ts', 'version.d.ts'])
  const server = readFileSync(join(DIST, 'server/server.d.ts'), 'utf8').replace(/\/\*\*.*?\*\//gs, '').replace(/^\/\/.*$/gm, '')
  t.notMatch(server, /\b(store|host|verify|core|prepared)\b/i)
  t.match(server, /constructor\(options\?: [^,)]*, parts\?: [^,)]*\)/)
})

t.test('the shutdown command calls what a program has set, whatever it has read before', async t => {
  const server = api.createServer({ port: 0, shutdownCommand: true })
  t.teardown(() => server.close())
  t.equal(server.onShutdown, undefined)
  const asked = new Promise<boolean>(resolve => { server.onShutdown = resolve })
  t.type(server.onShutdown, 'function')
  const stream = new PassThrough()
  server.handle(stream)
  stream.write('shutdown graceful\r\n')
  t.equal(await asked, true)
})

t.test('every code of an error is said what it means, and is one that is thrown', async t => {
  const source = sources().map(file => readFileSync(file, 'utf8')).filter(text => !text.includes('const ERROR_CODES')).join('\n')
  for (const [code, meaning] of Object.entries(api.ERROR_CODES)) {
    t.match(meaning, /^\W?[a-z`].{20,}[^.]$/, code)
    t.ok(source.includes(`'${code}'`), code)
  }
  // the compiler sees to it that `new MemslabError` takes no other code; the system's come by systemError alone
  t.same(sources().filter(file => readFileSync(file, 'utf8').includes('as MemslabErrorCode'))
    .map(file => relative(inProject('src'), file)),
    ['errors.ts'])
})

function sources(): string[] {
  return readdirSync(inProject('src'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts'))
    .map(name => join(inProject('src'), name))
}

/** The files of types that one leads to. */
function reachableTypes(start: string): string[] {
  const seen = [start]
  for (const file of seen) {
    const text = readFileSync(join(DIST, file), 'utf8')
    for (const [, to] of text.matchAll(/(?:from |import\()['"](\.[^'"]*)\.js['"]/g)) {
      const target = relative(DIST, resolve(DIST, dirname(file), `${to}.d.ts`))
      if (!seen.includes(target)) seen.push(target)
    }
  }
  return seen
}
