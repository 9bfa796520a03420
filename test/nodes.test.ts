// `--nodes`: several servers in one process, which are one cluster to clients that discover it.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Client } from './support/client.js'
import { folder, pidIn, run, start } from './support/command.js'
import { until } from './support/patience.js'
import { CLI } from './support/places.js'

const HOST = '127.0.0.1'

/** The ports of a port file, those of IPv4. */
function portsIn(text: string): number[] { return [...text.matchAll(/^TCP INET: (\d+)$/gm)].map(([, port]) => Number(port)) }

async function connect(t: Test, port: number): Promise<Client> {
  const client = await Client.connect({ port, host: HOST })
  t.teardown(() => client.stream.destroy())
  return client
}

function listOf(ports: readonly number[]): string { return `1\n${ports.map(port => `${HOST}|${HOST}|${port}`).join(' ')}\n` }

function configOf(list: string): string { return `CONFIG cluster 0 ${list.length}\r\n${list}\r\nEND\r\n` }

/** Where to look for free ports: below those that the system gives to others. Each process begins elsewhere. */
let nextPort = 15_000 + process.pid % 1000 * 15

/** Starts nodes on ports of which the first is known; others if one of them is taken. */
async function startOnRow(t: Test, count: number, ...args: string[]) {
  for (;;) {
    const first = nextPort
    nextPort += count
    const started = await start(t, ['-p', String(first), '--nodes', String(count), ...args])
    if (started.ports !== '') return { ...started, first }
  }
}

for (const args of [[], ['-t', '2']]) {
  t.test(`three nodes know of each other, each with items of its own: ${args.join(' ') || '-t 1'}`, async t => {
    const { child, ended, output, ports } = await start(t, ['--nodes', '3', '-m', '2', ...args])
    const all = portsIn(ports)
    t.equal(new Set(all).size, 3, ports)
    for (const port of all) {
      const client = await connect(t, port)
      await client.says('config get cluster\r\n', configOf(listOf(all)))
      await client.says(`get k\r\nset k 0 0 5\r\n${port}\r\nget k\r\n`, `END\r\nSTORED\r\nVALUE k 0 5\r\n${port}\r\nEND\r\n`)
      await client.says('stats settings\r\n', new RegExp(`STAT maxbytes 2097152\r\n[^]*STAT num_threads ${args[1] ?? 1}\r\n[^]*END\r\n`))
    }
    child.kill('SIGTERM')
    t.equal(await ended, 0)
    t.equal(output.stderr, '')
  })
}

t.test('they take ports from -p on', async t => {
  const { first, ports } = await startOnRow(t, 3)
  t.same(portsIn(ports), [first, first + 1, first + 2])
  await (await connect(t, first + 2)).says('config get cluster\r\n', configOf(listOf([first, first + 1, first + 2])))
})

t.test('a port that is taken is the end of all, and nothing stays', async t => {
  for (const threads of ['1', '2']) {
    // the one before it was free a moment ago
    const free = await startOnRow(t, 1)
    free.child.kill()
    await free.ended
    const { child, ended, first } = await startOnRow(t, 1)
    const before = String(first - 1)
    const { code, stderr } = run('--nodes', '2', '-p', before, '-t', threads)
    t.equal(code, 71)
    t.match(stderr, /^failed to listen on TCP port \d+ of 127\.0\.0\.1: Address already in use\n$/)
    child.kill()
    await ended
  }
})

t.test('-v, and npm start, say where each of them listens', async t => {
  const npm = { npm_lifecycle_event: 'start', npm_package_name: 'memslab' }
  for (const [args, env, linesOfEach] of [[[], npm, 1], [['-v'], {}, 2]] as const) {
    const { child, ended, output, ports } = await start(t, ['--nodes', '2', ...args], env)
    const lines = () => output.stderr.split('\n').filter(line => line !== '')
    await until('all lines are there', () => lines().length === 2 * linesOfEach)
    for (const [index, port] of portsIn(ports).entries()) {
      const expected = `node ${index + 1} of 2, listens on TCP 127.0.0.1:${port}, TCP [::1]:${port}`
      t.ok(lines()[index * linesOfEach]!.endsWith(expected), output.stderr)
    }
    child.kill()
    t.equal(await ended, 0)
  }
})

t.test('a line of the log says which node it is about', async t => {
  const { output, ports } = await start(t, ['--nodes', '2', '-vv'])
  await (await connect(t, portsIn(ports)[1]!)).says('get nothing\r\n', 'END\r\n')
  await until('the line is there', () => output.stderr.includes('node 2 of 2: <'))
  t.match(output.stderr, /^node 2 of 2: <\d+ get nothing$/m)
  t.notMatch(output.stderr, /node 1 of 2: <\d+ get nothing/)
})

t.test('the shutdown command ends all of them', async t => {
  const { ended, output, ports } = await start(t, ['--nodes', '3', '-A'])
  const clients = await Promise.all(portsIn(ports).map(port => connect(t, port)))
  void clients[1]!.send('shutdown graceful\r\n')
  t.equal(await ended, 0)
  t.equal(output.stderr, 'Gracefully stopping\n')
})

t.test('as a daemon, with a pid file and a port file', async t => {
  const place = folder(t)
  const [pidFile, portFile] = [join(place, 'pid'), join(place, 'ports')]
  const { status, stderr } = spawnSync(process.execPath, [CLI, '-d', '--nodes', '3', '-p', '-1', '-P', pidFile],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile } })
  t.equal(status, 0, stderr)
  const pid = pidIn(pidFile)
  t.teardown(() => { if (existsSync(pidFile)) process.kill(pid, 'SIGKILL') })
  const ports = portsIn(readFileSync(portFile, 'utf8'))
  for (const port of ports) await (await connect(t, port)).says('config get cluster\r\n', configOf(listOf(ports)))
  process.kill(pid, 'SIGTERM')
  await until('its pid file is gone', () => !existsSync(pidFile))
})

t.test('nodes that listen on every address are listed with one that clients can connect to', async t => {
  const { ports } = await start(t, ['--nodes', '2', '-l', '0.0.0.0'])
  const [port = 0] = portsIn(ports)
  const answer = String(await (await connect(t, port)).says('config get cluster\r\n', /[^]*END\r\n/))
  const [, host = '', ip = ''] = /\n1\n([^|]+)\|([^|]+)\|(\d+) /.exec(answer) ?? []
  t.match(host, /^\d+\.\d+\.\d+\.\d+$/, answer)
  t.equal(host, ip)
  t.not(host, '0.0.0.0')
})
