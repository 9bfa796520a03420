// What every abuse test has in common. While a client misbehaves, another one goes on asking and gets its answers;
// afterwards the server lives, has as many connections as before, and has not grown beyond what the test allows.
//
// Memory is the resident set of the server's process: its peak during the abuse less its size before, so nothing
// depends on when one looks. The kernel's own socket buffers are not in it.

import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Test } from 'tap'
import type { Client } from '../support/client.js'
import { work } from '../support/kin.js'
import { isForeign, type SpawnedServer } from '../clients/server.js'
import { until } from '../support/patience.js'

/** For a test's `skip`. */
export const skipOffLinux: string | false = process.platform === 'linux' ? false
  : 'memory is read from /proc, which only Linux has'

/** An answer to a bystander that comes after so much work for others, or so much sleep, is as bad as none. */
const WAIT_MAX_MS = 2000

/** How long a server that has started is looked at for whether it still works. */
const REST_MS = 300

/**
 * What the engine itself takes under any load, abusive or not, and then keeps: two half-spaces of 16 MiB for young
 * objects, and some for code that is compiled once it is hot.
 */
export const ENGINE_MIB = 40

export interface Allowance {
  /** The process may be larger by so much at its peak; the test says why. */
  readonly growthMiB: number
}

export async function endures(t: Test, server: SpawnedServer, { growthMiB }: Allowance,
  abuse: () => Promise<void>): Promise<void> {
  const observer = await server.client()
  const bystander = new Bystander(await server.client(WAIT_MAX_MS), server.pid)
  await bystander.ask()  // so that the server has accepted it before connections are counted
  const before = await connectionCount(observer)
  // threads that still start would count as growth
  await untilAtRest(server.pid)
  await forgetPeak(server.pid)
  const size = await memoryMiB(server.pid, 'VmRSS')

  bystander.begin()
  try {
    await abuse()
    await until('the abusive connections are gone', async () => await connectionCount(observer) <= before)
  } finally {
    await bystander.end()
  }

  t.ok(server.isAlive, 'the server is alive')
  t.ok(bystander.answers > 0, `another client got its answers meanwhile (${bystander.answers})`)
  t.ok(bystander.longestMs < WAIT_MAX_MS,
    `and none after more than ${WAIT_MAX_MS} ms of work for others (${bystander.longestMs})`)
  const growth = await memoryMiB(server.pid, 'VmHWM') - size
  const verdict = `the process grew by no more than ${growthMiB} MiB (${growth.toFixed(1)})`
  if (isForeign) t.comment(verdict)
  else t.ok(growth <= growthMiB, verdict)
  await observer.hangUp()
}

/** A table of `stats`, as sent. */
export async function readStats(client: Client, table = ''): Promise<Map<string, string>> {
  const answer = await client.says(table === '' ? 'stats\r\n' : `stats ${table}\r\n`, /^(STAT .*\r\n)*END\r\n$/)
  return new Map([...answer.toString('latin1').matchAll(/^STAT (\S+) (.*)\r$/gm)].map(([, name, value]) =>
    [name ?? '', value ?? '']))
}

export async function readStat(client: Client, name: string): Promise<number> {
  return Number((await readStats(client)).get(name))
}

function connectionCount(client: Client): Promise<number> {
  return readStat(client, 'curr_connections')
}

/** Waits until a process does next to nothing between two looks. */
async function untilAtRest(pid: number): Promise<void> {
  let cpuMs = -Infinity
  await until('the server is at rest', async () => {
    await sleep(REST_MS)
    const before = cpuMs
    const now = work([pid])
    cpuMs = now?.cpuMs ?? 0
    return now?.isWilling !== true && cpuMs - before < REST_MS / 10
  })
}

/** Makes the kernel count VmHWM, the peak, from now on. */
function forgetPeak(pid: number): Promise<void> {
  return writeFile(`/proc/${pid}/clear_refs`, '5')
}

export async function memoryMiB(pid: number, field: 'VmRSS' | 'VmHWM'): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) / 1024
}

/** A client that behaves: one small request after the other, each answered before the next. */
class Bystander {
  answers = 0
  longestMs = 0
  private isEnding = false
  private running: Promise<void> = Promise.resolve()

  constructor(private readonly client: Client, private readonly pid: number) {}

  begin(): void {
    this.running = this.run()
    this.running.catch(() => {})  // end() reports it
  }

  async end(): Promise<void> {
    this.isEnding = true
    await this.running
    await this.client.hangUp()
  }

  async ask(): Promise<void> {
    // The server's processor time, which a busy machine makes no longer.
    const before = work([this.pid])?.cpuMs ?? 0
    await this.client.says('get nothing-of-the-kind\r\n', 'END\r\n')
    this.longestMs = Math.max(this.longestMs, (work([this.pid])?.cpuMs ?? 0) - before)
    this.answers++
  }

  private async run(): Promise<void> {
    while (!this.isEnding) {
      await this.ask()
      await new Promise(resolve => setTimeout(resolve, 5))
    }
  }
}
