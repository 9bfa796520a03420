// One process of a crew (crew.ts): does what it is told until it is ended.

import { Prng } from '../support/prng.js'
import type { Answer, Order } from './crew.js'
import { perform } from './task.js'

process.on('message', (order: Order) => {
  perform(order, new Prng(order.seed)).then(
    result => tell({ result }),
    (error: unknown) => tell({ problem: error instanceof Error ? error.stack ?? error.message : String(error) }),
  )
})
process.on('disconnect', () => process.exit())
process.send?.('ready')

function tell(answer: Answer): void {
  process.send?.(answer)
}
