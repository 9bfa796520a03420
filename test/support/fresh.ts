// Refuses what was built from other files than those that lie there: tests run what is built, and a stale build tells of files
// that are gone. It compares contents, of which the compiler notes the hashes: a checkout changes the times of files.
//
// Whatever is run first looks: run.ts, or a test file that is run alone, by importing this, as all of them do. Those that run.ts
// starts have its word.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isMainThread } from 'node:worker_threads'
import { MARK } from './mark.js'
import { inProject } from './places.js'

/** What is read of the compiler's notes: the files it has compiled, and the hash of each. */
interface BuildNotes {
  readonly fileNames: readonly string[]
  readonly fileInfos: readonly (string | { readonly version: string })[]
}

/** What is built. */
export interface Build {
  readonly sources: string
  /** Where their compiled forms lie. */
  readonly compiled: string
  /** The compiler's notes of it. */
  readonly notes: string
}

const BUILDS: readonly Build[] = [
  { sources: inProject('src'), compiled: inProject('dist'), notes: inProject('dist/tsconfig.tsbuildinfo') },
  { sources: inProject('test'), compiled: inProject('dist-test/test'), notes: inProject('dist-test/tsconfig.tsbuildinfo') },
]

const COMPILED = /\.([cm]?)js$/
const SOURCE = /(?<!\.d)\.[cm]?ts$/

if (isMainThread && process.env[MARK] === undefined) {
  for (const build of BUILDS) refuseStaleBuild(build)
  await refuseStaleBundle(inProject('dist'))
}

/**
 * @throws Error if something is not built, was built from other sources than those that lie there, or from sources that do not
 * lie there any more
 */
export function refuseStaleBuild({ sources, compiled, notes }: Build): void {
  const name = relative(inProject(''), compiled)
  if (!existsSync(notes)) throw new Error(`${name} is missing; npm test builds it first`)
  const stale = staleFiles(sources, notes)
  if (stale.length > 0) throw new Error(`${name} is older than ${stale.join(', ')}; npm test builds it first`)
  const orphans = namesIn(compiled, COMPILED).filter(path => !existsSync(join(sources, path.replace(COMPILED, '.$1ts'))))
  if (orphans.length > 0) throw new Error(`${name} has ${orphans.join(', ')} without a source; npm test removes it first`)
}

/** @throws Error if the bundle was made of other compiled files than those that lie there */
export async function refuseStaleBundle(compiled: string): Promise<void> {
  const { bundle } = await import(pathToFileURL(inProject('.ci/bundle.js')).href) as { bundle: (folder: string) => string }
  if (readFileSync(join(compiled, 'memslab.bundle'), 'utf8') === bundle(compiled)) return
  throw new Error('dist/memslab.bundle is older than what lies beside it; npm test builds it first')
}

function staleFiles(sources: string, notes: string): string[] {
  const { fileNames, fileInfos } = JSON.parse(readFileSync(notes, 'utf8')) as BuildNotes
  const hashes = new Map(fileNames.map((name, index) => {
    const info = fileInfos[index]!
    return [resolve(notes, '..', name), typeof info === 'string' ? info : info.version]
  }))
  return namesIn(sources, SOURCE).filter(name => hashes.get(join(sources, name)) !== hashOf(join(sources, name)))
}

function hashOf(path: string): string { return createHash('sha256').update(readFileSync(path)).digest('hex') }

/** The files in a folder and those in it whose names end so. */
function namesIn(folder: string, ending: RegExp): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter(name => ending.test(name))
}
