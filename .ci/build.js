// What the compiler leaves to the build: it copies what is no source, makes the command a program, and removes the compiled
// files of sources that are gone, which the compiler leaves where they are. `npm run build` runs it after the compiler.
import { chmodSync, copyFileSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** Compiled files, and the folders of their sources. */
const FOLDERS = { dist: 'src', 'dist-test/test': 'test', 'dist-bench': 'bench' }
const ENDING = /(\.d)?\.([cm]?)[jt]s(\.map)?$/

copyFileSync('src/package.json', 'dist/package.json')
chmodSync('dist/cli.js', 0o755)
for (const [compiled, sources] of Object.entries(FOLDERS)) if (existsSync(compiled)) removeOrphans(compiled, sources)

function removeOrphans(compiled, sources) {
  for (const name of readdirSync(compiled, { recursive: true })) {
    const source = name.replace(ENDING, '.$2ts')
    if (source !== name && !existsSync(join(sources, source))) rmSync(join(compiled, name))
  }
}
