// The script that tries the tests, on a project of one file and one test.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { Test } from 'tap'

import { until } from '../support/patience.js'
import { inProject } from '../support/places.js'

const skip = process.platform !== 'linux' && 'what processes do is read from /proc, which only Linux has'
const SOURCE = `export function sum(a, b) {
    return a + b;
}
export function isLarge(number) {
    return number > 100;
}
export function isIdle() {
    return 0 > 1;
}
`
const TEST = `import { writeFileSync } from 'node:fs'
import t from 'tap'
import { isLarge, sum } from '../../src/store/sum.js'
if (sum(1, 2) !== 3 && process.env.HANGS) {
  writeFileSync(process.env.HANGS, String(process.pid))
  await new Promise(resolve => setTimeout(resolve, 1e8))
}
t.equal(sum(1, 2), 3)
t.ok(isLarge(1000))
t.notOk(isLarge(1))
`
const EQUIVALENT = `# a remark

store/sum.js isLarge
- return number > 100;
+ return number > 101;
because nobody has exactly 101
`

/** As the compiler writes it. */
const MODULE = `"use strict";
Object.defineProperty(exports, "__esModule", { value: true });
exports.act = exports.MAX = void 0;
exports.act = act;
const other_js_1 = require("./other.js");
exports.MAX = 5;
function act(n) {
    (0, other_js_1.assert)(n > 3, \`\${n + 1} are too few\`);
    (0, other_js_1.note)(0);
    throw new other_js_1.OtherError(n + 1);
}
`

/** A folder with all that the script needs. */
function project(t: Test): string {
  const folder = t.testdir({
    'package.json': '{ "type": "module" }',
    dist: { store: { 'sum.js': SOURCE } },
    'dist-test': { test: { store: { 'sum.test.js': TEST } } },
    test: { mutate: {} },
    tmp: {},
  })
  for (const name of ['mutate', 'support']) {
    cpSync(inProject(`dist-test/test/${name}`), join(folder, 'dist-test/test', name), { recursive: true })
  }
  symlinkSync(inProject('node_modules'), join(folder, 'node_modules'), 'junction')
  return folder
}

function start(folder: string, words: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(process.execPath, [join(folder, 'dist-test/test/mutate/mutate.js'), ...words],
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TMPDIR: join(folder, 'tmp'), ...env } })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', text => { said += String(text) })
  const ended = once(child, 'close').then(() => said)
  return { child, ended }
}

t.test('a change that a test notices is killed, one that none does is listed', { skip }, async t => {
  const said = await start(project(t), ['--jobs', '1']).ended
  t.match(said, 'killed by store/sum.test.js: store/sum.js:2: return a + b; -> return a - b;')
  t.match(said, 'SURVIVED 1 tests: store/sum.js:5: return number > 100; -> return number >= 100;')
  t.match(said, '\n5 store/sum.js isLarge\n- return number > 100;\n+ return number >= 100;\n')
  t.match(said, 'SURVIVED 0 tests: store/sum.js:8: return 0 > 1; -> return 0 >= 1;', 'what no test runs')
  t.match(said, '1 of 6 changes killed, 5 survived, 0 are known to make no difference')
})

t.test('a change that makes no difference does not count', { skip }, async t => {
  const folder = project(t)
  writeFileSync(join(folder, 'test/mutate/equivalents.txt'), EQUIVALENT)
  t.match(await start(folder, ['--jobs', '1']).ended, '1 of 5 changes killed, 4 survived, 1 are known to make no difference')
})

t.test('a listed change that cannot be made is named, and nothing is tried', async t => {
  const folder = project(t)
  const moved = EQUIVALENT.replace('return number > 100', 'return number > 200')
  writeFileSync(join(folder, 'test/mutate/equivalents.txt'), `${EQUIVALENT}\n${moved}\n${EQUIVALENT.replace('sum.js', 'gone.js')}`)
  const { child, ended } = start(folder, ['--jobs', '1'])
  const said = await ended
  t.match(said, 'store/sum.js isLarge\n- return number > 200;\n+ return number > 101;\n\nstore/gone.js isLarge\n')
  t.notMatch(said, '- return number > 100;\n+ return number > 101;\n\nstore/sum.js', 'what can be made is not named')
  t.notMatch(said, /killed|survived/i)
  t.equal(child.exitCode, 1)
})

t.test('what the compiler adds to a CommonJS module, and what an assert says, is left alone', async t => {
  const folder = project(t)
  writeFileSync(join(folder, 'dist/store/sum.js'), MODULE)
  const said = await start(folder, ['--list']).ended
  t.same(said.match(/^[-+] .*$/gm)?.sort(), [
    '+ (0, other_js_1.note)(1);',
    '+ ;',
    '+ exports.MAX = 0;',
    '- (0, other_js_1.note)(0);',
    '- (0, other_js_1.note)(0);',
    '- exports.MAX = 5;',
  ])
})

t.test('what has survived is tried again on its own', { skip }, async t => {
  const folder = project(t)
  const report = join(folder, 'report')
  writeFileSync(report, '5 store/sum.js isLarge\n- return number > 100;\n+ return number > 101;\n')
  t.match(await start(folder, ['--jobs', '1', '--again', report]).ended, '0 of 1 changes killed, 1 survived')
})

t.test('the same seed draws the same changes, another one others', async t => {
  const folder = project(t)
  const listed = async (seed: string) => await start(folder, ['--list', '--count', '3', '--seed', seed]).ended
  const first = await listed('1')
  t.equal(first.match(/^- /gm)?.length, 3)
  t.equal(await listed('1'), first)
  t.not(await listed('2'), first)
})

t.test('interrupted, it says what it has found, and leaves nothing behind', { skip }, async t => {
  const folder = project(t)
  const pidFile = join(folder, 'pid')
  const { child, ended } = start(folder, ['--jobs', '1'], { HANGS: pidFile })
  await until('a test hangs', () => existsSync(pidFile) && readFileSync(pidFile, 'utf8') !== '')
  child.kill('SIGINT')
  t.match(await ended, /ended by SIGINT/)
  t.equal(child.exitCode, 1)
  await until('the test has ended', () => !existsSync(`/proc/${readFileSync(pidFile, 'utf8')}`))
  t.same(readdirSync(join(folder, 'tmp')), [])
  t.equal(readFileSync(join(folder, 'dist/store/sum.js'), 'utf8'), SOURCE)
})

t.test('a change that makes a test hang is killed', { skip }, async t => {
  const folder = project(t)
  const said = await start(folder, ['--jobs', '1'], { HANGS: join(folder, 'pid') }).ended
  t.match(said, 'killed by store/sum.test.js: store/sum.js:2: ')
})
