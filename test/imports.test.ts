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
  'store/index': ['memory', 'log', 'stats/counters', 'store', 'store/items', 'store/slabs', 'store/walks'],
  'store/items': ['memory', 'log', 'stats/counters', 'store', 'store/index', 'store/slabs', 'store/walks'],
  'store/slabs': ['memory', 'log', 'stats/counters', 'store', 'store/index', 'store/items', 'store/walks'],
  'store/walks': ['memory', 'log', 'stats/counters', 'store', 'store/index', 'store/items', 'store/slabs'],
  store: ['memory', 'log', 'stats/counters', 'store/index', 'store/items', 'store/slabs', 'store/walks'],
  'stats/counters': [],
  'stats/prefixes': ['memory'],
  'stats/report': ['memory', 'store', 'store/items', 'stats/counters'],
  protocol: ['memory', 'store', 'store/index', 'store/items', 'stats/counters', 'stats/prefixes', 'stats/report', 'protocol/text', 'protocol/meta',
    'protocol/binary', 'server/settings'],
  'protocol/text': ['memory', 'log', 'store', 'store/items', 'store/slabs', 'store/walks', 'stats/counters', 'protocol', 'server/settings'],
  'protocol/meta': ['memory', 'store', 'store/index', 'store/items', 'stats/counters', 'protocol'],
  'protocol/binary': ['memory', 'store', 'store/index', 'store/items', 'stats/counters', 'protocol'],
  net: ['memory', 'log', 'protocol', 'stats/counters', 'stats/report', 'server/settings'],
  server: ['memory', 'log', 'net', 'server/settings', 'store', 'store/items', 'stats/prefixes', 'stats/report', 'stats/counters', 'protocol', 'process'],
  options: [],
}
const LEAVES = ['clock', 'errors', 'version', 'process/limits']
/** These put the parts together. */
const TOP = ['cli', 'index', 'process']

t.test('every file imports only from the parts below it', async t => {
  const wrong: string[] = []
  for (const file of sourceFiles()) {
    const from = partOf(file)
    if (TOP.includes(from)) continue
    for (const to of importsOf(file)) {
      const isAllowed = to === from || LEAVES.includes(to) || to === 'options' || (MAY_IMPORT[from] ?? []).includes(to)
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

/** The part a source file belongs to: its folder, but each file of stats and of the top, and what anyone may import, is one of its own. */
function partOf(file: string): string {
  const folder = dirname(file)
  if (folder === '.') return file.replace(/\.ts$/, '')
  return folder === 'stats' || LEAVES.includes(file.replace(/\.ts$/, '')) || file === 'server/settings.ts' ? file.replace(/\.ts$/, '') : folder
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8')
  const targets = [...text.matchAll(/from '(\.[^']*)\.js'/g)].map(match => match[1]!)
  return targets.map(target => partOf(relative(SRC, resolve(SRC, dirname(file), target)) + '.ts'))
}
