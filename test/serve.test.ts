// A server's life as a process: the signals and the command that end it, its files, its user, and as a daemon.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { becomeUser } from '../src/process/user.js'
import { Client } from './support/client.js'
import { folder, pidIn, run, start, untilKnown } from './support/command.js'
import { until } from './support/patience.js'
import { CLI } from './support/places.js'

const isRoot = process.getuid?.() === 0

t.test('signals end it with exit code 0 and memcached\'s words', async t => {
  for (const [signal, args, words] of [
    ['SIGINT', [], ''],
    ['SIGTERM', ['-v'], 'Exiting normally\n'],
    ['SIGUSR1', [], 'Gracefully stopping\n'],
  ] as const) {
    const { child, output, ended, port } = await start(t, args)
    const idle = await Client.connect({ port, host: '127.0.0.1' })
    child.kill(signal)
    t.equal(await ended, 0, signal)
    t.ok(output.stderr.endsWith(words), `${signal}: ${output.stderr}`)
    idle.stream.destroy()
  }
})

t.test('the shutdown command ends it', async t => {
  for (const [command, words] of [['shutdown', ''], ['shutdown graceful', 'Gracefully stopping\n']] as const) {
    const { output, ended, port } = await start(t, ['-A'])
    const client = await Client.connect({ port, host: '127.0.0.1' })
    void client.send(`${command}\r\n`)
    t.equal(await ended, 0, command)
    t.equal(output.stderr, words, command)
  }
})

t.test('a Unix socket has the mask of -a and is gone when the server ends', async t => {
  const path = join(folder(t), 'socket')
  const child = spawn(process.execPath, [CLI, '-s', path, '-a', '750'], { stdio: 'inherit' })
  t.teardown(() => child.kill('SIGKILL'))
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  await until('the socket answers', () => existsSync(path) && (statSync(path).mode & 0o777) === 0o750)
  const client = await Client.connect({ path })
  await client.says('get nothing\r\n', 'END\r\n')
  client.stream.destroy()
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.notOk(existsSync(path))
})

t.test('a signal that comes before the server is loaded ends it all the same, and nothing stays', async t => {
  for (const threads of ['1', '2']) {
    const place = folder(t)
    const child = spawn(process.execPath, [CLI, '-s', join(place, 'socket'), '-t', threads], { stdio: 'inherit' })
    t.teardown(() => child.kill('SIGKILL'))
    const ended = new Promise<unknown>(resolve => child.once('close', (...how) => resolve(how)))
    // the draft of its socket
    await until('it begins to listen', () => readdirSync(place).length > 0)
    child.kill('SIGHUP')
    child.kill('SIGTERM')
    t.same(await ended, [0, null])
    t.same(readdirSync(place), [])
  }
})

t.test('-P saves the process id and -d returns when the daemon listens', async t => {
  const place = folder(t)
  const pidFile = join(place, 'pid')
  const path = join(place, 'socket')
  t.same(run('-d', '-s', path, '-P', pidFile), { code: 0, stdout: '', stderr: '' })
  const pid = pidIn(pidFile)
  const client = await Client.connect({ path })
  await client.says('get nothing\r\n', 'END\r\n')
  client.stream.destroy()
  process.kill(pid, 'SIGHUP')
  process.kill(pid, 'SIGTERM')
  await until('its files are gone', () => !existsSync(pidFile) && !existsSync(path))
})

t.test('paths given to a daemon are meant from where it was started', async t => {
  const place = folder(t)
  writeFileSync(join(place, 'users'), 'anna:secret\n')
  const { status } = spawnSync(process.execPath, [CLI, '-d', '-s', 'socket', '-P', 'pid', '-Y', 'users'],
    { cwd: place, stdio: 'ignore' })
  t.equal(status, 0)
  const pid = pidIn(join(place, 'pid'))
  writeFileSync(join(place, 'users'), 'anna:changed\n')
  process.kill(pid, 'SIGHUP')
  const client = await Client.connect({ path: join(place, 'socket') })
  await untilKnown(client, 'anna changed')
  client.stream.destroy()
  process.kill(pid, 'SIGTERM')
  await until('its files are gone', () => !existsSync(join(place, 'pid')) && !existsSync(join(place, 'socket')))
})

t.test('a pid file in use is worth a warning, one that cannot be written is not the end', async t => {
  const pidFile = join(folder(t), 'pid')
  writeFileSync(pidFile, `${process.pid}\n`)
  const first = await start(t, ['-P', pidFile])
  t.equal(pidIn(pidFile), first.child.pid)
  writeFileSync(pidFile, '1\n')
  first.child.kill('SIGTERM')
  t.equal(await first.ended, 0)
  t.match(first.output.stderr, `WARNING: The pid file contained the following (running) pid: ${process.pid}\n`)
  t.equal(pidIn(pidFile), 1, 'another server\'s file stays')

  const second = await start(t, ['-P', '/nowhere/pid'])
  second.child.kill('SIGTERM')
  t.equal(await second.ended, 0)
  t.match(second.output.stderr, /^could not write "\/nowhere\/pid": .*\n$/)
})

t.test('-u', { skip: !isRoot && 'only root can change the user' }, async t => {
  for (const args of [[], ['-d']]) {
    t.same(run('-p', '-1', '-u', 'no-such-user', ...args),
      { code: 67, stdout: '', stderr: 'can\'t find the user no-such-user to switch to\n' })
  }
  const { status, stdout } = spawnSync('id', ['-u', 'nobody'], { encoding: 'utf8' })
  if (status !== 0) return
  const { child, ended, portFile } = await start(t, ['-u', 'nobody'])
  t.equal(statSync(portFile).uid, Number(stdout), 'the user has changed')
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

t.test('-u is a warning for those who cannot change the user', async t => {
  t.intercept(process, 'getuid', { value: () => 1000 })
  const lines: string[] = []
  becomeUser('no-such-user', line => lines.push(line))
  t.match(lines, [/^WARNING: -u.*no effect/])
  t.equal(lines.length, 1)
})
