// A program that uses the package's entry points, as a user's compiler sees it.
import { readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import typescript, { type Program } from 'typescript'
import { inProject, ROOT } from './places.js'

/** What package.json says of an entry point: the files for one way of loading it. */
export interface Entry { readonly types: string, readonly default: string }

export interface EntryPoint {
  /** As a program names it: `memslab/testing`. */
  readonly name: string
  readonly import: Entry
  readonly require: Entry
}

/** The entry points that are code. */
export function entryPoints(): EntryPoint[] {
  const { name, exports } = JSON.parse(readFileSync(inProject('package.json'), 'utf8')) as
    { name: string, exports: Record<string, string | Omit<EntryPoint, 'name'>> }
  return Object.entries(exports).flatMap(([path, entry]) =>
    typeof entry === 'string' ? [] : [{ ...entry, name: path.replace(/^\./, name) }])
}

/** Settings of a program's compiler. */
export interface Settings {
  readonly module: 'node16' | 'nodenext' | 'bundler'
  readonly lib: readonly string[]
  /** True if the program has Node's types. */
  readonly hasNode: boolean
}

/**
 * Compiles a program in a folder that finds the package, as strictly as can be.
 * @param files their texts by name
 * @returns what the compiler has to say
 */
export function compile(folder: string, files: Readonly<Record<string, string>>, { module, lib, hasNode }: Settings): string[] {
  const { ModuleKind, ModuleResolutionKind, ScriptTarget } = typescript
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  const program = typescript.createProgram(Object.keys(files).map(name => join(folder, name)), {
    noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false,
    target: ScriptTarget.ES2022,
    lib: lib.map(name => `lib.${name}.d.ts`),
    types: hasNode ? ['node'] : [],
    typeRoots: hasNode ? [inProject('node_modules/@types')] : [],
    module: { node16: ModuleKind.Node16, nodenext: ModuleKind.NodeNext, bundler: ModuleKind.ESNext }[module],
    moduleResolution: { node16: ModuleResolutionKind.Node16, nodenext: ModuleResolutionKind.NodeNext,
      bundler: ModuleResolutionKind.Bundler }[module],
  })
  return typescript.getPreEmitDiagnostics(program).map(({ file, messageText }) =>
    `${file?.fileName ?? ''}: ${typescript.flattenDiagnosticMessageText(messageText, '\n')}`)
}

/** A program of some files of types. */
function programOf(files: readonly string[]): Program {
  const { ModuleKind, ScriptTarget } = typescript
  return typescript.createProgram(files, { module: ModuleKind.NodeNext, target: ScriptTarget.ES2022, noLib: true, types: [] })
}

/** The names that each of some files of types exports, types included. */
export function exportedNames(...files: readonly string[]): string[][] {
  const program = programOf(files)
  const checker = program.getTypeChecker()
  return files.map(file => {
    const source = program.getSourceFile(file)
    const symbol = source && checker.getSymbolAtLocation(source)
    return symbol === undefined ? [] : checker.getExportsOfModule(symbol).map(({ name }) => name).sort()
  })
}

/** The files that some files of types lead to, and they themselves, from the project's folder on. */
export function typesBehind(files: readonly string[]): string[] {
  return programOf(files.map(file => inProject(file))).getSourceFiles()
    .map(({ fileName }) => relative(ROOT, fileName).replaceAll('\\', '/'))
}
