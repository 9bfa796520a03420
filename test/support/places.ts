// Where the files of the project lie that tests read or start. The tests themselves run from dist-test, where they are
// compiled to, and nothing else is copied there.

import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/dist-test[\\/]$/, '')

/** The built command. */
export const CLI = inProject('dist/cli.js')

/** The same, loaded from the files that tests import too, and not from the bundle. */
export const COMMAND = inProject('dist/command.js')

/** @param path from the project's folder on, such as `test/clients/checks.py` */
export function inProject(path: string): string {
  return join(ROOT, path)
}
