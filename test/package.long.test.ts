// The package as npm packs and installs it: a program gets the same from `import` and from `require`, with types for both, and
// what it gets starts threads. .ci/nodes runs this on each Node.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { compile, entryPoints } from './support/consumer.js'
import './support/fresh.js'
import { ROOT } from './support/places.js'

/** Compares what one way of loading the entry points gives and what the other does. */
const CHECK = `
  const assert = require('node:assert/strict')
  const { once } = require('node:events')
  const { connect } = require('node:net')
  module.exports = async (one, other) => {
    assert.deepEqual(Object.keys(one), Object.keys(other))
    for (const entry of Object.keys(one)) {
      const isName = name => name !== 'module.exports' && name !== '__esModule'
      const names = Object.keys(one[entry]).filter(isName).sort()
      assert.deepEqual(names, Object.keys(other[entry]).filter(isName).sort())
      for (const name of names) assert.equal(one[entry][name], other[entry][name], name)
      console.log([entry, ...names].join())
    }
    const isUsage = Error => error => error instanceof Error && error.code === 'EUSAGE'
    assert.throws(() => one.memslab.createServer({ threads: -1 }), isUsage(other.memslab.MemslabError))
    assert.throws(() => other.memslab.createServer({ threads: -1 }), isUsage(one.memslab.MemslabError))
    for (const { createServer } of [one.memslab, other.memslab]) {
      const server = createServer({ port: -1, threads: 2, maxbytes: 16 * 1024 * 1024 })
      await server.listen()
      const client = connect(server.port, '127.0.0.1').setEncoding('latin1')
      client.write('set k 0 0 1\\r\\nv\\r\\nget k\\r\\n')
      let answer = ''
      while (!answer.endsWith('END\\r\\n')) answer += (await once(client, 'data'))[0]
      assert.equal(answer, 'STORED\\r\\nVALUE k 0 1\\r\\nv\\r\\nEND\\r\\n')
      await server.close()
    }
  }`

const NAMES = entryPoints().map(({ name }) => name)

const IMPORTS = `
  import { createRequire } from 'node:module'
  ${NAMES.map((name, index) => `import * as entry${index} from '${name}'`).join('\n')}
  const require = createRequire(import.meta.url)
  const imported = { ${NAMES.map((name, index) => `'${name}': entry${index}`).join()} }
  const required = { ${NAMES.map(name => `'${name}': require('${name}')`).join()} }
  await require('./check.cjs')(imported, required)`

const REQUIRES = `
  const required = { ${NAMES.map(name => `'${name}': require('${name}')`).join()} }
  const load = async () => ({ ${NAMES.map(name => `'${name}': await import('${name}')`).join()} })
  load().then(imported => require('./check.cjs')(required, imported))`

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

/** A program's folder with the packed package in it, and the size of the packed file. */
function install(t: Test): { program: string, packedBytes: number } {
  const folder = t.testdir({ program: FILES, packed: {} })
  const program = join(folder, 'program')
  // without scripts: tests run on what is built
  succeed(ROOT, 'npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', join(folder, 'packed'))
  const [tarball = ''] = readdirSync(join(folder, 'packed'))
  succeed(program, 'npm', 'install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', '--silent',
    join(folder, 'packed', tarball))
  return { program, packedBytes: statSync(join(folder, 'packed', tarball)).size }
}

/** What the command prints; fails unless it ends well. */
function succeed(cwd: string, command: string, ...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? stderr + stdout}`)
  return stdout
}

/** The bytes of all files in a folder. */
function bytesIn(folder: string): number {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map(name => statSync(join(folder, name)))
  return files.reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0)
}

function isAbout(bytes: number, megabytes: number): boolean { return Math.abs(bytes / (megabytes * 1e6) - 1) < 0.15 }

t.test('the installed package', async t => {
  const { program, packedBytes } = install(t)
  const isNamed = /^memslab,.*\bMemslabError,.*\bcreateServer\b/m

  await t.test('gives a program that imports it what require gives, and serves with threads', async t => {
    t.match(succeed(program, process.execPath, 'imports.mjs'), isNamed)
  })

  await t.test('gives a program that requires it what import gives, and serves with threads', async t => {
    t.match(succeed(program, process.execPath, 'requires.cjs'), isNamed)
  })

  await t.test('is as large as the README says', async t => {
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
    const [, packed, unpacked] = /is (\d\.\d) MB to download\s+and (\d\.\d) MB on disk/.exec(readme) ?? []
    const unpackedBytes = bytesIn(join(program, 'node_modules/memslab'))
    t.ok(isAbout(packedBytes, Number(packed)), `${packedBytes}`)
    t.ok(isAbout(unpackedBytes, Number(unpacked)), `${unpackedBytes}`)
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
