// Whether what is built is built from the sources that lie there. Tests run what is built, and a stale build tells of sources
// that are gone. It goes by contents, which the compiler notes down by their hashes: a checkout changes the times of files.
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { inProject } from './places.js'

/** What is read of the compiler's notes: the files it has compiled, and the hash of each. */
interface BuildNotes {
  readonly fileNames: readonly string[]
  readonly fileInfos: readonly (string | { readonly version: string })[]
}

/** @throws Error if the built command is missing, or was built from other sources than those in src/ */
export function refuseStaleBuild(notesPath = inProject('dist/tsconfig.tsbuildinfo'), sources = inProject('src')): void {
  if (!existsSync(notesPath)) throw new Error('dist is missing; npm test builds it first')
  const stale = staleFiles(notesPath, sources)
  if (stale.length > 0) throw new Error(`dist is older than ${stale.join(', ')}; npm test builds it first`)
}

function staleFiles(notesPath: string, sources: string): string[] {
  const { fileNames, fileInfos } = JSON.parse(readFileSync(notesPath, 'utf8')) as BuildNotes
  const hashes = new Map(fileNames.map((name, index) => {
    const info = fileInfos[index]!
    return [resolve(notesPath, '..', name), typeof info === 'string' ? info : info.version]
  }))
  return readdirSync(sources, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.ts'))
    .map(name => join(sources, name))
    .filter(path => hashes.get(path) !== createHash('sha256').update(readFileSync(path)).digest('hex'))
    .map(path => relative(sources, path))
}
