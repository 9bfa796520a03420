// The command starts and serves on every kind of listener, with one thread and with several, in the quick way and through
// streams: what a Node of another version breaks first.
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
      const { port } = await start(t, ['-p', '-1', '-t', threads, '-Z', '-o', `ssl_chain_cert=${sslChainCert},ssl_key=${sslKey}`], streams)
      await converse(await connectSecurely({ host: '127.0.0.1', port }))
    })
  }
}
