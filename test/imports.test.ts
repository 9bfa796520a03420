// Imports point one way, so that each part can be read and tested without those above it.
import { readFileSync } from 'node:fs'
import t from 'tap'
import { entryPoints, typesBehind } from './support/consumer.js'
import './support/fresh.js'
import { inProject } from './support/places.js'
import { codeOf, importsOf, importTargetsOf, sourceFiles, sourceOf } from './support/sources.js'

/**
 * The parts from top to bottom, and those below it that each may import; itself and the leaves it always may. A part is a folder
 * with what is in it, or one file of it that has other rights than the rest. Parts to come have their place: `adapters` stands
 * above `index`.
 */
const PARTS: readonly (readonly [part: string, below: readonly string[]])[] = [
  ['index', ['server', 'embed']],   // with index.mts
  ['adapters', ['embed']],   // each an entry of its own, with its .mts
  ['worker', ['cli']],   // which load command.ts and server/worker.ts by their names
  ['cli', []],
  ['command', ['process']],
  ['process', ['server', 'net']],
  ['testing', ['server', 'faults', 'embed', 'store']],   // a test's control over all parts of a server
  ['server', ['http', 'embed', 'net', 'protocol/protocols', 'protocol', 'insight', 'stats', 'store', 'log', 'memory']],
  ['http', ['net', 'protocol', 'insight', 'stats', 'store', 'log', 'memory']],
  ['embed', ['stats', 'store', 'log', 'memory']],
  ['faults', ['net', 'protocol', 'insight', 'stats', 'store', 'log', 'memory']],   // a server loads it by its name, if a test has it
  ['net', ['protocol', 'insight', 'stats', 'log', 'memory']],
  // it chooses among the three protocols, which share through the rest of protocol/ and never with each other
  ['protocol/protocols', ['protocol/text', 'protocol/meta', 'protocol/binary', 'protocol']],
  ['protocol/text', ['protocol', 'insight', 'stats', 'store', 'log', 'memory']],
  ['protocol/meta', ['protocol', 'insight', 'stats', 'store', 'log', 'memory']],
  ['protocol/binary', ['protocol', 'insight', 'stats', 'store', 'log', 'memory']],
  ['protocol', ['insight', 'stats', 'store', 'log', 'memory']],
  ['insight', ['stats', 'store', 'memory']],
  ['stats', ['store', 'memory']],
  ['store', ['log', 'memory']],
  ['log', ['memory']],
  ['memory', []],
]

/** What any part may import; a leaf itself imports other leaves alone. */
const LEAVES = [
  'clock', 'timers', 'errors', 'stack', 'version', 'options',
  'stats/counters',    // each part counts what it does
  'secrets',           // the users and certificates that net/ and server/ hand from thread to thread
  'server/signals',    // what any part raises for the others
  'server/settings',   // shared memory for what commands of the protocols change and net/ reads
  'process/limits',    // what the system allows, which bounds what net/ listens with
  'process/inlining',  // what V8 may do, which the command says and server/ while threads start
]

const FILES = sourceFiles()
const IMPORTS = new Map(FILES.map(file => [file, importsOf(file)]))

t.test('every file imports only from the parts below its own', async t => {
  const wrong = FILES.flatMap(file => IMPORTS.get(file)!.filter(to => !mayImport(file, to)).map(to => `${file} imports ${to}`))
  t.same(wrong, [])
})

t.test('the parts are in order, each above those that it may import', async t => {
  const names = PARTS.map(([part]) => part)
  for (const [index, [part, below]] of PARTS.entries()) {
    const wrong = below.filter(name => names.indexOf(name) <= index)
    t.same(wrong, [], `${part} imports nothing above it, and nothing that is not there`)
    t.ok(FILES.some(file => partOf(file) === part), `${part} is there`)
  }
})

t.test('no circle of imports', async t => {
  const circles = FILES.flatMap(file => circleThrough(file)?.join(' -> ') ?? [])
  t.same(circles, [], 'types count too: what needs each other belongs into one file, or apart')
})

t.test('what is imported is part of Node.js, or of src', async t => {
  const foreign = (file: string) => importTargetsOf(file).filter(target => !/^(node:|\.\.?\/)/.test(target))
  const wrong = FILES.flatMap(file => foreign(file).map(target => `${file}: ${target}`))
  t.same(wrong, [])
  t.same([...IMPORTS].flatMap(([file, imports]) => imports.filter(to => !FILES.includes(to)).map(to => `${file}: ${to}`)), [])
})

t.test('src/README.md lists every file, once', async t => {
  const listed = [...sourceOf('README.md').matchAll(/^\| `([^`]+\.m?ts)` \| \S/gm)].map(match => match[1]!)
  t.same(listed.sort(), FILES)
})

t.test('what src/README.md says of a request names functions that are there', async t => {
  const steps = [...sourceOf('README.md').matchAll(/^\| \d+ \| `([^`]+)` \| (`[^|]+`) \|/gm)]
  t.ok(steps.length > 30, 'the steps were found')
  for (const [, file = '', functions = ''] of steps) {
    const code = codeOf(file)
    for (const [, name] of functions.matchAll(/`(\w+)`/g)) {
      const definition = new RegExp(`^(?:  (?:private |get )?|export function )${name}\\(`, 'm')
      t.match(code, definition, `${name} in ${file}`)
    }
  }
})

t.test('timers are those that timers.ts has kept, out of the reach of fakes', async t => {
  for (const file of FILES.filter(file => file !== 'timers.ts' && file !== 'cli.ts')) {
    const code = codeOf(file)
    const [, imported = ''] = /import \{([^}]*)\} from '[./]+\/timers\.js'/.exec(code) ?? []
    const used = [...code.matchAll(/(?<![.\w])(?:(?:set|clear)(?:Timeout|Interval|Immediate)|queueMicrotask)\b/g)]
    t.same(used.map(([name]) => name).filter(name => !imported.split(/[\s,]+/).includes(name)), [], file)
    t.notMatch(code, /process\.nextTick|node:timers|globalThis\.(set|clear|queue)/, file)
  }
})

t.test('clock.ts alone reads the time of day and the monotonic clock', async t => {
  const reading = /\b(Date\.now|performance\.now|performance\.timeOrigin|hrtime)\b|\bnew Date\(/
  const readers = FILES.filter(file => reading.test(codeOf(file)))
  t.same(readers, ['clock.ts'])
})

function mayImport(file: string, to: string): boolean {
  if (isLeaf(to)) return true
  if (isLeaf(file)) return false
  const from = partOf(file)
  return from !== undefined && (partOf(to) === from || PARTS.find(([part]) => part === from)![1].includes(partOf(to) ?? ''))
}

/** The part that a file belongs to, the narrowest that there is. */
function partOf(file: string): string | undefined {
  const names = PARTS.map(([part]) => part).filter(part => isWithin(file, part))
  return names.sort((a, b) => b.length - a.length)[0]
}

function isLeaf(file: string): boolean { return LEAVES.some(leaf => isWithin(file, leaf)) }

function isWithin(file: string, part: string): boolean {
  return file.replace(/\.m?ts$/, '') === part || file.startsWith(`${part}/`)
}

/** The shortest way from a file along imports back to it. */
function circleThrough(start: string): string[] | undefined {
  const ways: string[][] = [[start]]
  const seen = new Set<string>()
  for (const way of ways) {
    for (const to of IMPORTS.get(way.at(-1)!) ?? []) {
      if (to === start) return [...way, start]
      if (!seen.has(to)) ways.push([...way, to])
      seen.add(to)
    }
  }
  return undefined
}

t.test('the types of the entry points lead to none of the inside', async t => {
  const { files } = JSON.parse(readFileSync(inProject('package.json'), 'utf8')) as { files: string[] }
  // the types of these parts are not packed
  const inside = files.flatMap(pattern => /^!(dist\/\w+\/)\*\*\/\*\.d\.ts$/.exec(pattern)?.[1] ?? [])
  t.ok(inside.length > 0)
  const behind = typesBehind(entryPoints().flatMap(({ import: imported, require: required }) => [imported.types, required.types]))
  t.same(behind.filter(file => inside.some(folder => file.startsWith(folder))), [],
    'a type that programs see belongs in a file that imports no more than such types need')
})
