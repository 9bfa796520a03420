// The built command's command line: what it accepts and refuses, what it prints and where, its exit codes, where it listens.
import { once } from 'node:events'
import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join, relative } from 'node:path'
import t from 'tap'
import { helpText } from '../src/options/options.js'
import { packageVersion, PROTOCOL_VERSION } from '../src/version.js'
import { spawnServer } from './clients/server.js'
import { Client } from './support/client.js'
import { folder, run, start } from './support/command.js'
import { until } from './support/patience.js'
import { CLI, COMMAND, inProject } from './support/places.js'

if (!existsSync(CLI)) t.bailout('dist/cli.js is missing; npm test builds it first')

t.test('help, version and license go to stdout, and nothing to stderr', async t => {
  for (const flag of ['-h', '--help']) t.same(run(flag), { code: 0, stdout: helpText(), stderr: '' })
  const version = run('-V')
  t.same(version, { code: 0, stdout: `memslab ${packageVersion()} (memcached ${PROTOCOL_VERSION})\n`, stderr: '' })
  const license = run('-i')
  t.match(license, { code: 0, stdout: /MIT License/, stderr: '' })
  t.match(helpText(), /loopback only, 127\.0\.0\.1 and ::1.*\n.*-l 0\.0\.0\.0/)
})

t.test('help comes at once: nothing is loaded for it of what serves', async t => {
  // not a bound on time, which depends on the machine: what takes the time is to load modules
  const script = `
    const atStart = new Set(process.moduleLoadList)
    process.argv.splice(1, 0, ${JSON.stringify(COMMAND)})
    process.once('exit', () => console.error(JSON.stringify({
      own: Object.keys(require.cache), ofNode: process.moduleLoadList.filter(name => !atStart.has(name)),
    })))
    require(process.argv[1])`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=commonjs', '-e', script, '--', '-h'],
    { encoding: 'utf8' })
  t.equal(stdout, helpText())
  const { own, ofNode } = JSON.parse(stderr) as { own: string[], ofNode: string[] }
  const names = own.map(path => relative(inProject('dist'), path).replaceAll('\\', '/'))
  t.ok(names.includes('command.js'))
  t.same(names.filter(name => !/^(command|errors|stack|version|process\/interrupts|options\/\w+)\.js$/.test(name)), [])
  const slow = /^NativeModule (child_process|crypto|dgram|dns|http|https|tls|worker_threads|zlib)$/
  t.same(ofNode.filter(name => slow.test(name)), [])
})

for (const threads of ['1', '2']) {
  t.test(`the server lives though what it says does not fit on the disk, -t ${threads}`,
    { skip: !existsSync('/dev/full') && 'no /dev/full' }, async t => {
    const portFile = join(folder(t), 'ports')
    const full = openSync('/dev/full', 'w')
    const child = spawn(process.execPath, [CLI, '-p', '-1', '-vv', '-t', threads],
      { stdio: ['ignore', 'ignore', full], env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
    t.teardown(() => {
      child.kill('SIGKILL')
      closeSync(full)
    })
    await until('the server listens', () => existsSync(portFile) || child.exitCode !== null)
    t.equal(child.exitCode, null)
    const port = Number(/^TCP INET: (\d+)$/m.exec(readFileSync(portFile, 'utf8'))?.[1])
    const client = await Client.connect({ host: '127.0.0.1', port })
    await client.says('mn\r\n', 'MN\r\n')
    await client.hangUp()
  })
}

t.test('everything wrong is said in words on stderr, with exit code 64 and nothing opened', async t => {
  const path = join(folder(t), 'socket')
  const { code, stdout, stderr } = run('-s', path, '-z', '-m', 'x', '-t', '0', '-o', 'nope,hot_lru_pct=0', '-k')
  t.same([code, stdout], [64, ''])
  for (const part of ['-z', '"x"', '-t/--threads: must be from 1 to 256, not 0', 'nope', 'hot_lru_pct']) t.match(stderr, part)
  t.notMatch(stderr, '-k')
  t.notOk(existsSync(path))
})

t.test('contradictions of protocols, authentication and TLS are said like everything else', async t => {
  const { code, stdout, stderr } = run('-p', '-1', '-S', '-B', 'ascii', '-U', '-1', '-Z', '-l', 'notls:127.0.0.1,proto[auto]:::1',
    '-o', 'ssl_min_version=7', '-Y', 'users')
  t.same([code, stdout], [64, ''])
  for (const part of ['-S/--enable-sasl: ', '-U/--udp-port: clients', '-Z/--enable-ssl: ', '-o ssl_min_version: ']) {
    t.match(stderr, `memslab: ${part}`)
  }
})

t.test('a certificate that cannot be read is one line, and nothing is opened', async t => {
  const { code, stdout, stderr } = run('-p', '-1', '-Z', '-o', 'ssl_chain_cert=/nowhere/cert.pem')
  t.same([code, stdout], [64, ''])
  t.match(stderr, /^memslab: [^\n]*\/nowhere\/cert\.pem[^\n]*\nmemslab -h lists the options\n$/)
})

t.test('a file of users that cannot be read is one line and exit code 71', async t => {
  const users = join(folder(t), 'users')
  writeFileSync(users, 'no password\n')
  for (const path of ['/nowhere/users', users]) {
    for (const args of [['-Y', path], ['-S', '-Y', path]]) {
      const { code, stdout, stderr } = run('-p', '-1', ...args)
      t.same([code, stdout], [71, ''], args.join(' '))
      t.match(stderr, new RegExp(`^[^\\n]*\\[${path}\\][^\\n]*\\n$`), args.join(' '))
    }
  }
})

t.test('npm start and npx say where it listens, in a line', async t => {
  for (const env of [
    { npm_lifecycle_event: 'start', npm_lifecycle_script: 'node dist/cli.js', npm_package_name: 'memslab' },
    { npm_lifecycle_event: 'npx', npm_lifecycle_script: "'memslab' '-p' '-1'", npm_package_name: 'a program' },
  ]) {
    const server = await start(t, [], env)
    await until('a line', () => server.output.stderr.endsWith('\n'))
    const line = new RegExp(`^memslab .* listens on TCP 127\\.0\\.0\\.1:${server.port}\\b.*\n$`)
    t.match(server.output, { stdout: '', stderr: line })
  }
  // npx has started a program, which has started it
  const { child, output, ended } = await start(t, [], { npm_lifecycle_event: 'npx', npm_lifecycle_script: 'tap' })
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.same(output, { stdout: '', stderr: '' })
})

t.test('it says which free port it has taken, if no file is to say so', async t => {
  const child = spawn(process.execPath, [CLI, '--port', '-1', '-m', '16', '-t', '1'], {
    stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MEMCACHED_PORT_FILENAME: '' },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', text => { said += text })
  await until('a line', () => said.endsWith('\n'))
  const port = Number(/^memslab .* listens on TCP 127\.0\.0\.1:(\d+)\b.*\n$/.exec(said)?.[1])
  await (await Client.connect({ port, host: '127.0.0.1' })).says('version\r\n', `VERSION ${PROTOCOL_VERSION}\r\n`)
})

t.test('it listens on both loopback addresses, says which ports, and prints nothing', async t => {
  const { child, output, ended, ports, port } = await start(t)
  t.match(ports, /^TCP INET: \d+\n(TCP INET6: \d+\n)?$/)
  const client = await Client.connect({ port, host: '127.0.0.1' })
  await client.says('version\r\n', `VERSION ${PROTOCOL_VERSION}\r\n`)
  client.stream.destroy()
  child.kill('SIGHUP')
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.same(output, { stdout: '', stderr: '' })
})

t.test('-U opens UDP on loopback too, and says which ports', async t => {
  const { child, ended, ports } = await start(t, ['-U', '-1'])
  t.match(ports, /^TCP INET: \d+\n(TCP INET6: \d+\n)?UDP INET: \d+\n(UDP INET6: \d+\n)?$/)
  const socket = createSocket('udp4')
  const answer = new Promise<Buffer>(resolve => socket.once('message', resolve))
  socket.send('\x00\x01\x00\x00\x00\x01\x00\x00get greeting\r\n', Number(/UDP INET: (\d+)/.exec(ports)?.[1]), '127.0.0.1')
  t.equal((await answer).toString('latin1'), '\x00\x01\x00\x00\x00\x01\x00\x00END\r\n')
  socket.close()
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

t.test('options without effect are accepted with a line each', async t => {
  const { child, output, ended } = await start(t, ['-k', '-o', 'hash_algorithm=jenkins,ssl_key=k', '-m', '16'])
  child.kill('SIGINT')
  t.equal(await ended, 0)
  t.match(output.stderr, /^WARNING: -k.*\nWARNING: -o hash_algorithm.*\nWARNING: -o ssl_key: has no effect without -Z\n$/)
})

t.test('a line from a script for memcached starts, with a warning for what is doubtful in it', async t => {
  const { child, output, ended, port } = await start(t,
    ['memcached', '-m', '64m', '-U', 'off', '-S', '-o', 'modern=1,ext_threads=2', 'more'])
  const client = await Client.connect({ port, host: '127.0.0.1' })
  client.stream.destroy()
  child.kill('SIGTERM')
  t.equal(await ended, 0)
  t.match(output.stderr.split('\n'), [
    /^WARNING: "memcached" is ignored/, /^WARNING: -U.*"off" is read as 0$/, /^WARNING: -o modern: takes no value/,
    /^WARNING: -o modern: ignored/, /^WARNING: -o ext_threads: ignored/, /^WARNING: "more" is ignored/,
    /^WARNING: -S.*no client can log in/, '',
  ])
})

t.test('-p 0 alone listens nowhere, and waits for a signal', async t => {
  for (const threads of ['1', '2']) {
    const portFile = join(folder(t), 'ports')
    const child = spawn(process.execPath, [CLI, '-p', '0', '-v', '-t', threads],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
    t.teardown(() => child.kill('SIGKILL'))
    const ended = once(child, 'close')
    let said = ''
    child.stderr.on('data', text => { said += text })
    await until('it has started', () => said.split('\n').length === 4)
    t.match(said, /^WARNING: the server listens nowhere.*\n.* listens on nothing\n/)
    t.equal(readFileSync(portFile, 'utf8'), '', 'there are no ports')
    child.kill('SIGTERM')
    t.same(await ended, [0, null], `-t ${threads}`)
  }
})

t.test('-U without -p is the port of TCP too', async t => {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  await new Promise(resolve => probe.close(resolve))
  const portFile = join(folder(t), 'ports')
  const child = spawn(process.execPath, [CLI, '-U', String(port), '-l', '127.0.0.1', '-t', '1'],
    { stdio: 'ignore', env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
  t.teardown(() => child.kill('SIGKILL'))
  await until('it listens', () => existsSync(portFile))
  t.equal(readFileSync(portFile, 'utf8'), `TCP INET: ${port}\nUDP INET: ${port}\n`)
})

t.test('-v says at the start where it listens, and what it may take', async t => {
  const first = await start(t, ['-v', '-l', '127.0.0.1', '-U', '-1', '-m', '16', '-t', '1', '-c', '100'])
  const udpPort = /UDP INET: (\d+)/.exec(first.ports)?.[1]
  await until('it has said so', () => first.output.stderr.split('\n').length === 3)
  t.equal(first.output.stderr, `memslab ${packageVersion()} (memcached ${PROTOCOL_VERSION}) listens on ` +
    `TCP 127.0.0.1:${first.port}, UDP 127.0.0.1:${udpPort}\n` +
    '16m of memory for items of up to 1m, 1 thread, up to 100 connections\n')
  const path = join(folder(t), 'socket')
  const child = spawn(process.execPath, [CLI, '-s', path, '-v', '-t', '2'], { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  let said = ''
  child.stderr.on('data', text => { said += text })
  await until('the other has said so', () => said.split('\n').length === 3)
  t.match(said, ` listens on Unix socket ${path}\n64m of memory for items of up to 1m, 2 threads, up to 1024 connections\n`)
})

t.test('a port in use is one clear line and exit code 71', async t => {
  const other = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => other.once('listening', resolve))
  t.teardown(() => other.close())
  const { port } = other.address() as AddressInfo
  for (const args of [[], ['-d']]) {
    const { code, stdout, stderr } = run('-p', String(port), ...args)
    t.same([code, stdout], [71, ''])
    t.match(stderr, new RegExp(`^failed to listen on TCP port ${port}.*: Address already in use\\n$`))
  }
})

const hasSs = spawnSync('ss', ['-h']).status === 0
const somaxconn = existsSync('/proc/sys/net/core/somaxconn') ? readFileSync('/proc/sys/net/core/somaxconn', 'latin1') : ''

/** How long the queues are of those who listen there. */
function queues(where: string): number[] {
  const { stdout } = spawnSync('ss', ['-lnxt'], { encoding: 'utf8' })
  return stdout.split('\n').filter(line => line.includes(where)).map(line => Number(/LISTEN +\d+ +(\d+)/.exec(line)?.[1]))
}

t.test('what cannot be opened is one line and exit code 71', async t => {
  for (const args of [['-p', '-1', '-l', '192.0.2.1'], ['-p', '-1', '-l', 'nowhere.invalid'], ['-s', '/nowhere/socket']]) {
    const { code, stdout, stderr } = run(...args)
    t.same([code, stdout], [71, ''], args.join(' '))
    t.match(stderr, /^failed to listen on .*\n$/, args.join(' '))
  }
})

t.test('a Unix socket at which somebody answers is one clear line and exit code 71, and stays', async t => {
  const path = join(folder(t), 'socket')
  const other = createServer().listen(path)
  await new Promise(resolve => other.once('listening', resolve))
  t.teardown(() => other.close())
  const { ino } = statSync(path)
  for (const threads of ['1', '2']) {
    t.same(run('-s', path, '-t', threads),
      { code: 71, stdout: '', stderr: `failed to listen on UNIX socket ${path}: Address already in use\n` })
  }
  t.equal(statSync(path).ino, ino)
})

t.test('-b is how many wait, over TCP and at a Unix socket, with any number of threads', { skip: !hasSs && 'ss is not there' },
  async t => {
  const place = folder(t)
  const path = join(place, 'socket')
  for (const [given, expected] of [['300', 300], ['0', 1], ['-1', Number(somaxconn)]] as const) {
    for (const threads of ['1', '2']) {
      const { child, ended, port } = await start(t, ['-b', given, '-t', threads, '-l', '127.0.0.1'])
      const unix = spawn(process.execPath, [CLI, '-s', path, '-b', given, '-t', threads], { stdio: 'ignore' })
      t.teardown(() => unix.kill('SIGKILL'))
      const unixEnded = new Promise(resolve => unix.once('close', resolve))
      await until('both serve with all their threads', () => queues(`:${port} `).length > 0 && existsSync(path))
      // the kernel knows a Unix socket by the name that it came into being under
      for (const queue of [...queues(`:${port} `), ...queues(place)]) t.equal(queue, expected, `-b ${given} -t ${threads}`)
      child.kill('SIGTERM')
      unix.kill('SIGTERM')
      await Promise.all([ended, unixEnded])
    }
  }
})

t.test('as many threads start as can open their files', { skip: process.platform !== 'linux' && 'ulimit is not everywhere' },
  async t => {
  for (const [openFiles, threads] of [[64, 1], [167, 1], [168, 2], [279, 3]] as const) {
    const server = await spawnServer(t, [], { openFiles })
    const clients = await Promise.all(Array.from({ length: 2 * threads }, () => server.client()))
    for (const client of clients) await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
    const [client] = clients
    await client!.says('stats\r\n', new RegExp(`[^]*STAT threads ${threads}\r\n[^]*END\r\n`))
    for (const { stream } of clients) stream.destroy()
    await server.stop()
    const warning = `WARNING: -t 4 is lowered to ${threads}, as this process may not open more files (ulimit -n)\n`
    t.ok(server.log.startsWith(warning), server.log)
  }
})

t.test('where not even one thread could open its files a line says so',
  { skip: process.platform !== 'linux' && 'ulimit is not everywhere' }, async t => {
  const child = spawn('sh', ['-c', `ulimit -n 40; exec "$0" "$@"`, process.execPath, CLI, '-p', '-1', '-t', '4'],
    { stdio: ['ignore', 'ignore', 'pipe'] })
  let complaint = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => { complaint += text })
  const [code] = await once(child, 'close')
  t.equal(complaint, 'failed to start: 1 thread needs up to 56 open files, and ulimit -n allows 40\n')
  t.equal(code, 71)
})

t.test('where memory cannot be reserved the limit goes up to -m alone', async t => {
  // without WebAssembly a memory is as long as it is wanted
  const { child, ended, port } = await start(t, ['-t', '1', '-m', '32'], { NODE_OPTIONS: '--jitless' })
  const client = await Client.connect({ port, host: '127.0.0.1' })
  await client.says('cache_memlimit 33\r\n', 'MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust\r\n')
  await client.says('cache_memlimit 16\r\ncache_memlimit 32\r\n', 'OK\r\nOK\r\n')
  await client.says('set k 0 0 1\r\nv\r\nget k\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
  client.stream.destroy()
  child.kill('SIGTERM')
  t.equal(await ended, 0)
})

t.test('-c is lowered to what the process may open', { skip: process.platform !== 'linux' && 'ulimit is not everywhere' },
  async t => {
  const child = spawn('sh', ['-c', `ulimit -n 300; exec "$0" "$@"`, process.execPath, CLI, '-p', '-1', '-t', '2'],
    { stdio: ['ignore', 'ignore', 'pipe'] })
  t.teardown(() => { child.kill('SIGKILL') })
  let complaint = ''
  child.stderr.on('data', chunk => { complaint += String(chunk) })
  await until('a warning', () => complaint.includes('\n'))
  t.match(complaint, /^WARNING: -c 1024 is lowered to 236, as this process may not open more files \(ulimit -n\)\n$/)
})
