// Moves pages between the classes of a store. A move may be wanted by a command, by the memory limit if it was lowered, or by
// automove.ts. One page moves at a time. Commands in any thread ask for moves; the background work carries them out in steps.
import { type SlabClasses } from './classes.js'
import { PageOwner } from '../../memory/layout.js'
import { type Automove, type Move } from './automove.js'
import { type StoreContext } from '../context.js'
import { type Mover } from './mover.js'
import { type Moves } from './moves.js'
import { type Slabs } from './slabs.js'

/** The parts that move the pages of one arena. */
export interface ArenaParts {
  readonly slabs: Slabs
  readonly moves: Moves
  readonly mover: Mover
  readonly automove: Automove
}

/** The results of `slabs reassign`, with the names of protocol.txt. */
export const enum Reassigned { Ok, Disabled, Busy, Same, BadClass, NoSpare, Unsafe }

/**
 * The number of quick steps after a move in which automove is asked for another one, as a class that needs memory may use up the
 * page before the next slow step.
 */
const FOLLOW_STEPS = 20

/** The number of the pool in `slabs reassign`. */
const POOL = 0
/** The number in `slabs reassign` that stands for any class. */
const ANY_CLASS = -1

export class Rebalance {
  private followSteps = 0

  constructor(private readonly arenas: readonly ArenaParts[], private readonly classes: SlabClasses,
    private readonly context: StoreContext) {}

  /** True if a page is moving, or is about to. */
  get isUnderWay(): boolean { return this.arenas.some(({ moves }) => moves.isUnderWay) }

  /** True if its steps should follow each other quickly. */
  get isAlert(): boolean { return this.isUnderWay || this.followSteps > 0 }

  /** The number of pages in the pool, which any class may take. */
  get poolPages(): number { return this.arenas.reduce((sum, { slabs }) => sum + slabs.poolPages, 0) }

  /** The reason that last held up a move, of the last arena in which one was held up. */
  get busyStatus(): number { return this.arenas.reduce((status, { moves }) => moves.busyStatus || status, 0) }

  /** `slabs reassign`: asks for a page of one class to be moved to another. */
  reassign(from: number, to: number): Reassigned {
    const { largest } = this.classes
    if (!this.context.settings.slabReassign) return Reassigned.Disabled
    if (this.isUnderWay) return Reassigned.Busy
    if (from === to) return Reassigned.Same
    if (from < ANY_CLASS || from > largest || to < POOL || to > largest) return Reassigned.BadClass
    if (from === POOL) return this.reassignFromPool(to)
    const owner = to === POOL ? PageOwner.Pool : to
    if (from === ANY_CLASS) return this.reassignAny(owner)
    const able = this.arenas.filter(({ slabs }) => slabs.canSpare(from))
    if (able.length === 0) return Reassigned.NoSpare
    const arena = able.find(({ slabs }) => slabs.leastUsedPage(from, owner) !== 0)
    if (arena === undefined) return Reassigned.Unsafe
    return arena.moves.ask(from, owner) ? Reassigned.Ok : Reassigned.Busy
  }

  private reassignAny(to: number): Reassigned {
    for (const { automove, moves } of this.arenas) {
      const from = automove.pickSource(to)
      if (from > 0) return moves.ask(from, to) ? Reassigned.Ok : Reassigned.Busy
    }
    // memcached's result if no class has a page to spare
    return Reassigned.BadClass
  }

  private reassignFromPool(to: number): Reassigned {
    for (const { slabs } of this.arenas) {
      slabs.lock(to)
      const isTaken = slabs.takeFromPoolClassLocked(to)
      slabs.unlock(to)
      if (isTaken) return Reassigned.Ok
    }
    return Reassigned.NoSpare
  }

  // Background

  /** Begins a move that is asked for or wanted, if none is under way. */
  decide(): void {
    if (!this.context.settings.slabReassign || this.arenas.some(({ moves }) => moves.page !== 0)) return
    for (const arena of this.arenas) {
      const { asked } = arena.moves
      const move = asked ?? this.wanted(arena)
      const isBegun = move !== undefined && arena.mover.begin(move.from, move.to)
      if (asked !== undefined) arena.moves.forget()
      if (isBegun) return
    }
  }

  private wanted({ automove, slabs }: ArenaParts): Move | undefined {
    if (slabs.isOverLowered) {
      slabs.withdrawPool()
      const from = slabs.isOverLowered ? automove.pickSource(PageOwner.Withdrawn) : 0
      if (from > 0) return { from, to: PageOwner.Withdrawn }
    }
    return automove.decide()
  }

  /**
   * Goes on with a move, in well below a millisecond. If there is none, begins one that is asked for and, soon after a move, one
   * that is wanted. @returns true if a move is under way
   */
  step(): boolean {
    const moving = this.arenas.find(({ moves }) => moves.page !== 0)
    moving?.mover.step()
    if (moving?.moves.page === 0) this.followSteps = FOLLOW_STEPS
    if (this.isAlert && this.arenas.every(({ moves }) => moves.page === 0)) {
      if (this.followSteps > 0) this.followSteps--
      this.decide()
    }
    return this.isUnderWay
  }
}
