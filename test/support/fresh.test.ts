// A build of other files than those that lie there is refused, whichever way a test is run.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import t, { type Test } from 'tap'
import { refuseStaleBuild, type Build } from './fresh.js'
import { inProject } from './places.js'

const COMPILED = inProject('dist-test/test')
const FRESH = join(COMPILED, 'support/fresh.js')

/** Two sources and their compiled forms, as the compiler leaves them with its notes. */
function built(t: Test): Build {
  const folder = t.testdir({
    sources: { 'one.ts': 'one', deep: { 'two.mts': 'two' } },
    compiled: { 'one.js': '', 'one.d.ts': '', deep: { 'two.mjs': '' } },
  })
  const build = { sources: join(folder, 'sources'), compiled: join(folder, 'compiled'), notes: join(folder, 'compiled/notes') }
  const infos = ['one', 'two'].map(text => createHash('sha256').update(text).digest('hex'))
  // the compiler shortens what says nothing more than the hash
  const notes = { fileNames: ['../sources/one.ts', '../sources/deep/two.mts'], fileInfos: [infos[0], { version: infos[1] }] }
  writeFileSync(build.notes, JSON.stringify(notes))
  return build
}

t.test('what is built from the files that lie there will do', async t => {
  t.doesNotThrow(() => refuseStaleBuild(built(t)))
})

t.test('what is built from others is refused, with their names', async t => {
  const changes: Record<string, readonly [(build: Build) => void, RegExp]> = {
    'a changed source': [({ sources }) => writeFileSync(join(sources, 'deep/two.mts'), 'changed'), /older than deep.two\.mts;/],
    'a new source': [({ sources }) => writeFileSync(join(sources, 'new.ts'), ''), /older than new\.ts;/],
    'a source that is gone': [({ sources }) => rmSync(join(sources, 'deep/two.mts')), /has deep.two\.mjs without a source;/],
    'a source that was gone before the build': [({ compiled }) => {
      mkdirSync(join(compiled, 'old'))
      writeFileSync(join(compiled, 'old/gone.js'), '')
    }, /has old.gone\.js without/],
    'nothing built': [({ notes }) => rmSync(notes), /is missing;/],
  }
  for (const [name, [change, message]] of Object.entries(changes)) {
    await t.test(name, async t => {
      const build = built(t)
      change(build)
      t.throws(() => refuseStaleBuild(build), { message })
    })
  }
})

t.test('each test file looks, by what it imports, before it is run alone', async t => {
  const files = readdirSync(COMPILED, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.test.js'))
  t.ok(files.length > 100)
  t.same(files.filter(name => !reaches(join(COMPILED, name), new Set())), [])
})

/** Whether a compiled module imports fresh.js, or one that does. */
function reaches(module: string, seen: Set<string>): boolean {
  if (module === FRESH) return true
  if (seen.has(module) || !existsSync(module)) return false
  seen.add(module)
  const imports = readFileSync(module, 'utf8').matchAll(/^(?:import|.* from) '(\.[^']+)';$/gm)
  return Array.from(imports, ([, path]) => resolve(module, '..', path!)).some(path => reaches(path, seen))
}
