// The files of src, for tests of how they are written. A file is named by its path in src.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import './fresh.js'
import { inProject } from './places.js'

const SRC = inProject('src')

export function sourceFiles(): string[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' }).map(name => name.replaceAll('\\', '/'))
    .filter(name => /\.m?ts$/.test(name)).sort()
}

export function sourceOf(file: string): string { return readFileSync(join(SRC, file), 'utf8') }

/** The source without its comments, which have lines of their own. */
export function codeOf(file: string): string { return sourceOf(file).replace(/^ *(\/\*\*|\*|\/\/).*$/gm, '') }

/** The files of src that a file imports: for what they do or for their types, at its start or when it needs them. */
export function importsOf(file: string): string[] {
  const targets = importTargetsOf(file).filter(target => target.startsWith('.'))
  return [...new Set(targets.map(target => relative(SRC, resolve(SRC, dirname(file), target)).replace(/\.js$/, '.ts')))]
}

/** The names in a file's imports, as they stand there. */
export function importTargetsOf(file: string): string[] {
  return [...codeOf(file).matchAll(/(?:\bfrom |\bimport |\bimport\()'([^']+)'/g)].map(match => match[1]!)
}
