// The built server in a process of its own, for tests that drive it from outside: other people's clients, and clients
// that misbehave. One is started for each test and ended with it; whatever happens in between, it has to be alive
// then and to end by itself, with exit code 0, when it is asked to (SIGTERM).
//
// MEMSLAB_TEST_COMMAND names another server to run the same tests against: MEMSLAB_TEST_COMMAND='memcached -u root'.

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { Client } from '../support/client.js'
import { until } from '../support/patience.js'
import { CLI } from '../support/places.js'

const HOST = '127.0.0.1'

/** The port is filled in when it is known. */
type Endpoint = { host: string; port: number } | { path: string }

/** True when the tests run against another server, whose memory and limits are not ours to judge. */
export const isForeign = process.env['MEMSLAB_TEST_COMMAND'] !== undefined

export interface SpawnOptions {
  /** Listen on a Unix socket instead of TCP. */
  readonly unix?: boolean
  /** The server's limit of open files (`ulimit -n`); the default is this process's own. */
  readonly openFiles?: number
  /** Of its environment, what is not as here. */
  readonly env?: Readonly<Record<string, string>>
}

export class SpawnedServer {
  private errorText = ''
  private readonly exited: Promise<number | null>

  constructor(private readonly child: ChildProcess, private readonly endpoint: Endpoint) {
    child.stderr!.setEncoding('utf8').on('data', (text: string) => { this.errorText += text })
    this.exited = new Promise(resolve => child.once('exit', code => resolve(code)))
  }

  get pid(): number { return this.child.pid! }

  get isAlive(): boolean { return this.child.exitCode === null && this.child.signalCode === null }

  /** What the server said on stderr so far. */
  get log(): string { return this.errorText }

  /** How a client program is told where the server is: 127.0.0.1:PORT, or the path of a socket. */
  get address(): string { return 'path' in this.endpoint ? this.endpoint.path : `${this.endpoint.host}:${this.endpoint.port}` }

  /** The TCP port; 0 for a Unix socket. */
  get port(): number { return 'path' in this.endpoint ? 0 : this.endpoint.port }

  /** A client that compares answers. @param patienceMs as Client has it */
  client(patienceMs?: number): Promise<Client> {
    return Client.connect(this.endpoint, patienceMs)
  }

  /** A bare socket, for a client that does not behave; errors on it are for the caller to hear. */
  socket(): Socket {
    return connect(this.endpoint)
  }

  /** Asks the server to end; rejects unless it does so with exit code 0. */
  async stop(): Promise<void> {
    if (this.isAlive) this.child.kill('SIGTERM')
    await until('the server ends', () => !this.isAlive).catch(() => this.child.kill('SIGKILL'))
    const code = await this.exited
    if (code !== 0) throw new Error(`the server ended with ${code ?? this.child.signalCode}: ${this.errorText.slice(-2000)}`)
  }
}

/** Starts a server with these options and resolves once it takes connections. */
export async function spawnServer(t: Test, args: readonly string[] = [], options: SpawnOptions = {}): Promise<SpawnedServer> {
  // Not in t.testdir(): the path of a Unix socket has 107 bytes at most.
  const folder = await mkdtemp(join(tmpdir(), 'memslab-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const portFile = join(folder, 'port')
  const path = join(folder, 'socket')
  const where = options.unix === true ? ['-s', path] : ['-p', '-1', '-l', HOST]
  const child = spawnLimited([...serverCommand(), ...where, ...args], options, portFile)
  const endpoint: Endpoint = options.unix === true ? { path } : { host: HOST, port: 0 }
  const server = new SpawnedServer(child, endpoint)
  t.teardown(() => server.stop())
  await until('the server listens', async () => {
    if (!server.isAlive) throw new Error(`the server did not start: ${server.log}`)
    if ('path' in endpoint) return isAnswering(endpoint.path)
    endpoint.port = await portIn(portFile)
    return endpoint.port !== 0
  })
  return server
}

function serverCommand(): string[] {
  return process.env['MEMSLAB_TEST_COMMAND']?.split(' ') ?? [process.execPath, CLI]
}

function spawnLimited(command: readonly string[], { openFiles, env }: SpawnOptions, portFile: string): ChildProcess {
  const limit = openFiles === undefined ? '' : `ulimit -n ${openFiles}; `
  return spawn('bash', ['-c', `${limit}exec "$@"`, 'bash', ...command], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env, MEMCACHED_PORT_FILENAME: portFile }
  })
}

/** memcached writes lines such as `TCP INET: 40817` and renames the file into place when all are there. */
async function portIn(file: string): Promise<number> {
  if (!existsSync(file)) return 0
  return Number(/^TCP INET: (\d+)$/m.exec(await readFile(file, 'utf8'))?.[1] ?? 0)
}

function isAnswering(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    socket.once('connect', () => { socket.destroy(); resolve(true) })
    socket.once('error', () => resolve(false))
  })
}
