// When a Unix socket gets its name, and what becomes of what has that name already.
import {
  existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { removeSocket, UnixSocket } from '../../src/net/unix.js'
import '../support/fresh.js'

const BACKLOG = 16
/** What Linux allows. */
const PATH_BYTES = 107

/** Not in the test's own folder: a socket's path may have some hundred bytes at most. */
function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

async function open(t: Test, path: string, mask = 0o700): Promise<UnixSocket> {
  const socket = await UnixSocket.open(path, mask, BACKLOG)
  t.teardown(() => socket.listener.close())
  return socket
}

function canConnect(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path).on('connect', () => {
      socket.destroy()
      resolve(true)
    }).on('error', () => resolve(false))
  })
}

function closed(listener: Server): Promise<unknown> { return new Promise(resolve => listener.close(resolve)) }

/** A socket file at which nobody listens any more: closing takes a file along, unless it has got another name. */
async function leaveBehind(path: string): Promise<void> {
  const listener = createServer().listen(`${path}.draft`)
  await new Promise(resolve => listener.once('listening', resolve))
  renameSync(`${path}.draft`, path)
  await closed(listener)
}

t.test('it has its name and its mask once it is published, and leaves nothing else', async t => {
  const place = folder(t)
  const path = join(place, 'socket')
  const socket = await open(t, path, 0o750)
  t.notOk(existsSync(path))
  t.equal(statSync(join(place, readdirSync(place)[0]!)).mode & 0o777, 0o700, 'nobody else comes by it')
  await socket.publish()
  t.equal(statSync(path).mode & 0o777, 0o750)
  t.same(readdirSync(place), ['socket'])
  t.ok(await canConnect(path))
  await socket.publish()
  removeSocket(path, socket.file)
  t.same(readdirSync(place), [])
})

t.test('one that is not published leaves nothing', async t => {
  const place = folder(t)
  const socket = await open(t, join(place, 'socket'))
  await closed(socket.listener)
  socket.discard()
  t.same(readdirSync(place), [])
})

t.test('a file at which somebody answers is not taken away', async t => {
  const path = join(folder(t), 'socket')
  const first = await open(t, path)
  await first.publish()
  const inUse = { code: 'EADDRINUSE', message: `failed to listen on UNIX socket ${path}: Address already in use` }
  await t.rejects(UnixSocket.open(path, 0o700, BACKLOG), inUse)
  t.ok(await canConnect(path))
})

t.test('nor where he has come while this one started', async t => {
  const place = folder(t)
  const path = join(place, 'socket')
  const late = await open(t, path)
  await (await open(t, path)).publish()
  const before = statSync(path).ino
  await t.rejects(late.publish(), { code: 'EADDRINUSE' })
  late.discard()
  t.equal(statSync(path).ino, before)
  t.same(readdirSync(place), ['socket'])
})

t.test('of those who come at once one gets the place, whatever was left there', async t => {
  const place = folder(t)
  const path = join(place, 'socket')
  for (const isLeft of [false, true]) {
    if (isLeft) await leaveBehind(path)
    const sockets = await Promise.all(Array.from({ length: 4 }, () => open(t, path)))
    const published = await Promise.allSettled(sockets.map(socket => socket.publish()))
    const refused = published.filter(outcome => outcome.status === 'rejected')
    t.equal(refused.length, 3)
    for (const { reason } of refused) t.match(reason, { code: 'EADDRINUSE' })
    for (const socket of sockets) socket.discard()
    t.same(readdirSync(place), ['socket'])
    t.equal(sockets.filter(({ file }) => file === `${statSync(path).dev} ${statSync(path).ino}`).length, 1)
    rmSync(path)
  }
})

t.test('a file at which nobody answers is replaced, once somebody does', async t => {
  const path = join(folder(t), 'socket')
  await leaveBehind(path)
  t.ok(existsSync(path))
  const socket = await open(t, path)
  t.notOk(await canConnect(path), 'it is still the old one')
  await socket.publish()
  t.ok(await canConnect(path))
})

t.test('what is no socket stays', async t => {
  const path = join(folder(t), 'socket')
  writeFileSync(path, 'something else')
  await t.rejects(UnixSocket.open(path, 0o700, BACKLOG), { code: 'EADDRINUSE' })
  t.equal(readFileSync(path, 'utf8'), 'something else')
})

t.test('a server removes its own file alone', async t => {
  const path = join(folder(t), 'socket')
  const first = await open(t, path)
  await first.publish()
  rmSync(path)
  const second = await open(t, path)
  await second.publish()
  removeSocket(path, first.file)
  t.ok(existsSync(path))
})

t.test('a path that has no room for more can be as long as it may be', async t => {
  const place = folder(t)
  const path = join(place, 'x'.repeat(PATH_BYTES - 5 - place.length - 1), 'sock')
  mkdirSync(join(path, '..'))
  t.equal(path.length, PATH_BYTES)
  const socket = await open(t, path)
  await socket.publish()
  t.ok(await canConnect(path))
})

t.test('a dead file that somebody else removes meanwhile is not missed', async t => {
  const path = join(folder(t), 'socket')
  await leaveBehind(path)
  const socket = await open(t, path)
  const published = socket.publish()
  rmSync(path)
  await published
  t.ok(await canConnect(path))
})
