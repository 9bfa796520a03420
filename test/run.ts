// Runs test files, several at a time, and says what came of them: a line a file, then failures in full, what was skipped
// and why, and the counts. README.md in this folder says what is tested where.
//
//   npm test                          the files that find faults in the product itself
//   npm run test:all                  the long rest: files named *.long.test.ts
//   npm test -- test/net udp          those of a folder, or so called, of either kind

import { existsSync, readdirSync, symlinkSync } from 'node:fs'
import { availableParallelism } from 'node:os'

import './support/fresh.js'
import { runFile } from './support/job.js'
import type { Result } from './support/job.js'
import { ownMark } from './support/kin.js'
import { inProject } from './support/places.js'

/** More files at once disturb each other more than it saves time. */
const JOBS = Math.min(availableParallelism(), 4)
const NAME_COLUMNS = 52
const COMMENTS_SHOWN = 20

async function main(words: readonly string[]): Promise<number> {
  linkSources()
  const files = choose(words)
  if (files.length === 0) {
    console.log(`no test file is called so: ${words.join(' ')}`)
    return 1
  }
  const results: Result[] = []
  const summarizeEarly = (signal: NodeJS.Signals): void => {
    report(results)
    console.log(`ended by ${signal}, with ${files.length - results.length} files to go`)
    process.exit(1)
  }
  process.once('SIGINT', summarizeEarly).once('SIGTERM', summarizeEarly)
  let next = 0
  const lane = async (): Promise<void> => {
    while (next < files.length) {
      const number = next++
      const result = await runFile(files[number]!, `${ownMark}/${number}`)
      results.push(result)
      console.log(lineOf(result))
    }
  }
  await Promise.all(Array.from({ length: JOBS }, lane))
  report(results)
  return results.every(result => result.failures.length === 0) ? 0 : 1
}

/** Tests import src and dist by their places beside test, which from where tests are compiled to are both the built files. */
function linkSources(): void {
  for (const name of ['src', 'dist']) {
    const link = inProject(`dist-test/${name}`)
    if (!existsSync(link)) symlinkSync('../dist', link, 'junction')
  }
}

function choose(words: readonly string[]): string[] {
  const names = words.filter(word => !word.startsWith('--')).map(word => word.replace(/^(\.\/)?(test\/)?/, ''))
  const isLong = words.includes('--long')
  const files = readdirSync(inProject('test'), { recursive: true, encoding: 'utf8' })
    .map(name => name.replaceAll('\\', '/'))
    .filter(name => name.endsWith('.test.ts'))
    .sort()
  const chosen = names.length === 0
    ? files.filter(file => file.endsWith('.long.test.ts') === isLong)
    : files.filter(file => names.some(name => isCalled(file, name)))
  return chosen.map(file => `test/${file}`)
}

/** By its path, or a part of that: a folder, a name, with or without what stands behind it. */
function isCalled(file: string, name: string): boolean {
  return file === name || `/${file}`.includes(`/${name}.`) || `/${file}`.includes(`/${name.replace(/\/$/, '')}/`)
}

function lineOf({ file, passed, failures, skips, seconds, cpuSeconds }: Result): string {
  const counts = [`${passed} passed`]
  if (failures.length > 0) counts.push(`${failures.length} FAILED`)
  if (skips.length > 0) counts.push(`${skips.length} skipped`)
  return `${file.padEnd(NAME_COLUMNS)} ${counts.join(', ')} in ${seconds.toFixed(1)} s (CPU ${cpuSeconds.toFixed(1)} s)`
}

function report(results: readonly Result[]): void {
  for (const { file, failures, comments } of results) {
    for (const { name, details } of failures) console.log(`\nFAILED ${file}: ${name}\n${details}`)
    if (failures.length > 0 && comments.length > 0) {
      console.log(`\nwhat it said besides: ${comments.slice(-COMMENTS_SHOWN).join('; ')}`)
    }
  }
  const skips = skipLines(results)
  if (skips.length > 0) console.log(`\nskipped:\n${skips.join('\n')}`)
  const sum = (count: (result: Result) => number): number => results.reduce((all, result) => all + count(result), 0)
  console.log(`\n${results.length} files, ${Math.round(sum(({ cpuSeconds }) => cpuSeconds))} s of CPU`)
  console.log(`${sum(({ passed }) => passed)} passed, ${sum(({ failures }) => failures.length)} failed, ` +
    `${sum(({ skips }) => skips.length)} skipped`)
}

/** A line for each reason in each file. */
function skipLines(results: readonly Result[]): string[] {
  return results.flatMap(({ file, skips }) => {
    const counts = new Map<string, number>()
    for (const { reason } of skips) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    return [...counts].map(([reason, count]) => `  ${count} in ${file}: ${reason}`)
  })
}

process.exitCode = await main(process.argv.slice(2))
