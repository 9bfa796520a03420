// Hit ratios of the servers on a trace, and of simulated caches that hold as many items as the last server does at its end.

import { askStats } from '../connection.js'
import { median } from '../numbers.js'
import { startAll, stopAll, type ServerCommand } from '../servers.js'
import type { TraceWorkload } from '../workloads.js'
import { policies } from './policies.js'
import { Replay } from './replay.js'
import { keysOf } from './trace.js'

// The figures of a server are medians over the rounds.
export interface TraceSide {
  readonly server: string     // or a policy
  readonly items: number      // held at the end
  readonly hitRatio: number   // of all requests
  readonly refused: number    // sets that found no memory
}

export interface TraceResult {
  readonly kind: 'trace'
  readonly workload: TraceWorkload
  readonly requests: number
  readonly keys: number
  readonly sides: readonly TraceSide[]
  readonly simulated: readonly TraceSide[]
}

const TELL_MS = 500

// `tell` hears how much is done, 0 to 1.
export async function measureTrace(workload: TraceWorkload, commands: readonly ServerCommand[], rounds: number,
  tell: (share: number) => void): Promise<TraceResult> {
  const keys = keysOf(workload)
  const samples: TraceSide[][] = []
  while (samples.length < rounds) {
    samples.push(await replayAll(keys, workload, commands, share => tell((samples.length + share) / rounds)))
  }
  const sides = commands.map(({ name }, index) => medianOf(name, samples.map(sides => sides[index]!)))
  const { items } = sides.at(-1)!
  const simulated = Object.entries(policies).map(([server, hits]) =>
    ({ server, items, hitRatio: hits(keys, items) / keys.length, refused: 0 }))
  return { kind: 'trace', workload, requests: keys.length, keys: new Set(keys).size, sides, simulated }
}

// To all servers at the same time, each from its own connection.
async function replayAll(keys: Uint32Array, { valueBytes, megabytes }: TraceWorkload, commands: readonly ServerCommand[],
  tell: (share: number) => void): Promise<TraceSide[]> {
  const servers = await startAll(commands, { megabytes })
  const replays = servers.map(({ port }) => new Replay(port, keys, valueBytes))
  const timer = setInterval(() => tell(Math.min(...replays.map(({ done }) => done)) / keys.length), TELL_MS)
  try {
    await Promise.all(replays.map(replay => replay.run()))
    return await Promise.all(servers.map(async ({ name, port }, index) => {
      const { hits, refused } = replays[index]!
      return { server: name, items: (await askStats(port)).get('curr_items')!, hitRatio: hits / keys.length, refused }
    }))
  } finally {
    clearInterval(timer)
    await stopAll(servers)
  }
}

function medianOf(server: string, sides: readonly TraceSide[]): TraceSide {
  const figure = (name: 'items' | 'hitRatio' | 'refused'): number => median(sides.map(side => side[name]))
  return { server, items: Math.round(figure('items')), hitRatio: figure('hitRatio'), refused: figure('refused') }
}
