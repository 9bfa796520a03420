// The memcached that is installed on this machine, if there is one, to compare
// with. Started on a free port of 127.0.0.1 and ended with the test.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

import { Client } from './client.js'
import type { Host } from './replay.js'

/** The installed version, such as '1.6.18'; undefined where there is none. */
export const realVersion = findVersion()

function findVersion(): string | undefined {
  try {
    return /^memcached (\S+)/.exec(execFileSync('memcached', ['-V'], { encoding: 'utf8' }))?.[1]
  } catch {
    return undefined
  }
}

export interface Ends {
  teardown(task: () => unknown): void
}

export interface RealServer extends Host {
  readonly port: number
}

/**
 * @param options command-line words; the port is chosen by the kernel
 * @param patienceMs how long its clients wait for an answer that does not come
 */
export async function startReal(t: Ends, options: readonly string[] = [], patienceMs?: number): Promise<RealServer> {
  const folder = mkdtempSync(join(tmpdir(), 'real-memcached-'))
  const portFile = join(folder, 'port')
  const asRoot = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const child = spawn('memcached', ['-p', '-1', '-U', '0', '-l', '127.0.0.1', ...asRoot, ...options], {
    stdio: 'ignore',
    env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
  })
  const exited = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
    rmSync(folder, { recursive: true })
  })
  const port = await readPort(portFile, () => child.exitCode !== null)
  return {
    port,
    connect: async () => await Client.connect({ host: '127.0.0.1', port }, patienceMs),
    // memcached has no clock but the machine's, and does not tell when it has read what was sent
    settle: async () => { await sleep(20) },
    pass: async milliseconds => { await sleep(milliseconds) },
    stopped: async () => { await exited },
  }
}

/** memcached writes the file under another name and renames it when it is complete. */
async function readPort(file: string, hasExited: () => boolean): Promise<number> {
  while (!existsSync(file)) {
    if (hasExited()) throw new Error('memcached ended instead of listening')
    await sleep(5)
  }
  const port = /^TCP INET: (\d+)$/m.exec(readFileSync(file, 'utf8'))?.[1]
  if (port === undefined) throw new Error('memcached did not say its port')
  return Number(port)
}
