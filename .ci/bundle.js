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

/** @param folder the compiled modules */
export function bundle(folder) {
  const modules = new Map()
  const add = name => {
    if (modules.has(name)) return
    modules.set(name, '')
    modules.set(name, withoutComments(readFileSync(join(folder, name), 'utf8')).replace(IMPORT, (_, how, _quote, path) => {
      const own = path.startsWith('.') ? posix.join(posix.dirname(name), path) : undefined
      if (own !== undefined) add(own)
      const imported = own === undefined ? `require('${path}')` : `load('${own}')`
      return how === 'require' ? imported : `Promise.resolve().then(() => ${imported})`
    }))
  }
  ENTRIES.forEach(add)
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
