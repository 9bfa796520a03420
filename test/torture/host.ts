// The server that is tortured: memslab in this process, with several threads, or the memcached of this machine.
// MEMSLAB_TORTURE_THREADS is how many threads, MEMSLAB_TORTURE_SERVER=memcached chooses the other one.
// memcached 1.6.18 is not without fault: an incr of an item that is being read gives the new cas number to the old item
// too, so once in some million requests a reader is told the old number with the cas number of the new one.

import type { Test } from 'tap'

import { ServerCore } from '../../dist/server/core.js'
import type { Options } from '../../src/options/options.js'
import { until } from '../support/patience.js'
import { Client } from '../support/client.js'
import { startReal } from '../support/real.js'

const THREADS = Number(process.env['MEMSLAB_TORTURE_THREADS'] ?? 4)
const isForeign = process.env['MEMSLAB_TORTURE_SERVER'] === 'memcached'
const MIB = 2 ** 20

export interface Victim {
  readonly port: number
  stat(name: string): Promise<number>
  /** When all clients have gone: nothing is left of them, and the store is whole. */
  verify(): Promise<void>
}

export async function startVictim(t: Test, options: Pick<Partial<Options>, 'maxbytes'> = {}): Promise<Victim> {
  if (isForeign) {
    const { port } = await startReal(t, ['-t', String(THREADS), '-m', String((options.maxbytes ?? 64 * MIB) / MIB)])
    return { port, stat: name => readStat(port, name), verify: () => Promise.resolve() }
  }
  const server = new ServerCore({ ...options, threads: THREADS, port: -1, listen: ['127.0.0.1'] })
  t.teardown(() => server.close())
  await server.listen()
  const { port } = server
  return {
    port,
    stat: name => readStat(port, name),
    verify: async () => {
      await until('all connections are gone', async () => await readStat(port, 'curr_connections') === 1)
      server.verify()
      await server.close()
      server.verify()
    },
  }
}

async function readStat(port: number, name: string): Promise<number> {
  const client = await Client.connect({ host: '127.0.0.1', port })
  const stats = await client.says('stats\r\n', /^(STAT .*\r\n)*END\r\n$/)
  await client.hangUp()
  return Number(new RegExp(`^STAT ${name} (\\d+)\\r$`, 'm').exec(stats.toString('latin1'))?.[1])
}
