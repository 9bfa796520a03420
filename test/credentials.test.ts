// The file of users: what it may look like, who is let in, and what is said of one that will not do.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Credentials } from '../src/secrets/credentials.js'
import { MemslabError, systemError } from '../src/errors.js'
import './support/fresh.js'

function fileOf(t: Test, content: string | Uint8Array): string {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'users')
  writeFileSync(path, content)
  return path
}

function accepts(credentials: Credentials, name: string, password: string): boolean {
  return credentials.accepts(Buffer.from(name, 'latin1'), Buffer.from(password, 'latin1'))
}

t.test('a user is let in with its own password only', async t => {
  const users = new Credentials(fileOf(t, 'anna:secret\nbob:two words\n'))
  t.ok(accepts(users, 'anna', 'secret'))
  t.ok(accepts(users, 'bob', 'two words'))
  for (const [name, password] of [
    ['anna', 'two words'], ['anna', 'secre'], ['anna', 'secret '], ['anna', 'Secret'], ['anna', ''],
    ['ann', 'asecret'], ['annas', 'ecret'], ['', 'secret'], ['', ''], ['carl', 'secret'],
  ] as const) t.notOk(accepts(users, name, password), `"${name}" with "${password}"`)
})

t.test('the name ends at the first colon', async t => {
  const users = new Credentials(fileOf(t, 'a:b:c\n:only a password\nonly a name:\n'))
  t.ok(accepts(users, 'a', 'b:c'))
  t.notOk(accepts(users, 'a:b', 'c'))
  t.ok(accepts(users, '', 'only a password'))
  t.ok(accepts(users, 'only a name', ''))
})

t.test('names and passwords are bytes', async t => {
  const everyByte = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte)).join('').replace(/[\r\n:]/g, '')
  const users = new Credentials(fileOf(t, Buffer.from(`${everyByte}:${everyByte}\n`, 'latin1')))
  t.ok(accepts(users, everyByte, everyByte))
  t.notOk(accepts(users, everyByte, everyByte.slice(1)))
})

t.test('lines may end as on Windows, and the last need not end', async t => {
  const users = new Credentials(fileOf(t, 'a:one\r\nb:two\rx\rx\r\nc:three'))
  t.ok(accepts(users, 'a', 'one'))
  t.ok(accepts(users, 'b', 'two'))
  t.ok(accepts(users, 'c', 'three'))
})

t.test('a name on two lines has two passwords', async t => {
  const users = new Credentials(fileOf(t, 'a:old\na:new\n'))
  t.ok(accepts(users, 'a', 'old'))
  t.ok(accepts(users, 'a', 'new'))
})

t.test('there may be many users, and long ones', async t => {
  const long = 'p'.repeat(5000)
  const users =
    new Credentials(fileOf(t, Array.from({ length: 1000 }, (_, i) => `user-${i}:pass-${i}\n`).join('') + `long:${long}\n`))
  t.ok(accepts(users, 'user-0', 'pass-0'))
  t.ok(accepts(users, 'user-999', 'pass-999'))
  t.notOk(accepts(users, 'user-999', 'pass-998'))
  t.ok(accepts(users, 'long', long))
})

t.test('an empty file lets nobody in', async t => {
  t.notOk(accepts(new Credentials(fileOf(t, '')), '', ''))
})

t.test('a line that is no entry is refused, and which one is told', async t => {
  for (const content of ['nobody\n', 'a:b\n\nc:d\n', '\n', 'a:b\n# a comment\n', 'a:b\nc']) {
    t.throws(() => new Credentials(fileOf(t, content)),
      /^Authfile \[.*\] has a malformed entry\. Should be 'user:password' \(line [12]\)$/,
      JSON.stringify(content))
  }
})

t.test('a file that cannot be read is refused', async t => {
  const missing = join(fileOf(t, ''), '..', 'missing')
  t.throws(() => new Credentials(missing), systemError('ENOENT',
    `Could not open authfile [${missing}] for reading, error ENOENT: no such file or directory, open '${missing}'`))
  t.throws(() => new Credentials(tmpdir()), { code: 'EISDIR' })
  t.throws(() => new Credentials('a\0b'), MemslabError)
})

t.test('a file that never ends is refused', { skip: process.platform === 'win32' && 'there is no /dev/zero' }, async t => {
  t.throws(() => new Credentials('/dev/zero'), { code: 'EFBIG' })
})

t.test('a reload that would leave nobody, or would wait, leaves the users as they were', async t => {
  const path = fileOf(t, 'anna:secret\n')
  const users = new Credentials(path)
  writeFileSync(path, '')
  t.throws(() => users.reload(), /has no users$/)
  rmSync(path)
  t.throws(() => users.reload(), { code: 'ENOENT' })
  mkdirSync(path)
  t.throws(() => users.reload(), /cannot be read again, it is not a file$/)
  t.ok(accepts(users, 'anna', 'secret'))
})

t.test('reload takes the users of the file as it is now', async t => {
  const path = fileOf(t, 'anna:secret\n')
  const users = new Credentials(path)
  writeFileSync(path, 'anna:changed\nbob:new\n')
  t.ok(accepts(users, 'anna', 'secret'), 'not before it is asked to')
  users.reload()
  t.notOk(accepts(users, 'anna', 'secret'))
  t.ok(accepts(users, 'anna', 'changed'))
  t.ok(accepts(users, 'bob', 'new'))
})

t.test('reload of a bad file keeps the users', async t => {
  const path = fileOf(t, 'anna:secret\n')
  const users = new Credentials(path)
  writeFileSync(path, 'bob:new\nnonsense\n')
  t.throws(() => users.reload(), /malformed/)
  rmSync(path)
  t.throws(() => users.reload(), { code: 'ENOENT' })
  t.ok(accepts(users, 'anna', 'secret'))
  t.notOk(accepts(users, 'bob', 'new'))
})
