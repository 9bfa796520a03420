// Makes the bundle: one script with all modules that the command needs, each in a method that has the module's path as its name.
// src/cli.ts runs it. In all modules `__dirname` is the folder of the bundle, whatever folder a module's own file is in.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import typescript from 'typescript'

/** The modules that src/cli.ts is asked for. */
const ENTRIES = ['command.js', 'server/worker.js']
/** The modules that a module imports, or loads when it needs them: our own, and Node's. */
const IMPORT = /\b(require|import)\((["'])((?:\.{1,2}\/|node:)[^"']+)\2\)/g

/**
 * The modules of which a module has copies of its own. V8 compiles a function in one way for all of its callers. What the store
 * shares with the models of `stats sizing`, it compiles while the models fill: then a set that evicts takes 8 % more time.
 */
const COPIES = {
  'insight/miniatures.js': ['stats/counters.js', 'store/items/ghosts.js', 'store/items/items.js', 'store/items/lru.js',
    'store/items/shares.js'],
}

/** @param folder the compiled modules */
export function bundle(folder) {
  const modules = new Map()
  /** Adds a module and all that it imports. Returns its name in the bundle. @param owner the module that has this copy of it */
  const add = (path, owner = path) => {
    const name = owner === path ? path : `${path} of ${owner}`
    if (modules.has(name)) return name
    modules.set(name, '')
    modules.set(name, withoutComments(readFileSync(join(folder, path), 'utf8')).replace(IMPORT, (_, how, _quote, imported) => {
      const loaded = imported.startsWith('.') ? `load('${addImport(path, imported, owner)}')` : `require('${imported}')`
      return how === 'require' ? loaded : `Promise.resolve().then(() => ${loaded})`
    }))
    return name
  }
  const addImport = (importer, imported, owner) => {
    const path = posix.join(posix.dirname(importer), imported)
    return add(path, COPIES[owner]?.includes(path) ? owner : path)
  }
  for (const entry of ENTRIES) add(entry)
  const methods = [...modules].map(([name, code]) => `'${name}'(exports) {${code}\n},\n`)
  const script = `(function (require, __dirname) {
const loaded = Object.create(null)
function load(name) {
  if (loaded[name] === undefined) modules[name](loaded[name] = {})
  return loaded[name]
}
const modules = {
${methods.join('')}}
return load
})
`.replace(/[^\0-\x7f]/g, character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `// ${createHash('sha256').update(script).digest('hex').slice(0, 16)}\n${script}`
}

/** A module without comments and indentation, which every thread would have in memory. All code stays on its line. */
function withoutComments(code) {
  const file = typescript.createSourceFile('', code, typescript.ScriptTarget.Latest, true)
  let shortened = ''
  const visit = node => {
    if (typescript.isJSDoc(node)) return
    const parts = node.getChildren(file)
    parts.forEach(visit)
    if (parts.length > 0) return
    const between = code.slice(node.pos, node.getStart(file))
    shortened += between.replace(/[^\n]+/g, '') || (between === '' ? '' : ' ')
    shortened += node.getText(file)
  }
  visit(file)
  return shortened
}
