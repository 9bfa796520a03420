// The examples of the README, typed and run as they stand there.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
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
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', example('a test runs this')],
    { cwd: ROOT, encoding: 'utf8' })
  t.match({ status, stdout, stderr }, { status: 0, stdout: /^listening on port \d+\n$/, stderr: '' })
})
