#!/usr/bin/env node
// The `memslab` command, as people start it. It loads the modules of the command from the bundle: one file with all of them, made
// by .ci/bundle.js, as a process that finds, reads and compiles a hundred files starts later by a third. Most of the rest is V8
// compiling. So what it has compiled is kept in files beside the bundle, the caches, and the next start reads those.
//
// The build makes the caches for the Node.js that it runs on. For another one the command makes them itself, when it has run for
// a moment, if it may write to the folder of the bundle. They are as safe as the bundle there: only those who may write to the
// folder can change either. V8 refuses a cache of another version or of other flags. It checks neither whether the cache belongs
// to the bundle nor, in Node 20, whether the same platform made it, so the name says both. Without a cache, or without a bundle,
// everything only starts later.
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'

const BUNDLE = join(__dirname, 'memslab.bundle')
/** The length of the bundle's identity, which is at its start behind `// `. */
const IDENTITY_LENGTH = 16
/** The time after which the code that a start runs has been compiled. */
const STARTED_MS = 500
/** Everyone may read a cache. */
const FILE_MODE = 0o644

/** The bundle, once it runs: gets Node's modules and its folder, and returns the function that loads a module by its name. */
type Bundle = (require: NodeJS.Require, folder: string) => (name: string) => unknown

if (require.main === module) load('command.js')

/** Loads a module, from the bundle if there is one. @param name its path in the folder of this file */
export function load(name: string): void {
  const source = tryTo(() => readFileSync(BUNDLE, 'latin1'))
  if (source === undefined) require(join(__dirname, name))
  else run(name, source)
}

function run(name: string, source: string): void {
  const path = cachePath(name, source)
  const cachedData = tryTo(() => readFileSync(path))
  const script = new Script(source, { filename: BUNDLE, ...cachedData && { cachedData } })
  const writeCache = (): void => { tryTo(() => write(path, script.createCachedData())) }
  if (script.cachedDataRejected !== false) setTimeout(writeCache, STARTED_MS).unref()
  const bundle = script.runInThisContext() as Bundle
  bundle(require, __dirname)(name)
}

/** The path of the cache. The command and its workers run different code, so each entry has its own. */
function cachePath(name: string, source: string): string {
  const { version, platform, arch } = process
  const identity = source.slice('// '.length, '// '.length + IDENTITY_LENGTH)
  return `${BUNDLE}.${name.replace('/', '-').replace(/\.js$/, '')}.${identity}.${version}-${platform}-${arch}.cache`
}

/** Writes a cache, which appears complete or not at all. */
function write(path: string, data: Buffer): void {
  const draft = `${path}.${process.pid}`
  const descriptor = openSync(draft, 'wx', FILE_MODE)
  try {
    writeFileSync(descriptor, data)
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
