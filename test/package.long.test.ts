// The package as npm packs and installs it: a program gets the same from `import` and from `require`, with types for both, and
// what it gets starts threads. .ci/nodes runs this on each Node.
import { spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compile } from './support/consumer.js'
import './support/fresh.js'
import { ROOT } from './support/places.js'

/** Takes what one way of loading gave and what the other did. */
const CHECK = `
  const assert = require('node:assert/strict')
  const { once } = require('node:events')
  const { connect } = require('node:net')
  module.exports = async (one, other) => {
    const names = Object.keys(one).filter(name => name !== 'module.exports').sort()
    assert.deepEqual(names, Object.keys(other).filter(name => name !== 'module.exports').sort())
    for (const name of names) assert.equal(one[name], other[name], name)
    const isUsage = Error => error => error instanceof Error && error.code === 'EUSAGE'
    assert.throws(() => one.createServer({ threads: -1 }), isUsage(other.MemslabError))
    assert.throws(() => other.createServer({ threads: -1 }), isUsage(one.MemslabError))
    for (const { createServer } of [one, other]) {
      const server = createServer({ port: -1, threads: 2, maxbytes: 16 * 1024 * 1024 })
      await server.listen()
      const client = connect(server.port, '127.0.0.1').setEncoding('latin1')
      client.write('set k 0 0 1\\r\\nv\\r\\nget k\\r\\n')
      let answer = ''
      while (!answer.endsWith('END\\r\\n')) answer += (await once(client, 'data'))[0]
      assert.equal(answer, 'STORED\\r\\nVALUE k 0 1\\r\\nv\\r\\nEND\\r\\n')
      await server.close()
    }
    console.log(names.join())
  }`

const IMPORTS = `
  import { createRequire } from 'node:module'
  import * as imported from 'memslab'
  const require = createRequire(import.meta.url)
  await require('./check.cjs')(imported, require('memslab'))`

const REQUIRES = `
  const required = require('memslab')
  import('memslab').then(imported => require('./check.cjs')(required, imported))`

const TYPED = `
import {
  createServer, MemslabError, PACKAGE_VERSION, PROTOCOL_VERSION, Server, SystemClock,
  type Clock, type ServerAddress, type ServerOptions, type ServerParts,
} from 'memslab'
const clock: Clock = new SystemClock()
const options: ServerOptions = { port: -1, threads: 2, memory: '16m' }
const parts: ServerParts = { clock }
export const server: Server = createServer(options, parts)
export const addresses: readonly ServerAddress[] = server.addresses
export const { code, problems }: MemslabError = new MemslabError('EUSAGE', PROTOCOL_VERSION + PACKAGE_VERSION)`

/** What a program with Node's types can do besides. */
const TYPED_FOR_NODE = `
import { Socket } from 'node:net'
import { PassThrough } from 'node:stream'
import { TLSSocket } from 'node:tls'
for (const stream of [new PassThrough(), new Socket(), new TLSSocket(new Socket())]) server.handle(stream)`

const FILES = { 'package.json': '{}', 'check.cjs': CHECK, 'imports.mjs': IMPORTS, 'requires.cjs': REQUIRES }

/** A program's folder with the packed package in it. */
function install(t: Test): string {
  const folder = t.testdir({ program: FILES, packed: {} })
  const program = join(folder, 'program')
  // without scripts: tests run on what is built
  succeed(ROOT, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', join(folder, 'packed'))
  const [tarball = ''] = readdirSync(join(folder, 'packed'))
  succeed(program, 'npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent',
    join(folder, 'packed', tarball))
  return program
}

/** What the command prints; fails unless it ends well. */
function succeed(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr + stdout}`)
  return stdout
}

t.test('the installed package', async t => {
  const program = install(t)
  const isNamed = /\bMemslabError,.*\bcreateServer\b/

  await t.test('gives a program that imports it what require gives, and serves with threads', async t => {
    t.match(succeed(program, process.execPath, 'imports.mjs'), isNamed)
  })

  await t.test('gives a program that requires it what import gives, and serves with threads', async t => {
    t.match(succeed(program, process.execPath, 'requires.cjs'), isNamed)
  })

  await t.test('has a command', async t => {
    t.match(succeed(program, process.execPath, 'node_modules/memslab/dist/cli.js', '-i'), /^memslab .*MIT License/s)
  })

  for (const module of ['node16', 'nodenext', 'bundler'] as const) {
    await t.test(`has types as TypeScript looks them up with ${module}, for programs with Node's types and without`, async t => {
      for (const hasNode of [true, false]) {
        const text = hasNode ? TYPED + TYPED_FOR_NODE : TYPED
        // the compiler knows these to be ES and CommonJS
        t.same(compile(program, { 'typed.mts': text, 'typed.cts': text }, { module, lib: ['es2023'], hasNode }), [])
      }
    })
  }
})
