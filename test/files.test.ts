// The pid file and the port file: what else is in their folder is safe from them, and they are whole or not there.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  closeSync, copyFileSync, existsSync, lstatSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, statSync,
    symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { writePidFile, writePortFile } from '../src/process/files.js'
import { Client } from './support/client.js'
import { folder, pidIn, run, start } from './support/command.js'
import { until } from './support/patience.js'
import { CLI } from './support/places.js'

const isLinux = process.platform === 'linux'
const linuxAlone = { skip: !isLinux && 'only Linux has it' }
const PORTS = [{ transport: 'TCP', family: 'IPv4', port: 11211 }]

/** Tries to write both files under that name; answers what it has been told, a line for each. */
function write(path: string): string[] {
  const lines: string[] = []
  writePidFile(path, line => lines.push(line))
  writePortFile(path, PORTS, line => lines.push(line))
  return lines
}

t.test('what a link in their folder leads to stays as it is', async t => {
  const place = folder(t)
  const victim = join(folder(t), 'victim')
  // not even read, or there were a warning
  writeFileSync(victim, `${process.pid}\n`)
  // under the names that a draft might have too
  for (const name of ['pid', 'pid.tmp', 'ports', 'ports.tmp', 'ports.lck']) symlinkSync(victim, join(place, name))
  const pidFile = join(place, 'pid')
  const { child, ended, output } = await start(t, ['-P', pidFile])
  writePortFile(join(place, 'ports'), PORTS, line => t.fail(line))
  t.equal(pidIn(victim), process.pid)
  t.equal(pidIn(pidFile), child.pid)
  t.equal(readFileSync(join(place, 'ports'), 'utf8'), 'TCP INET: 11211\n')
  for (const name of ['pid', 'ports']) t.ok(lstatSync(join(place, name)).isFile(), `${name} is a file of its own`)
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.same(readdirSync(place), ['pid.tmp', 'ports', 'ports.lck', 'ports.tmp'])
  t.equal(output.stderr, '')
})

t.test('a link that leads nowhere is replaced, and nothing comes into being where it led', async t => {
  const place = folder(t)
  const path = join(place, 'file')
  symlinkSync(join(place, 'elsewhere'), path)
  t.same(write(path), [])
  t.same(readdirSync(place), ['file'])
  t.equal(readFileSync(path, 'utf8'), 'TCP INET: 11211\n')
})

t.test('what is no file stays, and is worth a line', linuxAlone, async t => {
  const place = folder(t)
  const at = (name: string): string => join(place, name)
  mkdirSync(at('folder'))
  execFileSync('mkfifo', [at('pipe')])
  // what /dev/stdout is a link to, where the output goes to a file
  const output = openSync(join(folder(t), 'output'), 'w')
  t.teardown(() => closeSync(output))
  const links = { 'to-folder': at('folder'), 'to-pipe': at('pipe'), 'to-device': '/dev/null',
    'to-output': `/proc/self/fd/${output}` }
  for (const [name, target] of Object.entries(links)) symlinkSync(target, at(name))
  const before = readdirSync(place)
  for (const name of before) {
    const what = name.includes('folder') ? 'a folder' : 'not a file'
    t.same(write(at(name)), Array(2).fill(`could not write "${at(name)}": it is ${what}`), name)
    t.notOk(lstatSync(at(name)).isFile(), name)
  }
  t.same(readdirSync(place), before)
})

t.test('nor is anything written where nobody may, or where there is no folder', linuxAlone, async t => {
  for (const [path, why] of [
    ['/proc/self/fd/pid', /^ENOENT: [\w ]+$/], ['/nowhere/pid', /^ENOENT: [\w ]+$/], ['/dev/null/pid', /^ENOTDIR: [\w ]+$/],
  ] as const) {
    const [line = '', ...others] = write(path)
    t.equal(line.slice(0, `could not write "${path}": `.length), `could not write "${path}": `)
    t.match(line.slice(`could not write "${path}": `.length), why)
    t.same(others, [line])
  }
})

t.test('a server whose files cannot be written serves', linuxAlone, async t => {
  for (const threads of ['1', '2']) {
    const path = join(folder(t), 'folder')
    mkdirSync(path)
    const { child, ended, output, port } = await start(t, ['-P', path, '-t', threads])
    const client = await Client.connect({ port, host: '127.0.0.1' })
    await client.says('get nothing\r\n', 'END\r\n')
    client.stream.destroy()
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    t.same(output, { stdout: '', stderr: `could not write "${path}": it is a folder\n` })
    t.ok(statSync(path).isDirectory())
  }
})

t.test('where there is no room nothing is left behind, and what was there stays', linuxAlone, async t => {
  const place = folder(t)
  const [socket, pidFile, portFile] = ['socket', 'pid', 'ports'].map(name => join(place, name)) as [string, string, string]
  writeFileSync(pidFile, 'old\n')
  // the system refuses each byte that is written to a file, as on a full disk
  const child = spawn('sh', ['-c', 'ulimit -f 0; exec "$0" "$@"', process.execPath, CLI, '-s', socket, '-P', pidFile, '-t', '1'],
    { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', text => { said += text })
  await until('it has said so', () => said.includes('\n'))
  const client = await Client.connect({ path: socket })
  await client.says('get nothing\r\n', 'END\r\n')
  client.stream.destroy()
  t.same(readdirSync(place), ['pid', 'socket'])
  t.equal(readFileSync(pidFile, 'utf8'), 'old\n')
  t.match(said, new RegExp(`^could not write "${pidFile}": EFBIG: [\\w ]+\n$`))
})

t.test('others read them and do not write them, whatever the umask', linuxAlone, async t => {
  const path = join(folder(t), 'file')
  const umask = process.umask(0)
  t.teardown(() => process.umask(umask))
  t.same(write(path), [])
  t.equal(statSync(path).mode & 0o777, 0o644)
})

t.test('the pid file is there once clients are served, and not before', async t => {
  for (const threads of ['1', '2']) {
    const place = folder(t)
    const pidFile = join(place, 'pid')
    const child = spawn(process.execPath, [CLI, '-s', join(place, 'socket'), '-P', pidFile, '-t', threads], { stdio: 'inherit' })
    t.teardown(() => child.kill('SIGKILL'))
    await until('it has one', () => existsSync(pidFile))
    const client = await Client.connect({ path: join(place, 'socket') })
    await client.says('get nothing\r\n', 'END\r\n')
    client.stream.destroy()
  }
})

t.test('a start that fails leaves the pid file of another server alone', async t => {
  const pidFile = join(folder(t), 'pid')
  writeFileSync(pidFile, `${process.pid}\n`)
  const { port } = (await occupied(t)).address() as AddressInfo
  const { code, stderr } = run('-p', String(port), '-l', '127.0.0.1', '-P', pidFile)
  t.equal(code, 71)
  t.match(stderr, /^failed to listen on TCP port [^\n]*\n$/)
  t.equal(pidIn(pidFile), process.pid)
})

async function occupied(t: Test) {
  const other = createServer().listen(0, '127.0.0.1')
  t.teardown(() => other.close())
  await new Promise(resolve => other.once('listening', resolve))
  return other
}

t.test('a pid file is removed by the server that wrote it alone', async t => {
  const path = join(folder(t), 'pid')
  const silent = (line: string): void => { t.fail(line) }
  const remove = writePidFile(path, silent)
  // in a container of its own another server may have the same process id
  copyFileSync(path, `${path}.other`)
  renameSync(`${path}.other`, path)
  remove()
  t.equal(pidIn(path), process.pid)
  writePidFile(path, silent)()
  t.notOk(existsSync(path))

  writePidFile('/nowhere/pid', () => {})()
  const removeOverwritten = writePidFile(path, silent)
  writeFileSync(path, '1\n')
  removeOverwritten()
  t.equal(pidIn(path), 1)
})

t.test('a second signal, which ends a server at once, leaves no pid file', linuxAlone, async t => {
  const pidFile = join(folder(t), 'pid')
  const { child, ended } = await start(t, ['-P', pidFile])
  // so both come together
  child.kill('SIGSTOP')
  child.kill('SIGTERM')
  child.kill('SIGINT')
  child.kill('SIGCONT')
  t.equal(await ended, 0)
  t.notOk(existsSync(pidFile))
})

t.test('only a number that is the whole first word is a process id', async t => {
  const path = join(folder(t), 'pid')
  // a process that has ended, and whose id nobody has by now
  const { pid: dead } = spawnSync(process.execPath, ['-e', ''])
  for (const [text, expected] of [
    [`${process.ppid}\n`, process.ppid], [` ${process.ppid} memslab`, process.ppid], [`${process.ppid}x\n`, 0],
      [`-${process.ppid}\n`, 0],
    ['0\n', 0], ['', 0], ['pid\n', 0], [`${dead}\n`, 0],
  ] as const) {
    writeFileSync(path, text)
    const lines: string[] = []
    writePidFile(path, line => lines.push(line))
    const warning = `WARNING: The pid file contained the following (running) pid: ${expected}`
    t.same(lines, expected === 0 ? [] : [warning], JSON.stringify(text))
  }
})
