// Pages that move between the classes of a store, whoever wants it: a command, the memory limit when it was lowered, or
// automove.ts. One page moves at a time. Commands of any thread ask; the steps are those of the background work.
import { type SlabClasses } from './classes.js'
import { PageOwner } from '../../memory/layout.js'
import { type Automove, type Move } from './automove.js'
import { type StoreContext } from '../context.js'
import { type Mover } from './mover.js'
import { type Moves } from './moves.js'
import { type Slabs } from './slabs.js'

/** What moves pages in one arena. */
export interface ArenaParts {
  readonly slabs: Slabs
  readonly moves: Moves
  readonly mover: Mover
  readonly automove: Automove
}

/** The answers to `slabs reassign`, as protocol.txt names them. */
export const enum Reassigned { Ok, Disabled, Busy, Same, BadClass, NoSpare, Unsafe }

/**
 * For so many steps after a move it is looked at each whether another one is wanted: a class in need has used up the page it
 * was given sooner than the next of the slower steps comes.
 */
const FOLLOW_STEPS = 20

/** What `slabs reassign` calls the pool, and any class. */
const POOL = 0
const ANY_CLASS = -1

export class Rebalance {
  private followSteps = 0

  constructor(private readonly arenas: readonly ArenaParts[], private readonly classes: SlabClasses,
    private readonly context: StoreContext) {}

  /** Whether a page is moving, or is about to. */
  get isUnderWay(): boolean { return this.arenas.some(({ moves }) => moves.isUnderWay) }

  /** Whether its steps should follow each other quickly. */
  get isAlert(): boolean { return this.isUnderWay || this.followSteps > 0 }

  /** Pages that any class may have. */
  get poolPages(): number { return this.arenas.reduce((sum, { slabs }) => sum + slabs.poolPages, 0) }

  /** What last held up a move: that of the arena where one was held up, if any was. */
  get busyStatus(): number { return this.arenas.reduce((status, { moves }) => moves.busyStatus || status, 0) }

  /** `slabs reassign`: has a page of one class moved to another; see Reassigned. */
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
    // no class was found, as memcached says it
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

  /** Begins what is wanted, if nothing is under way. */
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
   * Goes on with a move, in well below a millisecond; where there is none, begins what is asked for, and after a move what is
   * wanted. @returns whether one is under way
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
