// Starts the servers to be measured, on the cores that cores.ts gives them, and reads from /proc what they cost. Whoever
// starts one is moved to the other cores.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ask } from './connection.js'
import { pinLoad, placementFor } from './cores.js'

export interface ServerCommand {
  readonly name: string
  readonly argv: readonly string[]
}

export interface StartOptions {
  readonly megabytes: number
  readonly threads?: number   // 1 if not said
  readonly more?: readonly string[]   // words of its command line
  readonly ipc?: boolean      // opens a channel to the server's process, for a Node process that was told to listen to it
}

const STDERR = 2   // standard output is the benchmark's own
const START_MS_MAX = 10_000
const CONNECTIONS_MAX = 8192
const OTHER_FILES_MAX = 200

const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach(child => child.kill('SIGKILL')))

export const memslab: ServerCommand = { name: 'memslab', argv: [process.execPath, 'dist/cli.js'] }

// The least that a server in Node can do, see responder.ts.
export const responder: ServerCommand = { name: 'responder', argv: [process.execPath, 'dist-bench/responder.js'] }

// Node without any program but a listener, which says where it listens as the servers do.
export const bareNode: ServerCommand = {
  name: 'bare node',
  argv: [process.execPath, '-e', `require('net').createServer().listen(0, '127.0.0.1', function () {
    require('fs').writeFileSync(process.env.MEMCACHED_PORT_FILENAME, 'TCP INET: ' + this.address().port + '\\n')
  })`, '--'],
}

export function memcached(): ServerCommand {
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  return { name: 'memcached', argv: ['memcached', ...user] }
}

// '1.6.18', or undefined where memcached is not installed
export function memcachedVersion(): string | undefined {
  const answer = spawnSync('memcached', ['-V'], { encoding: 'utf8' })
  return answer.status === 0 ? answer.stdout.trim().replace('memcached ', '') : undefined
}

// How many connections a process may have here: Node has raised its limit of open files as far as it may, and a server
// inherits that. Infinity where there is no /proc to tell.
export function connectionsMax(): number {
  const limits = '/proc/self/limits'
  const files = existsSync(limits) ? /^Max open files\s+(\d+)/m.exec(readFileSync(limits, 'utf8'))?.[1] : undefined
  return files === undefined ? Infinity : Number(files) - OTHER_FILES_MAX
}

// Whether the scheduler keeps each thread's CPU time in nanoseconds. What it tells of a thread that runs is up to a tick old, of
// one that sleeps exact.
export function hasNanoseconds(): boolean { return taskNs('/proc/self/schedstat') > 0 }

// What the server answers to `version`.
export async function versionOf(command: ServerCommand): Promise<string> {
  const server = await RunningServer.start(command, { megabytes: 64 })
  try {
    return (await ask(server.port, 'version', '\r\n')).trim().replace('VERSION ', '')
  } finally {
    await server.stop()
  }
}

export class RunningServer {
  private constructor(readonly name: string, readonly port: number, readonly child: ChildProcess) {}

  static async start(command: ServerCommand, options: StartOptions): Promise<RunningServer> {
    const folder = mkdtempSync(join(tmpdir(), 'memslab-bench-'))
    try {
      const portFile = join(folder, 'port')
      const child = launch(command, options, -1, portFile)
      return new RunningServer(command.name, await readPort(portFile, child), child)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  // Also tells the ms from the start of the process to its answer to `version`.
  static async startTimed(command: ServerCommand, options: StartOptions): Promise<{ server: RunningServer, ms: number }> {
    const port = await freePort()
    const before = performance.now()
    const server = new RunningServer(command.name, port, launch(command, options, port, ''))
    try {
      await server.firstAnswer(before + START_MS_MAX)
      return { server, ms: performance.now() - before }
    } catch (error) {
      await server.stop()
      throw error
    }
  }

  private async firstAnswer(deadline: number): Promise<void> {
    for (;;) {
      try {
        const answer = await ask(this.port, 'version', '\r\n')
        if (!answer.startsWith('VERSION ')) throw new RangeError(`wrong answer to version: ${answer}`)
        return
      } catch (error) {
        if (error instanceof RangeError || performance.now() > deadline) throw error
        if (this.hasEnded) throw ended(this.child)
        await sleep(1)
      }
    }
  }

  private get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  async stop(): Promise<void> {
    if (this.hasEnded || this.child.pid === undefined) return
    const gone = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')   // memcached takes half a second over SIGTERM
    await gone
  }

  // CPU time of the whole process in ns, user and system, all its threads; NaN where there is no /proc. That of threads
  // which have ended is not in it where the scheduler keeps nanoseconds, but neither server ends any while it serves.
  cpuNs(): number {
    const folder = `/proc/${this.child.pid}`
    if (!existsSync(folder)) return NaN
    if (!hasNanoseconds()) return ticksNs(`${folder}/stat`)
    return readdirSync(`${folder}/task`).reduce((sum, task) => sum + taskNs(`${folder}/task/${task}/schedstat`), 0)
  }

  rssBytes(): number {
    const status = `/proc/${this.child.pid}/status`
    if (!existsSync(status)) return NaN
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]) * 1024
  }
}

// All or none.
export async function startAll(commands: readonly ServerCommand[], options: StartOptions): Promise<RunningServer[]> {
  const starts = await Promise.allSettled(commands.map(command => RunningServer.start(command, options)))
  const servers = starts.flatMap(start => start.status === 'fulfilled' ? [start.value] : [])
  const failure = starts.find(start => start.status === 'rejected')
  if (failure === undefined) return servers
  await stopAll(servers)
  throw failure.reason
}

export async function stopAll(servers: readonly RunningServer[]): Promise<void> {
  await Promise.all(servers.map(server => server.stop()))
}

function launch({ argv }: ServerCommand, { megabytes, threads = 1, more = [], ipc = false }: StartOptions, port: number,
  portFile: string): ChildProcess {
  const placement = placementFor(threads)
  const { servers: cores } = placement
  pinLoad(placement)
  const options = ['-l', '127.0.0.1', '-p', port, '-t', threads, '-m', megabytes, '-c',
    Math.min(CONNECTIONS_MAX, connectionsMax()), ...more].map(String)
  const [file, ...rest] = [...(cores === undefined ? [] : ['taskset', '-c', cores]), ...argv, ...options]
  // No server calls others by TLS. Node 20 reads the certificates of that variable at each start, which takes up to 50 ms.
  const { MEMCACHED_PORT_FILENAME: _, NODE_EXTRA_CA_CERTS: __, ...env } = process.env
  const child = spawn(file!, rest, {
    stdio: ['ignore', STDERR, STDERR, ipc ? 'ipc' : 'ignore'],
    env: portFile === '' ? env : { ...env, MEMCACHED_PORT_FILENAME: portFile },
  })
  running.add(child)
  child.once('exit', () => running.delete(child))
  child.on('error', error => console.error(`${file}: ${error.message}`))
  return child
}

// memcached writes the file under another name and renames it, so it is whole once it is there.
async function readPort(portFile: string, child: ChildProcess): Promise<number> {
  for (let waitedMs = 0; waitedMs < START_MS_MAX; waitedMs += 10) {
    if (existsSync(portFile)) {
      const port = /^TCP INET: (\d+)$/m.exec(readFileSync(portFile, 'utf8'))?.[1]
      if (port !== undefined) return Number(port)
    }
    if (child.exitCode !== null) throw ended(child)
    await sleep(10)
  }
  child.kill('SIGKILL')
  throw new Error(`${child.spawnargs.join(' ')}: wrote no port file`)
}

function ended(child: ChildProcess): Error {
  return new Error(`${child.spawnargs.join(' ')}: ended with exit code ${child.exitCode}`)
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

function taskNs(schedstat: string): number {
  try {
    return Number(readFileSync(schedstat, 'utf8').split(' ')[0])
  } catch {
    return 0   // the thread ended meanwhile, or there is no such file
  }
}

// utime and stime, in clock ticks of 10 ms
function ticksNs(stat: string): number {
  const fields = readFileSync(stat, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 1e7
}
