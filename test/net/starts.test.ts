// The command starts and serves on every kind of listener, with one thread and with several, in the quick way and through
// streams: what a Node of another version breaks first. And that its threads share ports where Node can do that.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { writeCertificates } from '../support/certificates.js'
import { Client } from '../support/client.js'
import { DatagramClient } from '../support/datagram.js'
import { until } from '../support/patience.js'
import { CLI } from '../support/places.js'
import { connectSecurely } from '../support/server.js'

/** More than the kernel takes at once from who writes it. */
const LARGE_BYTES = 900_000

const THREADS = 4
/** Whether this Node knows `reusePort`: since 23.1, and on the branch before it since 22.12. */
const hasReusePort = !/^v(\d|1\d|2[01]|22\.(\d|1[01])|23\.0)\./.test(process.version)
/** Of a socket of TCP that listens, and of one of UDP, in the lists of the kernel. */
const STATES = { tcp: '0A', udp: '07' } as const

interface Started {
  /** What it has said, with -v. */
  readonly stderr: () => string
  /** Of the first listener of TCP, and of UDP. */
  readonly port: number
  readonly udpPort: number
}

/** The command, ended with the test; it listens. */
async function start(t: Test, args: readonly string[], streams: string): Promise<Started> {
  const folder = folderOf(t)
  const portFile = join(folder, 'ports')
  const env = { ...process.env, MEMSLAB_STREAMS: streams, MEMCACHED_PORT_FILENAME: portFile }
  const child = spawn(process.execPath, [CLI, '-v', ...args], { stdio: ['ignore', 'ignore', 'pipe'], env })
  t.teardown(() => child.kill('SIGKILL'))
  let stderr = ''
  child.stderr.on('data', text => { stderr += text })
  await until('the server listens', () => stderr.includes(' listens on ') || child.exitCode !== null)
  t.equal(child.exitCode, null, stderr)
  const ports = existsSync(portFile) ? readFileSync(portFile, 'utf8') : ''
  const portOf = (transport: string): number => Number(new RegExp(`^${transport} INET: (\\d+)$`, 'm').exec(ports)?.[1])
  return { stderr: () => stderr, port: portOf('TCP'), udpPort: portOf('UDP') }
}

function folderOf(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function converse(client: Client): Promise<void> {
  await client.says('set k 0 0 1\r\nv\r\nget k none\r\n', 'STORED\r\nVALUE k 0 1\r\nv\r\nEND\r\n')
  const large = 'x'.repeat(LARGE_BYTES)
  await client.says(`set large 0 0 ${LARGE_BYTES}\r\n${large}\r\n`, 'STORED\r\n')
  client.pause()
  void client.send('get large\r\n'.repeat(5) + 'mn\r\n')
  client.resume()
  await client.expect(`VALUE large 0 ${LARGE_BYTES}\r\n${large}\r\nEND\r\n`.repeat(5) + 'MN\r\n')
  client.stream.destroy()
}

for (const streams of ['0', '1']) {
  for (const threads of ['1', '4']) {
    const ways = `-t ${threads}${streams === '1' ? ', through streams' : ''}`

    t.test(`TCP and UDP, ${ways}`, async t => {
      const { stderr, port, udpPort } = await start(t, ['-p', '-1', '-U', '-1', '-t', threads], streams)
      await converse(await Client.connect({ host: '127.0.0.1', port }))
      const client = await DatagramClient.open(udpPort)
      t.teardown(() => client.close())
      await client.says('set k 0 0 1\r\nv\r\n', 'STORED\r\n')
      await client.says('get k\r\n', 'VALUE k 0 1\r\nv\r\nEND\r\n')
      t.equal(/^clients are served through streams/m.test(stderr()), streams === '1', stderr())
    })

    t.test(`a Unix socket, ${ways}`, async t => {
      const path = join(folderOf(t), 'socket')
      await start(t, ['-s', path, '-t', threads], streams)
      await converse(await Client.connect({ path }))
    })

    t.test(`TLS, ${ways}`, async t => {
      const { sslChainCert, sslKey } = writeCertificates(t).options
      const { port } = await start(t, ['-p', '-1', '-t', threads, '-Z', '-o', `ssl_chain_cert=${sslChainCert},ssl_key=${sslKey}`],
        streams)
      await converse(await connectSecurely({ host: '127.0.0.1', port }))
    })
  }
}

/** How many sockets are open at a port of 127.0.0.1, in whichever process. */
function socketsAt(port: number, transport: 'tcp' | 'udp'): number {
  const place = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const rows = readFileSync(`/proc/net/${transport}`, 'latin1').split('\n').map(line => line.trim().split(/\s+/))
  return rows.filter(([, local, , state]) => local === place && state === STATES[transport]).length
}

const skip = process.platform !== 'linux' && 'only Linux lists sockets, and shares ports'
const what = hasReusePort ? 'each thread has sockets of its own at a port'
  : 'the threads have one socket at a port, as Node cannot share it'

t.test(`${what}, with Node ${process.version}`, { skip }, async t => {
  const { port, udpPort } = await start(t, ['-p', '-1', '-U', '-1', '-t', String(THREADS)], '0')
  // with one more of TCP, at which the first thread listened before there were others
  const wanted = hasReusePort ? { tcp: THREADS + 1, udp: THREADS } : { tcp: 1, udp: 1 }
  const open = () => ({ tcp: socketsAt(port, 'tcp'), udp: socketsAt(udpPort, 'udp') })
  // the others start when the first has two clients at the same time
  const crowd = await Promise.all([0, 1].map(() => Client.connect({ host: '127.0.0.1', port })))
  await until('all threads listen', () => JSON.stringify(open()) === JSON.stringify(wanted)).catch(() => {})
  await converse(await Client.connect({ host: '127.0.0.1', port }))
  t.same(open(), wanted)
  for (const client of crowd) client.stream.destroy()
})

t.test('a single thread has one socket at a port, with any Node', { skip }, async t => {
  const { port, udpPort } = await start(t, ['-p', '-1', '-U', '-1', '-t', '1'], '0')
  t.same([socketsAt(port, 'tcp'), socketsAt(udpPort, 'udp')], [1, 1])
})
