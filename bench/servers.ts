// Starts the servers to be measured and reads from /proc what they cost. Each server is pinned to the first core and
// everything else kept off it, where there is a second core and `taskset`; without them the figures are only noisier.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export interface ServerCommand {
  readonly name: string
  readonly argv: readonly string[]
}

const SERVER_CORE = '0'
const START_MS_MAX = 10_000
const canPin = availableParallelism() >= 2 && spawnSync('taskset', ['-V']).status === 0

const running = new Set<ChildProcess>()
process.once('exit', () => running.forEach(child => child.kill('SIGKILL')))

// The main thread and the threads it starts later stay off the server's core.
export function leaveServerCore(): boolean {
  if (!canPin) return false
  const others = `1-${availableParallelism() - 1}`
  return spawnSync('taskset', ['-a', '-p', '-c', others, String(process.pid)]).status === 0
}

export const memslab: ServerCommand = { name: 'memslab', argv: [process.execPath, 'dist/cli.js'] }

export function memcached(): ServerCommand {
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  return { name: 'memcached', argv: ['memcached', ...user] }
}

// '1.6.18', or undefined where memcached is not installed
export function memcachedVersion(): string | undefined {
  const answer = spawnSync('memcached', ['-V'], { encoding: 'utf8' })
  return answer.status === 0 ? answer.stdout.trim().replace('memcached ', '') : undefined
}

export class RunningServer {
  private constructor(readonly name: string, readonly port: number, readonly child: ChildProcess) {}

  // `ipc` opens a channel to the server's process, for a Node process that was told to listen to it.
  static async start(command: ServerCommand, megabytes: number, ipc = false): Promise<RunningServer> {
    const folder = mkdtempSync(join(tmpdir(), 'memslab-bench-'))
    try {
      const portFile = join(folder, 'port')
      const options = ['-l', '127.0.0.1', '-p', '-1', '-t', '1', '-m', String(megabytes), '-c', '8192']
      const child = launch([...command.argv, ...options], portFile, ipc)
      return new RunningServer(command.name, await readPort(portFile, child), child)
    } finally {
      rmSync(folder, { recursive: true })
    }
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    const gone = new Promise(resolve => this.child.once('exit', resolve))
    this.child.kill('SIGKILL')   // memcached takes half a second over SIGTERM
    await gone
  }

  // CPU time of all its threads in ns, user and system; NaN where there is no /proc.
  cpuNs(): number {
    const tasks = `/proc/${this.child.pid}/task`
    if (!existsSync(tasks)) return NaN
    return readdirSync(tasks).reduce((sum, task) => sum + taskNs(`${tasks}/${task}`), 0)
  }

  rssBytes(): number {
    const status = `/proc/${this.child.pid}/status`
    if (!existsSync(status)) return NaN
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(status, 'utf8'))?.[1]) * 1024
  }
}

function launch(argv: readonly string[], portFile: string, ipc: boolean): ChildProcess {
  const [file, ...rest] = canPin ? ['taskset', '-c', SERVER_CORE, ...argv] : argv
  const child = spawn(file!, rest, {
    stdio: ['ignore', 'inherit', 'inherit', ipc ? 'ipc' : 'ignore'],
    env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
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
    if (child.exitCode !== null) throw new Error(`${child.spawnargs.join(' ')}: ended with exit code ${child.exitCode}`)
    await sleep(10)
  }
  child.kill('SIGKILL')
  throw new Error(`${child.spawnargs.join(' ')}: wrote no port file`)
}

// Nanoseconds from the scheduler where the kernel keeps them, clock ticks of 10 ms otherwise.
function taskNs(task: string): number {
  try {
    if (existsSync(`${task}/schedstat`)) return Number(readFileSync(`${task}/schedstat`, 'utf8').split(' ')[0])
    const fields = readFileSync(`${task}/stat`, 'utf8').split(') ')[1]!.split(' ')
    return (Number(fields[11]) + Number(fields[12])) * 1e7
  } catch {
    return 0   // the thread ended meanwhile
  }
}
