// Imports point one way, so that each part can be read and tested without those above it.
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import t from 'tap'
import { inProject } from './support/places.js'

const SRC = inProject('src')

/** Each part may import from those listed; leaves may be imported by anyone. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  memory: [],
  log: ['memory', 'stats/counters'],
  store: ['memory', 'log', 'stats/counters'],
  'stats/counters': [],
  'stats/prefixes': ['memory'],
  'stats/report': ['memory', 'store', 'stats/counters'],
  protocol: ['memory', 'store', 'stats/counters', 'stats/prefixes', 'stats/report', 'protocol'],
  'protocol/text': ['memory', 'log', 'store', 'stats/counters', 'protocol'],
  'protocol/meta': ['memory', 'store', 'stats/counters', 'protocol'],
  'protocol/binary': ['memory', 'store', 'stats/counters', 'protocol'],
  net: ['memory', 'log', 'protocol', 'stats/counters', 'stats/report'],
  workers: ['net', 'store', 'stats/prefixes', 'thread'],
  options: [],
}
const LEAVES = ['clock', 'errors', 'options', 'version', 'credentials', 'live', 'epitaph', 'limits']
/** These put the parts together. */
const TOP = ['server', 'thread', 'background', 'protocols', 'serve', 'cli', 'index', 'daemon', 'files', 'user', 'prepare', 'secrets']

t.test('every file imports only from the parts below it', async t => {
  const wrong: string[] = []
  for (const file of sourceFiles()) {
    const from = partOf(file)
    if (TOP.includes(from)) continue
    for (const to of importsOf(file)) {
      const isAllowed = to === from || LEAVES.includes(to) || to.startsWith('options') || (MAY_IMPORT[from] ?? []).includes(to)
      if (!isAllowed) wrong.push(`${file} imports ${to}`)
    }
  }
  t.same(wrong, [])
})

t.test('clock.ts alone reads the time of day and the monotonic clock', async t => {
  const readers = sourceFiles().filter(file => /\b(Date\.now|performance\.now|performance\.timeOrigin|hrtime)\b|\bnew Date\(/.test(codeOf(file)))
  t.same(readers, ['clock.ts'])
})

function sourceFiles(): string[] { return readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.ts')) }

/** Without its comments, which have lines of their own. */
function codeOf(file: string): string { return readFileSync(join(SRC, file), 'utf8').replace(/^ *(\/\*\*|\*|\/\/).*$/gm, '') }

/** The part a source file belongs to: its folder, but each file of stats and of the top is one of its own. */
function partOf(file: string): string {
  const folder = dirname(file)
  if (folder === '.') return file.replace(/\.ts$/, '')
  return folder === 'stats' ? file.replace(/\.ts$/, '') : folder
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const targets = [...text.matchAll(/from '(\.[^']*)\.js'/g)].map(match => match[1]!)
  return targets.map(target => partOf(relative(SRC, resolve(SRC, dirname(file), target)) + '.ts'))
}
