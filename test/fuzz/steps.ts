// Random steps: some frames one behind the other, most of them good, some
// spoiled, cut into pieces anywhere.

import type { Prng } from '../support/prng.js'
import type { Frames } from './frames.js'
import { mutate, splice } from './mutate.js'
import type { Step } from './world.js'

const FRAMES_MAX = 30
const PIECES_MAX = 6
/** Connections that stay in the middle of something while the next ones come. */
export const STAYING_MAX = 50
/** More than the shortest life that the frames give an item. */
const SECONDS_MAX = 1200
const ONE_SPOILED_IN = [0, 2, 5, 20]

export interface Source {
  readonly isBinary: boolean
  readonly frames: Frames
  /** What most streams begin with. */
  readonly greeting?: Buffer
}

export class Steps {
  private last: Buffer = Buffer.alloc(0)

  constructor(private readonly prng: Prng, private readonly sources: readonly Source[]) {}

  next(): Step {
    const { prng } = this
    const stream = this.stream()
    const pieces = this.pieces(prng.oneIn(10) ? splice(stream, this.last, prng) : stream)
    this.last = stream
    return {
      pieces,
      pausedFrom: prng.oneIn(5) ? prng.below(pieces.length) : undefined,
      staying: prng.oneIn(50) ? prng.below(STAYING_MAX) : STAYING_MAX,
      seconds: prng.oneIn(50) ? prng.below(SECONDS_MAX) : 0,
    }
  }

  private stream(): Buffer {
    const { prng } = this
    const { frames, isBinary, greeting } = prng.pick(this.sources)
    const oneIn = prng.pick(ONE_SPOILED_IN)
    const spoiled = Array.from({ length: prng.between(1, FRAMES_MAX) }, () => {
      const frame = frames()
      return oneIn > 0 && prng.oneIn(oneIn) ? mutate(frame, prng, isBinary) : frame
    })
    return Buffer.concat(greeting === undefined || prng.oneIn(10) ? spoiled : [greeting, ...spoiled])
  }

  private pieces(stream: Buffer): Buffer[] {
    const { prng } = this
    const places = Array.from({ length: prng.below(PIECES_MAX) }, () => prng.below(stream.length + 1))
      .sort((one, other) => one - other)
    return [...places, stream.length].map((place, index) => stream.subarray(places[index - 1] ?? 0, place))
  }
}
