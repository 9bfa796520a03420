// The stacks of errors, for people to read. A leaf: any file may import it.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The line of the bundle on which a file begins, see .ci/bundle.js. */
const BEGINNING = /^'([^']+)'\(exports\) \{/

/** The stack of an error. Places in the bundle (see cli.ts) become places in the files that the bundle is made of. */
export function stackOf({ message, stack = message }: Error): string {
  return stack.replace(/\bmemslab\.bundle:(\d+)/g, (place, line: string) => placeOf(Number(line)) ?? place)
}

function placeOf(line: number): string | undefined {
  try {
    const lines = readFileSync(join(__dirname, 'memslab.bundle'), 'latin1').split('\n').slice(0, line)
    const index = lines.findLastIndex(text => BEGINNING.test(text))
    const [, file] = BEGINNING.exec(lines[index] ?? '') ?? []
    return file && `${file}:${line - index}`
  } catch {
    return undefined
  }
}
