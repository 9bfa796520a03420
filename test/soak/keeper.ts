// The server of a soak, in a process of its own so that what it takes can be told: four threads over one store, as built.
// It does what its parent says, a word at a time, and answers each.

import { ServerCore } from '../../dist/server/core.js'
import type { Options } from '../../src/options/options.js'

export type Order =
  | { readonly say: 'start', readonly options: Partial<Options> }
  /** The bytes of memory that the process takes. */
  | { readonly say: 'rss' }
  /** Whether the store is whole. */
  | { readonly say: 'verify' }
  /** Close the server, and verify the store once more. */
  | { readonly say: 'stop' }

export type Answer = { readonly number: number } | { readonly problem: string }

let server: ServerCore | undefined
process.on('message', (order: Order) => {
  obey(order).then(
    number => process.send?.({ number }),
    (error: unknown) => process.send?.({ problem: error instanceof Error ? error.stack ?? error.message : String(error) }),
  )
})
process.on('disconnect', () => process.exit())

async function obey(order: Order): Promise<number> {
  switch (order.say) {
    case 'start':
      server = new ServerCore({ ...order.options, port: -1, listen: ['127.0.0.1'] }, { failed: error => { throw error } })
      await server.listen()
      return server.port
    case 'rss': return process.memoryUsage.rss()
    case 'verify':
      server?.verify()
      return 0
    case 'stop':
      await server?.close()
      server?.verify()
      return 0
  }
}
