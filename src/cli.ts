#!/usr/bin/env node
// The `memslab` command, as people start it. It loads the modules of the command from the bundle: one file with all of them, made
// by .ci/bundle.js, as a process that finds, reads and compiles a hundred files starts later by a third. Most of the rest is V8
// compiling. So what it has compiled is kept in files beside the bundle, the caches, and the next start reads those.
//
// The build makes the caches for the Node.js that it runs on. For another one the command makes them itself, when it has run for
// a moment, if it may write to the folder of the bundle. They are as safe as the bundle there: only those who may write to the
// folder can change either. V8 refuses a cache of another version or of other flags. Such a cache is removed, and the next start
// makes it anew, but not by a process that has flags itself. V8 checks neither whether the cache belongs to the bundle nor, in
// Node 20, whether the same platform made it, so the name says both. Nor does it notice bytes that a disk has lost, and dies of
// them. So a cache is twice in its file: comparing the two takes 0.1 ms, and a checksum 2 ms. Without a cache, or without a
// bundle, everything only starts later. Behind the command's cache is the result of the proof that sockets can be served quickly,
// see net/proof.ts: a process that can use the cache need not prove it again.
//
// Then V8 gets leave to put more functions into one when it optimizes. A small request runs through some thirty functions, which
// the kernel has driven out of the processor's caches since the last one. In fewer pieces they are back sooner: a request takes 1
// to 3 % less. V8 refuses all caches, also those of Node's own modules, of processes with other flags, so this waits until the
// server has started and nothing is left to be written. See process/inlining.ts for workers that start later.
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'

const BUNDLE = join(__dirname, 'memslab.bundle')
/** The length of the bundle's identity, which is at its start behind `// `. */
const IDENTITY_LENGTH = 16
/** The entries of the bundle: the command, and its workers. They run different code, so each has a cache of its own. */
const COMMAND = 'command.js'
const WORKER = 'server/worker.js'
/** The module that has the way in which sockets are served quickly, once that is proven. */
const PROVEN = 'net/proven.js'
/** The length of a way in a file, which is padded with spaces. */
const WAY_LENGTH = 8
/** The time after a start at which the code that it runs has been compiled, and is written if there is no cache. */
const STARTED_MS = 500
/** The times after the start of all threads at which V8 may inline more: if all caches are there, and otherwise. */
const SERVING_MS = 10
const WRITTEN_MS = 1000
/** The flags of the process. A worker gets them as its arguments, see server/start.ts, as it has no `execArgv` of its own. */
const flags = require.main === module ? process.execArgv : process.argv.slice(2)
/** False in a process whose cache would be of no use to others, nor that of others to it. */
const hasUsualFlags = flags.length === 0 && (process.env['NODE_OPTIONS'] ?? '') === ''
/** Everyone may read a cache. */
const FILE_MODE = 0o644

/** The bundle, once it runs: gets Node's modules and its folder, and returns the function that loads a module by its name. */
type Bundle = (require: NodeJS.Require, folder: string) => (name: string) => unknown

/** What the module of the command exports. */
interface Command {
  /** Resolves when the server serves. */
  readonly started: Promise<void>
  readonly inlineMore: () => Promise<void>
}

/** What that module exports. The way is 'handed' or 'answered', and undefined if none is proven. */
interface Proven {
  trustWay(way: string | undefined): void
  provenWay(): string | undefined
}

/** What a file keeps. The way is empty if none was proven, and in those of workers, which get it from the command. */
interface Kept {
  readonly cache: Buffer
  readonly way: string
}

if (require.main === module) load(COMMAND)

/** Loads the command's workers. */
export function loadWorker(): void { load(WORKER) }

/** Loads an entry, from the bundle if there is one. @param name its path in the folder of this file */
function load(name: string): void {
  const source = tryTo(() => readFileSync(BUNDLE, 'latin1'))
  if (source === undefined) require(join(__dirname, name))
  else run(name, source)
}

function run(name: string, source: string): void {
  const path = cachePath(name, source)
  const file = tryTo(() => readFileSync(path))
  const kept = file && keptIn(file)
  const script = new Script(source, { filename: BUNDLE, ...kept && { cachedData: kept.cache } })
  const isUsed = script.cachedDataRejected === false
  const loadModule = (script.runInThisContext() as Bundle)(require, __dirname)
  const { provenWay, trustWay } = loadModule(PROVEN) as Proven
  if (hasUsualFlags && isUsed) trustWay(kept?.way || undefined)
  const loaded = loadModule(name)
  const command = name === COMMAND ? loaded as Command : undefined
  if (hasUsualFlags && file !== undefined && !isUsed) tryTo(() => rmSync(path))
  // the process that wrote it served clients through streams, perhaps only then
  const lacksWay = command !== undefined && isUsed && kept?.way === ''
  if (hasUsualFlags && (file === undefined || lacksWay)) {
    const keep = () => {
      const way = provenWay() ?? ''
      if (lacksWay ? way !== '' : !existsSync(path)) write(path, { cache: script.createCachedData(), way })
    }
    // on a slow machine the proof takes long too
    void Promise.resolve(command?.started).then(() => later(STARTED_MS, keep))
  }
  if (command === undefined) return
  const hasAll = isUsed && existsSync(cachePath(WORKER, source))
  void command.started.then(() => later(hasAll ? SERVING_MS : WRITTEN_MS, command.inlineMore))
}

/** Does something later, if the process still runs then. */
function later(ms: number, action: () => unknown): void { setTimeout(() => tryTo(action), ms).unref() }

function cachePath(name: string, source: string): string {
  const { version, platform, arch } = process
  const identity = source.slice('// '.length, '// '.length + IDENTITY_LENGTH)
  return `${BUNDLE}.${name.replace('/', '-').replace(/\.js$/, '')}.${identity}.${version}-${platform}-${arch}.cache`
}

/** What a file keeps; undefined if the file is damaged. */
function keptIn(file: Buffer): Kept | undefined {
  const half = Math.floor(file.length / 2)
  const kept = file.subarray(0, half)
  if (!kept.equals(file.subarray(half))) return undefined
  const end = Math.max(0, half - WAY_LENGTH)
  return { cache: kept.subarray(0, end), way: kept.toString('latin1', end).trimEnd() }
}

/** Writes a file, which appears complete or not at all. */
function write(path: string, { cache, way }: Kept): void {
  const kept = Buffer.concat([cache, Buffer.from(way.padEnd(WAY_LENGTH), 'latin1')])
  const draft = `${path}.${process.pid}`
  const descriptor = openSync(draft, 'wx', FILE_MODE)
  try {
    writeFileSync(descriptor, Buffer.concat([kept, kept]))
    fsyncSync(descriptor)
    renameSync(draft, path)
  } catch (error) {
    rmSync(draft, { force: true })
    throw error
  } finally {
    closeSync(descriptor)
  }
}

function tryTo<Result>(action: () => Result): Result | undefined {
  try {
    return action()
  } catch {
    return undefined
  }
}
