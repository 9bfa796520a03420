// How test files are run: what counts as a failure besides those that they tell of, and that nothing is left of them.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import t from 'tap'

import { runFile } from './job.js'
import { kin, ownMark } from './kin.js'
import { MARK } from './mark.js'
import { until } from './patience.js'
import { inProject } from './places.js'

const skip = process.platform !== 'linux' && 'what processes do is read from /proc, which only Linux has'
const SAMPLE = 'test/support/sample.ts'

/** What came of it, and the names of its failures. */
async function run(sample: string, silenceMs?: number) {
  process.env['MEMSLAB_SAMPLE'] = sample
  const mark = `${ownMark}/${sample}`
  const { passed, failures } = await runFile(SAMPLE, mark, silenceMs)
  await until('nothing is left of it', () => kin(mark).length === 0)
  return { passed, failures: failures.map(({ name }) => name) }
}

t.test('a file that ends well is as it says', async t => {
  t.same(await run('ends well'), { passed: 1, failures: [] })
})

t.test('a failure is told once', async t => {
  t.same(await run('fails'), { passed: 1, failures: ['two is one'] })
})

t.test('a file that does not come to its end has failed', async t => {
  t.match(await run('breaks off'),
    { passed: 1, failures: ['it broke off after 1 tests, in: the second; it ended with exit code 3'] })
})

t.test('what a file leaves running is ended, and a failure', { skip }, async t => {
  t.match(await run('leaves a process behind'), { passed: 1, failures: [/^it left running: .*node -e set/] })
})

t.test('what a file that is killed has started is ended', { skip }, async t => {
  t.match(await run('is killed'), { failures: [/it ended with SIGKILL$/] })
})

t.test('a file that sleeps is ended', { skip }, async t => {
  t.match(await run('sleeps', 1000), { failures: [/^it was silent for 1 seconds in which nobody worked; .*SIGKILL$/] })
})

t.test('nothing outlives a file that is run alone and killed', { skip }, async t => {
  const { [MARK]: _, ...env } = process.env
  const child = spawn(process.execPath, [inProject(`dist-test/${SAMPLE.replace('.ts', '.js')}`)],
    { stdio: ['ignore', 'pipe', 'ignore'], env: { ...env, MEMSLAB_SAMPLE: 'sleeps' } })
  let said = ''
  child.stdout.on('data', text => { said += String(text) })
  await until('it has started a process', () => /sleeper \d+/.test(said))
  const folder = `/proc/${/sleeper (\d+)/.exec(said)?.[1]}`
  t.ok(existsSync(folder))
  child.kill('SIGKILL')
  await until('the process ends', () => !existsSync(folder))
})
