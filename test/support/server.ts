// A server in this process, for a test: its clock stands still until the test
// moves it, and when the test ends its whole store is verified.
//
//   const { client, clock } = await startServer(t)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { connect } from 'node:tls'
import type { ConnectionOptions } from 'node:tls'

import type { FaultControl } from '../../src/faults/control.js'
import type { Options } from '../../src/options/options.js'
import { ServerCore } from '../../src/server/core.js'
import { authority, writeCertificates } from './certificates.js'
import { Client } from './client.js'
import { ManualClock } from './clock.js'
import type { Ends } from './real.js'
import type { Host } from './replay.js'

/** Turns of the event loop after which a server in this process has accepted, read, answered and been heard. */
const TURNS = 20

export interface LonelyServer extends Host {
  readonly server: ServerCore
  readonly clock: ManualClock
  /** On 127.0.0.1; 0 on a Unix socket. */
  readonly port: number
  connect(): Promise<Client>
}

export interface TestServer extends LonelyServer {
  /** A first client, connected. */
  readonly client: Client
}

export interface StartOptions extends Partial<Options> {
  /** What it listens on: a free port, with or without TLS, or a socket in a folder of its own. Default 'tcp'. */
  over?: 'tcp' | 'tls' | 'unix'
  /** The control of its faults, for a server whose connections are tapped. */
  faults?: FaultControl
}

export async function startServer(t: Ends, options: StartOptions = {}): Promise<TestServer> {
  const server = await startLonelyServer(t, options)
  return { ...server, client: await server.connect() }
}

/** The same without a client. */
export async function startLonelyServer(t: Ends, { over = 'tcp', faults, ...options }: StartOptions = {}): Promise<LonelyServer> {
  const clock = new ManualClock()
  const listener = over === 'unix' ? { socketPath: socketPath(t) } : { port: -1, listen: ['127.0.0.1'] }
  const encryption = over === 'tls' ? writeCertificates(t).options : {}
  const server = new ServerCore({ ...options, ...encryption, ...listener }, { clock, log: () => {} }, { taps: faults })
  const stopped = new Promise<void>(resolve => {
    server.onShutdown = () => void server.close().then(resolve)
  })
  t.teardown(async () => {
    try {
      server.verify()
    } finally {
      await server.close()
    }
  })
  await server.listen()
  const tcp = { host: '127.0.0.1', port: server.port }
  return {
    server, clock, port: server.port,
    connect: async () => {
      if (over === 'tls') return await connectSecurely(tcp)
      return await Client.connect(listener.socketPath === undefined ? tcp : { path: listener.socketPath })
    },
    settle,
    pass: async milliseconds => {
      await settle()
      clock.advance(milliseconds / 1000)
      await settle()
    },
    stopped: async () => { await stopped },
  }
}

/** A client that speaks TLS and trusts the authority of the tests. Rejects if both sides do not agree. */
export async function connectSecurely(options: ConnectionOptions, patienceMs?: number): Promise<Client> {
  const stream = connect({ ca: authority, ...options })
  const client = new Client(stream, patienceMs)
  await new Promise<void>((resolve, reject) => stream.once('secureConnect', resolve).once('error', reject))
  return client
}

async function settle(): Promise<void> {
  for (let count = 0; count < TURNS; count++) await turn()
}

/** Not in the test's own folder: a socket's path may have some hundred bytes at most. */
function socketPath(t: Ends): string {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  return join(folder, 'socket')
}
