// The examples of the README, typed and run as they stand there.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { PROTOCOL_VERSION } from '../src/version.js'
import { Client } from './support/client.js'
import { folder, start, untilKnown } from './support/command.js'
import { until } from './support/patience.js'
import { ROOT } from './support/places.js'

const README = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The code blocks of the README that stand behind a comment. */
function example(comment: string): string {
  const block = new RegExp(`<!-- ${comment} -->\\n\`\`\`\\w+\\n([^]*?)\`\`\``).exec(README)?.[1]
  if (block === undefined) throw new Error(`the README has no example behind "${comment}"`)
  return block
}

t.test('the telnet session of the README', async t => {
  const { port } = await start(t)
  const client = await Client.connect({ port, host: '127.0.0.1' })
  for (const [typed, answers] of exchanges(example('a test types this'))) {
    if (typed === 'quit\r\n') void client.send(typed)
    else await client.says(typed, answers)
  }
  await client.expectClosed()
})

t.test('the password of the README, and a server that wants one', async t => {
  const users = join(folder(t), 'users')
  writeFileSync(users, 'anna:secret\n')
  const { child, output, ended, port } = await start(t, ['-Y', users])
  const client = await Client.connect({ port, host: '127.0.0.1' })
  await client.says('get auth\r\n', 'CLIENT_ERROR unauthenticated\r\n')
  for (const [typed, answers] of exchanges(example('a test types this, with -Y'))) await client.says(typed, answers)

  writeFileSync(users, 'no password\n')
  child.kill('SIGHUP')
  await until('it complains', () => output.stderr !== '')
  t.match(output.stderr, /^[^\n]*users[^\n]*\n$/)
  await client.says('version\r\n', `VERSION ${PROTOCOL_VERSION}\r\n`)

  writeFileSync(users, 'anna:changed\n')
  child.kill('SIGHUP')
  await untilKnown(await Client.connect({ port, host: '127.0.0.1' }), 'anna changed')
  await client.says('get auth\r\n', 'END\r\n')
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

/** What is typed until an answer comes, and the answer. */
function exchanges(session: string): [typed: string, answers: string][] {
  const parts = session.matchAll(/((?:^> .*\n)+)((?:^(?!> ).*\n)*)/gm)
  const lines = (text = '') => text.replaceAll(/^> /gm, '').replaceAll('\n', '\r\n')
  return [...parts].map(([, typed, answers]) => [lines(typed), lines(answers)])
}

t.test('the embedding example of the README', async t => {
  t.match(run(example('a test runs this')), { status: 0, stdout: /^listening on port \d+\n$/, stderr: '' })
})

t.test('the example of the README for threads', async t => {
  t.match(run(example('a test runs this, with a thread')), { status: 0, stdout: 'Anna 2\n', stderr: '' })
})

t.test('the example of the README for tests', async t => {
  t.match(run(example('a test runs this as well')),
    { status: 0, stdout: /^null\nMemJS SET: Out of memory\nnot stored\nset session, get session, set session\n$/ })
})

for (const folder of ['testing', 'embed']) t.test(`the examples of src/${folder}/README.md`, async t => {
  const page = readFileSync(join(ROOT, `src/${folder}/README.md`), 'utf8')
  const examples = [...page.matchAll(/<!-- a test runs this, which prints "(.*)" -->\n```js\n([^]*?)```/g)]
  t.equal(examples.length, page.match(/<!-- a test/g)?.length)
  for (const [, prints = '', program = ''] of examples) {
    t.match(run(program), { status: 0, stdout: new RegExp(`^${prints.replace(/[.?*+^$[\]\\(){}|]/g, '\\$&')}\n$`) }, prints)
  }
})

function run(program: string): { status: number | null, stdout: string, stderr: string } {
  return spawnSync(process.execPath, ['--input-type=module', '-e', program], { cwd: ROOT, encoding: 'utf8' })
}

const PAGES = ['README.md', 'CHANGELOG.md', ...['src', 'test', 'bench'].flatMap(pagesIn)]

function pagesIn(folder: string): string[] {
  const names = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
  return names.filter(name => /(^|[\\/])README\.md$/.test(name)).map(name => join(folder, name))
}

t.test('every link of every page leads to a file, and to a heading or an anchor in it', async t => {
  const broken = PAGES.flatMap(page => linksOf(page).filter(({ path, anchor }) => !leadsSomewhere(path, anchor))
    .map(({ path, anchor }) => `${page}: ${path}#${anchor}`))
  t.same(broken, [])
  t.ok(PAGES.includes(join('src', 'options', 'README.md')), 'all pages were looked at')
})

t.test('a page of the package links to other pages of the package alone', async t => {
  const { files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { files: string[] }
  const pages = ['README.md', ...files.filter(file => file.endsWith('.md'))]
  const missing = pages.flatMap(page => linksOf(page).map(({ path }) => path).filter(path => !pages.includes(path)))
  t.same(missing, [])
})

/** The links of a page to other files of the project. */
function linksOf(page: string): { path: string, anchor: string }[] {
  const text = readFileSync(join(ROOT, page), 'utf8').replace(/^```[^]*?^```/gm, '')
  const targets = [...text.matchAll(/\]\((?!https?:)([^)#]*)#?([^)]*)\)/g)]
  return targets.map(([, path = '', anchor = '']) => ({ path: path === '' ? page : join(dirname(page), path), anchor }))
}

function leadsSomewhere(path: string, anchor: string): boolean {
  if (!existsSync(join(ROOT, path))) return false
  return anchor === '' || anchorsOf(readFileSync(join(ROOT, path), 'utf8')).includes(anchor)
}

/** As GitHub makes them of headings, and those that are set by hand. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(match =>
    match[1]!.toLowerCase().replace(/[^\w\- ]/g, '').replaceAll(' ', '-'))
  return [...headings, ...[...text.matchAll(/<a id="([^"]+)">/g)].map(match => match[1]!)]
}
