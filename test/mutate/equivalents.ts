// Changes that nobody can notice, each with the reason, in equivalents.txt: blocks of four lines, the place,
// what was and what is, and why that makes no difference. The report shows what has survived in the same form.

import { existsSync, readFileSync } from 'node:fs'

import { inProject } from '../support/places.js'
import type { Change } from './changes.js'

const FILE = inProject('test/mutate/equivalents.txt')

/** A change as it stands in a report and in equivalents.txt, without line numbers, which pass. */
export function blockOf({ file, place, was, is }: Change): string {
  return `${`${file} ${place}`.trimEnd()}\n- ${was}\n+ ${is}\n`
}

/** All that are listed, each as blockOf has it. */
export function readEquivalents(): Set<string> {
  const text = existsSync(FILE) ? readFileSync(FILE, 'utf8') : ''
  const blocks = text.split(/\n{2,}/).map(block => block.split('\n').filter(line => line !== '' && !line.startsWith('#')))
  return new Set(blocks.filter(lines => lines.length > 0).map(readBlock))
}

/**
 * Those that are listed though no change is like them: the code has moved, or is written in another way.
 * @param changesOf all changes of a file
 */
export function staleEquivalents(changesOf: (file: string) => readonly Change[]): string[] {
  const made = new Map<string, ReadonlySet<string>>()
  return [...readEquivalents()].filter(block => {
    const file = block.slice(0, block.search(/\s/))
    const blocks = made.get(file) ?? new Set(changesOf(file).map(blockOf))
    made.set(file, blocks)
    return !blocks.has(block)
  })
}

/** One line or more say why. */
function readBlock(lines: readonly string[]): string {
  if (lines[3]?.startsWith('because ') !== true) throw new Error(`this is no block of four lines:\n${lines.join('\n')}`)
  return `${lines.slice(0, 3).join('\n')}\n`
}
