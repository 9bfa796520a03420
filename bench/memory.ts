// The rows that are about memory: how many items a server holds, what its process takes, full and idle, and how soon it is there.

import { setTimeout as sleep } from 'node:timers/promises'
import { fillUntil } from './drive.js'
import { QUARTILE } from './compare.js'
import { median, quantile } from './numbers.js'
import { bareNode, RunningServer, type ServerCommand, type StartOptions } from './servers.js'
import type { FootprintWorkload, HeldWorkload, IdleWorkload, StartWorkload } from './workloads.js'

export interface HeldSide {
  readonly server: string
  readonly items: number
  readonly itemBytes: number   // of all of them, as the server counts them
  readonly evictions: number
  readonly rssBytes: number
}

export interface FootprintSide {
  readonly server: string
  readonly threads: number
  readonly emptyBytes: number
  readonly fullBytes: number
}

export interface IdleSide {
  readonly server: string
  readonly threads: number
  readonly rssBytes: number
  readonly aboveNodeBytes: number
}

export interface StartSide {
  readonly server: string
  readonly ms: number          // lower quartile: other programs only ever delay a start
  readonly rssBytes: number
}

const IDLE_MS = 1000
const SETTLE_MS = 300   // for what a server still does after its first answer
const STARTS = 15
const IDLE_STARTS = 5

// Full when as many items were evicted as are held: everything has been replaced once.
export async function measureHeld({ valueBytes }: HeldWorkload, server: RunningServer): Promise<HeldSide> {
  const stats = await fillUntil(server.port, valueBytes, stats => stats.get('evictions')! >= stats.get('curr_items')!)
  const figure = (name: string): number => stats.get(name)!
  return {
    server: server.name, items: figure('curr_items'), itemBytes: figure('bytes'), evictions: figure('evictions'),
    rssBytes: server.rssBytes(),
  }
}

export async function measureFootprints(workload: FootprintWorkload,
  commands: readonly ServerCommand[]): Promise<FootprintSide[]> {
  const sides: FootprintSide[] = []
  for (const threads of workload.threads) {
    for (const command of commands) sides.push(await footprint(workload, command, threads))
  }
  return sides
}

async function footprint({ megabytes, valueBytes }: FootprintWorkload, command: ServerCommand,
  threads: number): Promise<FootprintSide> {
  const { server } = await RunningServer.startTimed(command, { megabytes, threads })
  try {
    await sleep(SETTLE_MS)
    const emptyBytes = server.rssBytes()
    await fillUntil(server.port, valueBytes, stats => stats.get('evictions')! > 0)
    return { server: command.name, threads, emptyBytes, fullBytes: server.rssBytes() }
  } finally {
    await server.stop()
  }
}

// All are started in turn; the figures are medians.
export async function measureIdle({ megabytes, threads }: IdleWorkload, commands: readonly ServerCommand[],
  quick: boolean): Promise<IdleSide[]> {
  const servers = threads.flatMap(threads => commands.map(command => ({ command, threads })))
  const asked = [{ command: bareNode, threads: 1 }, ...servers]
  const samples = asked.map((): number[] => [])
  for (let turn = 0; turn < (quick ? 1 : IDLE_STARTS); turn++) {
    for (const [index, { command, threads }] of asked.entries()) {
      samples[index]!.push(await idleBytes(command, { megabytes, threads }))
    }
  }
  const [nodeBytes = NaN] = samples.map(median)
  return asked.map(({ command, threads }, index) => {
    const rssBytes = median(samples[index]!)
    return { server: command.name, threads, rssBytes, aboveNodeBytes: rssBytes - nodeBytes }
  })
}

async function idleBytes(command: ServerCommand, options: StartOptions): Promise<number> {
  const server = await RunningServer.start(command, options)
  try {
    await sleep(IDLE_MS)
    return server.rssBytes()
  } finally {
    await server.stop()
  }
}

// Started in turn.
export async function measureStarts({ megabytes, threads }: StartWorkload, commands: readonly ServerCommand[],
  quick: boolean): Promise<StartSide[]> {
  const sides = commands.map(command => ({ command, starts: [] as { ms: number, rssBytes: number }[] }))
  for (let turn = 0; turn < (quick ? 1 : STARTS); turn++) {
    for (const { command, starts } of sides) starts.push(await startOnce(command, { megabytes, threads }))
  }
  return sides.map(({ command, starts }) => ({
    server: command.name, ms: quantile(starts.map(({ ms }) => ms), QUARTILE),
      rssBytes: median(starts.map(({ rssBytes }) => rssBytes)),
  }))
}

async function startOnce(command: ServerCommand, options: StartOptions): Promise<{ ms: number, rssBytes: number }> {
  const { server, ms } = await RunningServer.startTimed(command, options)
  const rssBytes = server.rssBytes()
  await server.stop()
  return { ms, rssBytes }
}
