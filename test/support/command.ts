// The built command, as a person or a script would run it.
import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Test } from 'tap'
import { type Client } from './client.js'
import { until } from './patience.js'
import { CLI } from './places.js'

/** What the command prints and how it ends, given these arguments. */
export function run(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' })
  return { code: status, stdout, stderr }
}

/** Not t.testdir(): the path of a Unix socket must be short, and a daemon's user must be able to write there. */
export function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'memslab-'))
  chmodSync(path, 0o777)
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/**
 * A server in the foreground on a free port; ended with the test.
 * @param command CLI, or COMMAND if its files are changed
 * @param flags for Node.js
 */
export async function start(t: Test, args: readonly string[] = [], env: Readonly<Record<string, string>> = {}, command = CLI,
  flags: readonly string[] = []) {
  const portFile = join(folder(t), 'ports')
  const child = spawn(process.execPath, [...flags, command, '-p', '-1', ...args],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env, MEMCACHED_PORT_FILENAME: portFile } })
  t.teardown(() => child.kill('SIGKILL'))
  const output = { stdout: '', stderr: '' }
  child.stdout.on('data', text => { output.stdout += text })
  child.stderr.on('data', text => { output.stderr += text })
  const ended = new Promise<number | null>(resolve => child.once('close', resolve))
  await until('the server listens', () => existsSync(portFile) || child.exitCode !== null)
  const ports = existsSync(portFile) ? readFileSync(portFile, 'utf8') : ''
  const port = Number(/^TCP INET: (\d+)$/m.exec(ports)?.[1])
  return { child, output, ended, portFile, ports, port }
}

/** The process id in a file. */
export function pidIn(file: string): number {
  return Number(readFileSync(file, 'utf8'))
}

/** Shows a password until it is accepted: a signal takes its time. */
export async function untilKnown(client: Client, token: string): Promise<void> {
  await until(`${token} is known`, async () => {
    const answer = await client.says(`set auth 0 0 ${token.length}\r\n${token}\r\n`,
      /STORED\r\n|CLIENT_ERROR authentication failure\r\n/)
    return answer.toString() === 'STORED\r\n'
  })
}
