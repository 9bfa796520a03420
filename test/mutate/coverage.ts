// Which tests run which parts of the compiled files: each related test runs once as V8 counts for it (NODE_V8_COVERAGE), in
// all its processes and threads. That is kept in dist-test, and measured anew for what has changed since.

import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

import { inProject } from '../support/places.js'
import type { Change } from './changes.js'

const KEPT = inProject('dist-test/mutate.json')

/** A test and what it runs. */
export interface Covered {
  /** Its file, from the folder of the compiled tests on; for recorded conversations WIRES, a blank and the name of one. */
  readonly test: string
  /** Of all that decides what the test does. */
  readonly digest: string
  /** Processor time of it all. */
  readonly cpuMs: number
  readonly passed: boolean
  /** For each file the offsets at which a stretch that runs begins and ends, by turns. */
  readonly ran: Readonly<Record<string, readonly number[]>>
}

/** Plays the recorded conversations that are named behind it. */
export const WIRES = 'mutate/wires.js'

interface Range {
  readonly startOffset: number
  readonly endOffset: number
  readonly count: number
}

interface Script {
  readonly url: string
  readonly functions: readonly { readonly ranges: readonly Range[] }[]
}

export function readKept(): Covered[] {
  return existsSync(KEPT) ? JSON.parse(readFileSync(KEPT, 'utf8')) as Covered[] : []
}

export function keep(covered: readonly Covered[]): void {
  writeFileSync(KEPT, JSON.stringify(covered))
}

/** Of a test, all that it imports among the tests, and `others` that it depends on. */
export function digestOf(test: string, others: string): string {
  const hash = createHash('sha256').update(others)
  const seen = new Set<string>()
  const add = (file: string): void => {
    if (seen.has(file) || !existsSync(file)) return
    seen.add(file)
    const text = readFileSync(file, 'utf8')
    hash.update(text)
    const names = [...text.matchAll(/(?:from|import) '(\.[^']*\.js)'/g)].map(match => match[1]!)
    for (const name of names.filter(name => !name.includes('/src/'))) add(join(dirname(file), name))
  }
  add(inProject(`dist-test/test/${test}`))
  return hash.digest('hex')
}

/** Of all files under a folder. */
export function digestOfFolder(folder: string, ending: string): string {
  const hash = createHash('sha256')
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : []
  for (const name of names.filter(name => name.endsWith(ending)).sort()) {
    hash.update(name).update(readFileSync(join(folder, name)))
  }
  return hash.digest('hex')
}

/**
 * @param folder where V8 has written what it counted
 * @param names of the files there
 * @param dist where the compiled files lie that ran
 */
export function readCoverage(folder: string, names: readonly string[], dist: string): Record<string, number[]> {
  const marks = new Map<string, Uint8Array>()
  for (const name of names) {
    const { result } = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { result: Script[] }
    for (const script of result.filter(({ url }) => url.startsWith('file:'))) {
      const path = fileURLToPath(script.url)
      if (path.startsWith(`${dist}/`)) paint(marks, path.slice(dist.length + 1), script)
    }
  }
  return Object.fromEntries([...marks].map(([file, bytes]) => [file, edgesOf(bytes)]))
}

/** What any process or thread has run has run; within one, an inner range has the last word. */
function paint(marks: Map<string, Uint8Array>, file: string, { functions }: Script): void {
  const ranges = functions.flatMap(({ ranges }) => ranges)
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  const bytes = new Uint8Array(Math.max(0, ...ranges.map(({ endOffset }) => endOffset)))
  for (const { startOffset, endOffset, count } of ranges) bytes.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  marks.get(file)?.forEach((has, at) => { bytes[at]! |= has })
  marks.set(file, bytes)
}

function edgesOf(bytes: Uint8Array): number[] {
  const edges: number[] = []
  for (let at = 0, last = 0; at <= bytes.length; at++) {
    const is = bytes[at] ?? 0
    if (is !== last) edges.push(at)
    last = is
  }
  return edges
}

/** Whether the test runs what is changed. */
export function runs({ ran }: Covered, { file, start }: Change): boolean {
  const next = (ran[file] ?? []).findIndex(edge => edge > start)
  return next % 2 === 1
}
