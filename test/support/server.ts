// A server in this process, for a test: its clock stands still until the test
// moves it, and when the test ends its whole store is verified.
//
//   const { client, clock } = await startServer(t)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'

import type { Options } from '../../src/options.js'
import { Server } from '../../src/server.js'
import { Client } from './client.js'
import { ManualClock } from './clock.js'
import type { Ends } from './real.js'
import type { Host } from './replay.js'

/** Turns of the event loop after which a server in this process has accepted, read, answered and been heard. */
const TURNS = 10

export interface LonelyServer extends Host {
  readonly server: Server
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
  /** What it listens on: a free port, or a socket in a folder of its own. Default 'tcp'. */
  over?: 'tcp' | 'unix'
}

export async function startServer(t: Ends, options: StartOptions = {}): Promise<TestServer> {
  const server = await startLonelyServer(t, options)
  return { ...server, client: await server.connect() }
}

/** The same without a client. */
export async function startLonelyServer(t: Ends, { over = 'tcp', ...options }: StartOptions = {}): Promise<LonelyServer> {
  const clock = new ManualClock()
  const listener = over === 'tcp' ? { port: -1, listen: ['127.0.0.1'] } : { socketPath: socketPath(t) }
  const server = new Server({ ...options, ...listener }, { clock, log: () => {} })
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
  const endpoint = listener.socketPath === undefined ? { host: '127.0.0.1', port: server.port } : { path: listener.socketPath }
  return {
    server, clock, port: server.port,
    connect: async () => await Client.connect(endpoint),
    settle,
    pass: async milliseconds => {
      await settle()
      clock.advance(milliseconds / 1000)
      await settle()
    },
    stopped: async () => { await stopped },
  }
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
