// Hit ratios of the servers on a trace, and of simulated caches that hold as many items as the last server does at its end.

import { askStats } from '../connection.js'
import { RunningServer, type ServerCommand } from '../servers.js'
import type { TraceWorkload } from '../workloads.js'
import { policies } from './policies.js'
import { Replay } from './replay.js'
import { keysOf } from './trace.js'

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

// The servers replay it at the same time, each from its own connection. `tell` hears how much is done, 0 to 1.
export async function measureTrace(workload: TraceWorkload, commands: readonly ServerCommand[],
  tell: (share: number) => void): Promise<TraceResult> {
  const keys = keysOf(workload)
  const { valueBytes, megabytes } = workload
  const servers = await Promise.all(commands.map(command => RunningServer.start(command, { megabytes })))
  const replays = servers.map(({ port }) => new Replay(port, keys, valueBytes))
  const timer = setInterval(() => tell(Math.min(...replays.map(({ done }) => done)) / keys.length), 500)
  try {
    await Promise.all(replays.map(replay => replay.run()))
    const sides = await Promise.all(servers.map(async ({ name, port }, index): Promise<TraceSide> => {
      const items = (await askStats(port)).get('curr_items')!
      const { hits, refused } = replays[index]!
      return { server: name, items, hitRatio: hits / keys.length, refused }
    }))
    const { items } = sides.at(-1)!
    const simulated = Object.entries(policies).map(([server, hits]) =>
      ({ server, items, hitRatio: hits(keys, items) / keys.length, refused: 0 }))
    return { kind: 'trace', workload, requests: keys.length, keys: new Set(keys).size, sides, simulated }
  } finally {
    clearInterval(timer)
    await Promise.all(servers.map(server => server.stop()))
  }
}
