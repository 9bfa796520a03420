// A pipe: what is on its way from one end of a connection to the other, in one direction, and the toxics that it passes. A pipe
// without toxics holds nothing up. The toxics are in the order in which they came.
import { monotonicMilliseconds } from '../clock.js'
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from '../timers.js'

/** The longest interval of a timer of Node's. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** Takes what comes out of a pipe, or of one of its stages. */
export interface Outlet {
  push(bytes: Buffer): void
  /** Nothing more comes. */
  end(): void
}

/** A part of a pipe. */
export abstract class Stage implements Outlet {
  next: Outlet = NOWHERE
  /** The bytes that it holds. */
  heldBytes = 0
  /** True if it holds anything, be it only the end. */
  abstract readonly isHolding: boolean

  abstract push(bytes: Buffer): void
  abstract end(): void
  /** Passes on all that it holds, as it is taken out of the pipe. */
  abstract release(): void
  /** Forgets all that it holds, as the connection is closed. */
  abstract drop(): void
}

const NOWHERE: Outlet = { push() {}, end() {} }

/** What a stage holds: bytes, or with undefined the end; and the moment at which it passes them on. */
interface Held { readonly bytes: Buffer | undefined, readonly dueAt: number }

/** A stage that passes on all that it gets, in order, some of it later. */
export abstract class DelayingStage extends Stage {
  private held: Held[] = []
  /** The index of the first that is still held: a slicer may hold so many that to move them all for each would take seconds. */
  private first = 0
  private stopTimer: (() => void) | undefined
  /** The moment before which nothing may pass on, as something before it has not. */
  private lastDueAt = -Infinity

  get isHolding(): boolean { return this.held.length > this.first }

  /** Passes bytes on after some milliseconds, but behind all that came before. */
  protected delay(bytes: Buffer | undefined, delayMs: number): void { this.delayUntil(bytes, now() + delayMs) }

  /** The moment at which the last of what it holds passes on, or now. */
  protected get freeAt(): number { return Math.max(this.lastDueAt, now()) }

  protected delayUntil(bytes: Buffer | undefined, moment: number): void {
    this.lastDueAt = Math.max(this.lastDueAt, moment)
    if (!this.isHolding && this.lastDueAt <= now()) return this.pass(bytes)
    this.held.push({ bytes, dueAt: this.lastDueAt })
    this.heldBytes += bytes?.length ?? 0
    this.arm()
  }

  private pass(bytes: Buffer | undefined): void {
    if (bytes === undefined) this.next.end()
    else this.next.push(bytes)
  }

  private arm(): void {
    const first = this.held[this.first]
    if (first === undefined || this.stopTimer !== undefined) return
    const delayMs = first.dueAt - now()
    if (delayMs < 1) {
      const turn = setImmediate(() => this.fire())
      this.stopTimer = () => clearImmediate(turn)
    } else {
      this.stopTimer = after(Math.ceil(delayMs), () => this.fire())
    }
  }

  /** True if everything that it passes on later has a turn of its own. */
  protected get keepsApart(): boolean { return false }

  private fire(): void {
    this.stopTimer = undefined
    while (this.isHolding && this.held[this.first]!.dueAt <= now()) {
      this.passFirst()
      if (this.keepsApart) break
    }
    this.arm()
  }

  private passFirst(): void {
    const { bytes } = this.held[this.first++]!
    if (this.first >= this.held.length / 2) {
      this.held = this.held.slice(this.first)
      this.first = 0
    }
    this.heldBytes -= bytes?.length ?? 0
    this.pass(bytes)
  }

  override release(): void {
    this.stop()
    while (this.isHolding) this.passFirst()
  }

  override drop(): void {
    this.stop()
    this.held = []
    this.first = 0
    this.heldBytes = 0
  }

  private stop(): void {
    this.stopTimer?.()
    this.stopTimer = undefined
  }
}

export class Pipe implements Outlet {
  private stages: { readonly rule: number, readonly stage: Stage }[] = []

  /** @param outlet the other end */
  constructor(private readonly outlet: Outlet) {}

  private get first(): Outlet { return this.stages[0]?.stage ?? this.outlet }

  push(bytes: Buffer): void { this.first.push(bytes) }

  end(): void { this.first.end() }

  has(rule: number): boolean { return this.stages.some(each => each.rule === rule) }

  get rules(): readonly number[] { return this.stages.map(({ rule }) => rule) }

  /** Adds a stage behind the others. @param rule the number by which it is removed */
  add(rule: number, stage: Stage): void {
    const last = this.stages.at(-1)?.stage
    stage.next = this.outlet
    if (last !== undefined) last.next = stage
    this.stages.push({ rule, stage })
  }

  /** Takes a stage out. What it holds goes on. */
  remove(rule: number): void {
    const index = this.stages.findIndex(each => each.rule === rule)
    if (index < 0) return
    const { stage } = this.stages[index]!
    stage.release()
    this.stages.splice(index, 1)
    const before = this.stages[index - 1]?.stage
    if (before !== undefined) before.next = stage.next
  }

  get heldBytes(): number { return this.stages.reduce((sum, { stage }) => sum + stage.heldBytes, 0) }

  /** True if all that comes in goes out at once, as it is. */
  get isOpen(): boolean { return this.stages.length === 0 }

  get isHolding(): boolean { return this.stages.some(({ stage }) => stage.isHolding) }

  /** Forgets all that is on its way. */
  drop(): void { for (const { stage } of this.stages.splice(0)) stage.drop() }
}

/** Calls a function after some milliseconds, unless it is stopped before. Keeps no process alive. */
export function after(delayMs: number, call: () => void): () => void {
  const timer = setTimeout(call, Math.min(delayMs, TIMER_MS_MAX))
  timer.unref()
  return () => clearTimeout(timer)
}

/** The machine's clock in milliseconds, with fractions. */
function now(): number { return monotonicMilliseconds() }
