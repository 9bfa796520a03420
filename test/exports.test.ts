// The entry points of the package: each has the same for `import` and for `require`, and types that need no others.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import t from 'tap'
import { compile, entryPoints, exportedNames } from './support/consumer.js'
import './support/fresh.js'
import { inProject, ROOT } from './support/places.js'

const require = createRequire(import.meta.url)
const manifest = JSON.parse(readFileSync(inProject('package.json'), 'utf8')) as {
  scripts: Record<string, string>, typesVersions: Record<string, unknown>,
}
const ENTRIES = entryPoints()

t.test('each entry point is a pair of files, and each has its types', async t => {
  for (const { name, import: imported, require: required } of ENTRIES) {
    t.same(imported, { types: required.types.replace(/\.ts$/, '.mts'), default: required.default.replace(/\.js$/, '.mjs') }, name)
    t.equal(required.types, required.default.replace(/\.js$/, '.d.ts'), name)
    for (const entry of [imported, required]) {
      t.same(Object.keys(entry), ['types', 'default'], 'the compiler takes the first that fits')
      for (const file of [entry.types, entry.default]) t.ok(existsSync(join(ROOT, file)), file)
    }
  }
  const pairs = readdirSync(inProject('dist'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.mjs'))
    .map(name => `./dist/${name.replaceAll('\\', '/')}`)
  t.same(pairs.sort(), ENTRIES.map(entry => entry.import.default).sort(), 'no other file is meant to be imported')
})

t.test('a compiler that knows no exports finds the types too', async t => {
  const paths = ENTRIES.filter(({ name }) => name.includes('/')).map(({ name, require: { types } }) =>
    [name.slice(name.indexOf('/') + 1), [types]])
  t.same(manifest.typesVersions, { '*': Object.fromEntries(paths) })
})

t.test('the package says where it comes from and what it needs, and runs nothing where it is installed', async t => {
  t.match(manifest, { license: 'MIT', engines: { node: '>=20' }, description: /memcached/, homepage: /^https:/,
    repository: { type: 'git', url: /^git\+https:.*\/memslab\.git$/ } })
  t.notOk(Object.keys(manifest).some(field => /^(optional|peer|bundled?)?dependencies$/i.test(field)), 'it needs no other package')
  // npm runs `prepare` in a checkout and for a package from git, which has to be built, but not for one from a registry
  t.notMatch(Object.keys(manifest.scripts).join(), /\b(pre|post)?install\b/)
})

t.test('each entry point gives the same values by import and by require', async t => {
  for (const { name } of ENTRIES) {
    const imported = await import(name) as Record<string, unknown>
    const required = require(name) as Record<string, unknown>
    const names = Object.keys(required).filter(name => name !== '__esModule').sort()
    t.same(Object.keys(imported).sort(), names, name)
    for (const each of names) t.equal(imported[each], required[each], `${name}: ${each}`)
  }
})

t.test('and the same types', async t => {
  const files = ENTRIES.flatMap(({ import: imported, require: required }) => [imported.types, required.types])
    .map(file => join(ROOT, file))
  const names = exportedNames(...files)
  for (const [index, { name }] of ENTRIES.entries()) {
    t.not(names[2 * index]!.length, 0, name)
    t.same(names[2 * index], names[2 * index + 1], name)
  }
})

t.test('the types of all of them need no others, and nothing newer than ES2022', async t => {
  const names = ENTRIES.map(({ name }) => name)
  const messages = compile(t.testdir(), {
    'imports.mts': names.map((name, index) => `export * as entry${index} from '${name}'`).join('\n'),
    'requires.cts': names.map((name, index) => `import entry${index} = require('${name}')\nexport { entry${index} }`).join('\n'),
  }, { module: 'nodenext', lib: ['es2022'], hasNode: false })
  t.same(messages, [])
})
