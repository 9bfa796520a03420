// The stream of requests as a whole: several connections, text and binary, take
// turns on the same keys, a batch at a time.

import type { Prng } from '../support/prng.js'
import { BinaryGenerator } from './binary.js'
import { ClassicGenerator } from './classic.js'
import { differenceOf } from './differences.js'
import { MetaGenerator } from './meta.js'
import type { Generator, Request } from './request.js'

const TEXT_CONNECTIONS = 2
const BINARY_CONNECTIONS = 2
const BATCH_MAX = 20

/** Requests that are sent in one go on one connection, all text commands or all binary. */
export interface Batch {
  readonly connection: number
  readonly requests: readonly Request[]
}

export class Stream {
  private readonly text: readonly Generator[]
  private readonly binary: readonly Generator[]

  constructor(readonly prng: Prng) {
    this.text = [new ClassicGenerator(prng), new ClassicGenerator(prng), new MetaGenerator(prng)]
    this.binary = [new BinaryGenerator(prng)]
  }

  /**
   * A request that the two servers answer differently, or that ends the connection, is alone in its batch; where it comes
   * up in the middle of one, it ends that and is left out.
   */
  next(): Batch {
    const { prng } = this
    const connection = prng.below(TEXT_CONNECTIONS + BINARY_CONNECTIONS)
    const generators = connection < TEXT_CONNECTIONS ? this.text : this.binary
    const requests: Request[] = []
    while (requests.length < BATCH_MAX) {
      const request = prng.pick(generators).next()
      const difference = differenceOf(request)
      if (difference !== undefined && difference.answer === undefined) continue
      if (isChance(request, requests)) break
      const isAlone = difference !== undefined || request.closes === true
      if (isAlone && requests.length > 0) break
      requests.push(request)
      if (isAlone || prng.oneIn(8)) break
    }
    return { connection, requests }
  }
}

/**
 * memcached changes a counter in place, padded with spaces, unless an answer with its old value waits to be written:
 * then the new value is as long as its digits. Which of the two happens after a get in the same write is chance.
 */
function isChance(request: Request, before: readonly Request[]): boolean {
  return request.does === 'count' && before.some(({ does }) => does === 'read')
}
