// The toxics: stages of a pipe that do what toxiproxy's toxics of the same names do.
import { type Chance } from './chance.js'
import { type Toxic, type ToxicAttributes } from './faults.js'
import { after, DelayingStage, Stage } from './pipe.js'

/** The most milliseconds of a bandwidth that pass in one piece, as with toxiproxy. */
const PIECE_MS = 100

/** The least time between two pieces of a slicer, so that each is a write of its own. */
const DELAY_MS_MIN = 0.001

/** Resets the connection. */
type Reset = () => void

/** Makes the stage of a toxic for one connection. */
export function stageOf(toxic: Toxic, chance: Chance, reset: Reset): Stage {
  switch (toxic.type) {
    case 'latency': return new Latency(toxic.attributes, chance)
    case 'bandwidth': return new Bandwidth(toxic.attributes.rate)
    case 'slow_close': return new SlowClose(toxic.attributes.delay)
    case 'timeout': return new Timeout(toxic.attributes?.timeout ?? 0)
    case 'reset_peer': return new ResetPeer(toxic.attributes?.timeout ?? 0, reset)
    case 'slicer': return new Slicer(toxic.attributes, chance)
    case 'limit_data': return new LimitData(toxic.attributes.bytes)
  }
}

class Latency extends DelayingStage {
  constructor(private readonly attributes: ToxicAttributes['latency'], private readonly chance: Chance) { super() }

  push(bytes: Buffer): void {
    const { latency, jitter = 0 } = this.attributes
    this.delay(bytes, Math.max(latency + (jitter > 0 ? this.chance.around(jitter) : 0), 0))
  }

  end(): void { this.delay(undefined, 0) }
}

/** A piece passes on when the time is over that all its bytes take. */
class Bandwidth extends DelayingStage {
  /** @param rate kilobytes a second, which is bytes a millisecond */
  constructor(private readonly rate: number) { super() }

  push(bytes: Buffer): void {
    const pieceBytes = Math.max(Math.floor(this.rate * PIECE_MS), 1)
    for (let at = 0; at < bytes.length; at += pieceBytes) {
      const piece = bytes.subarray(at, at + pieceBytes)
      this.delayUntil(piece, this.freeAt + piece.length / this.rate)
    }
  }

  end(): void { this.delay(undefined, 0) }
}

class SlowClose extends DelayingStage {
  constructor(private readonly delayMs: number) { super() }

  push(bytes: Buffer): void { this.delay(bytes, 0) }

  end(): void { this.delay(undefined, this.delayMs) }
}

/** The pieces differ in size by chance; each is a write of its own. */
class Slicer extends DelayingStage {
  constructor(private readonly attributes: ToxicAttributes['slicer'], private readonly chance: Chance) { super() }

  protected override get keepsApart(): boolean { return true }

  push(bytes: Buffer): void {
    const { average_size: average, size_variation: variation = 0, delay = 0 } = this.attributes
    for (let at = 0; at < bytes.length;) {
      const end = Math.min(at + Math.max(average + (variation > 0 ? this.chance.around(variation) : 0), 1), bytes.length)
      this.delayUntil(bytes.subarray(at, end), this.freeAt + Math.max(delay / 1000, DELAY_MS_MIN))
      at = end
    }
  }

  end(): void { this.delay(undefined, 0) }
}

/** Drops all bytes. When it is removed, the connection is closed, as with toxiproxy: bytes of its conversation are missing. */
class Timeout extends Stage {
  readonly isHolding = false
  private isOver = false
  private readonly stop: () => void

  constructor(timeoutMs: number) {
    super()
    this.stop = timeoutMs === 0 ? () => {} : after(timeoutMs, () => this.release())
  }

  push(): void {}

  end(): void { this.release() }

  release(): void {
    if (this.isOver) return
    this.drop()
    this.next.end()
  }

  drop(): void {
    this.stop()
    this.isOver = true
  }
}

/** Drops all bytes, the first of which start the time. */
class ResetPeer extends Stage {
  readonly isHolding = false
  private stop = (): void => {}
  private hasBegun = false

  constructor(private readonly timeoutMs: number, private readonly reset: Reset) { super() }

  push(): void { this.begin() }

  end(): void { this.begin() }

  private begin(): void {
    if (this.hasBegun) return
    this.hasBegun = true
    if (this.timeoutMs === 0) return this.reset()
    this.stop = after(this.timeoutMs, this.reset)
  }

  release(): void {
    this.stop()
    if (this.hasBegun) this.reset()
  }

  drop(): void { this.stop() }
}

class LimitData extends Stage {
  readonly isHolding = false
  private isOver = false

  constructor(private leftBytes: number) { super() }

  push(bytes: Buffer): void {
    if (this.isOver) return
    const count = Math.min(bytes.length, this.leftBytes)
    this.leftBytes -= count
    if (count > 0) this.next.push(bytes.subarray(0, count))
    if (this.leftBytes === 0) this.end()
  }

  end(): void {
    if (this.isOver) return
    this.isOver = true
    this.next.end()
  }

  release(): void {}

  drop(): void { this.isOver = true }
}
