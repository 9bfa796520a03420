// The lives of one key's values, out of its part of a history. A life is from the write of a value until that is replaced
// or removed; while it lasts, pieces and amounts may be added, and each makes a new version. What contradicts itself
// whatever the order of things was is found here: values that nobody wrote, versions that do not follow from each other,
// cas numbers that stand for two versions. When all of it happened is looked at in check.ts.

import { describeValue } from './history.js'
import type { Operation, Value } from './history.js'

/** An operation on one key, and when it can have taken effect: after `lo` and before `hi`. */
export class Event {
  lo: number
  hi: number
  /** Whose later beginning, or earlier end, made the bounds what they are. */
  loFrom: Event | undefined
  hiFrom: Event | undefined
  /** What was current just before or just after it, as far as that is known. */
  readonly lives: Life[] = []
  /** It certainly took effect. */
  isCertain: boolean

  constructor(readonly operation: Operation) {
    this.lo = operation.begin
    this.hi = operation.end
    this.isCertain = operation.isCertain
  }

  /** Whether there was nothing after it, or something that was not there before. */
  get replaces(): boolean {
    const { does } = this.operation.effect
    return does === 'write' || does === 'remove'
  }
}

/** Something that happened within a life. Of two, the one of the lower rank was first. */
export interface Observation {
  readonly event: Event
  readonly rank: number
}

export interface Version {
  readonly life: Life
  readonly value: Value
  /** How often it had been changed. */
  readonly rank: number
  readonly seen: Event[]
  token: string | undefined
}

export class Life {
  readonly versions = new Map<string, Version>()
  readonly observations: Observation[] = []
  /** Pieces in the order in which they were put there. */
  readonly sequences: (readonly Event[])[] = []

  constructor(readonly base: Event) {}

  observe(event: Event, rank: number): void {
    this.observations.push({ event, rank })
    if (!event.lives.includes(this)) event.lives.push(this)
    event.isCertain = true
  }
}

/** A history that cannot be. */
export class Contradiction extends Error {
  constructor(message: string, readonly events: readonly Event[]) {
    super(message)
  }
}

const BEFORE_ALL = -0.5
const AFTER_ALL = Infinity

export class Lives {
  readonly byBase = new Map<number, Life>()
  readonly byToken = new Map<string, Version>()
  private readonly byId = new Map<number, Event>()
  private readonly placed = new Map<Event, Life>()

  constructor(readonly events: readonly Event[]) {
    for (const event of events) this.byId.set(event.operation.id, event)
    for (const event of events) this.readSight(event)
    for (const event of events) this.readToken(event)
    for (const life of this.byBase.values()) this.order(life)
  }

  /** Takes down which values were seen. */
  private readSight(event: Event): void {
    const { id, saw, effect } = event.operation
    if (saw.is === 'value') {
      const version = this.version(event, saw.value, saw.token)
      version.life.observe(event, effect.does === 'remove' ? AFTER_ALL : version.rank)
    }
    if (effect.does === 'write' && effect.token !== undefined && effect.lasts !== 'never') {
      this.version(event, { base: id, front: [], back: [], sum: 0 }, effect.token)
    }
    if (effect.does === 'count' && effect.result !== undefined) {
      const version = this.version(event, effect.result, effect.token)
      version.life.observe(event, version.rank + BEFORE_ALL)
    }
  }

  private version(event: Event, value: Value, token: string | undefined): Version {
    const life = this.life(event, value)
    const name = `${value.front.join()} ${value.back.join()} ${value.sum}`
    let version = life.versions.get(name)
    if (version === undefined) {
      version = { life, value, rank: value.front.length + value.back.length + value.sum, seen: [], token: undefined }
      life.versions.set(name, version)
    }
    version.seen.push(event)
    if (token !== undefined) this.bind(version, token)
    return version
  }

  private life(event: Event, { base }: Value): Life {
    const known = this.byBase.get(base)
    if (known !== undefined) return known
    const writer = this.byId.get(base)
    if (writer === undefined || writer.operation.effect.does !== 'write') {
      throw new Contradiction('a value that nobody wrote', writer === undefined ? [event] : [event, writer])
    }
    if (writer.operation.effect.lasts === 'never') {
      throw new Contradiction('a value that had expired when it was written', [event, writer])
    }
    const life = new Life(writer)
    life.observe(writer, BEFORE_ALL)
    this.byBase.set(base, life)
    return life
  }

  /** A cas number belongs to one version, and a version has one. */
  private bind(version: Version, token: string): void {
    const bound = this.byToken.get(token)
    if (bound !== undefined && bound !== version) {
      throw new Contradiction(`cas number ${token} of two values`, [...bound.seen.slice(0, 2), ...version.seen.slice(-2)])
    }
    if (version.token !== undefined && version.token !== token) {
      throw new Contradiction(`cas numbers ${version.token} and ${token} of one value`, version.seen.slice(0, 4))
    }
    version.token = token
    this.byToken.set(token, version)
  }

  /** What succeeded because the cas number was right, happened while the item had that version. */
  private readToken(event: Event): void {
    const { saw, effect } = event.operation
    if (saw.is !== 'token') return
    const version = this.byToken.get(saw.token)
    if (version === undefined) return
    const { life } = version
    life.observe(event, event.replaces ? AFTER_ALL : version.rank)
    if (effect.does === 'nothing') return
    const other = [...version.seen].find(seen => seen !== event && usesUp(seen, saw.token))
    if (other !== undefined) throw new Contradiction(`cas number ${saw.token} was used up twice`, [other, event])
    version.seen.push(event)
    const later = [...life.versions.values()].find(({ rank, value }) => rank > version.rank && !follows(value, event))
    if (later === undefined) return
    throw new Contradiction('a change is lost: what it was made from was changed otherwise', [event, ...later.seen.slice(0, 2)])
  }

  /** Puts the versions of a life in order, and the pieces and amounts that made them. */
  private order(life: Life): void {
    const versions = [...life.versions.values()].sort((one, other) => one.rank - other.rank)
    for (const [index, version] of versions.entries()) {
      const previous = versions[index - 1]
      if (previous !== undefined && (previous.rank === version.rank || !isFollowedBy(previous.value, version.value))) {
        const both = `${describeValue(previous.value)} and ${describeValue(version.value)}`
        throw new Contradiction(`two values that cannot follow each other: ${both}`, [previous.seen[0]!, version.seen[0]!])
      }
      this.place(life, version, 'prepend')
      this.place(life, version, 'append')
    }
    const endings = new Set(life.observations.filter(({ rank }) => rank === AFTER_ALL).map(({ event }) => event))
    if (endings.size > 1) throw new Contradiction('a value was removed or replaced twice', [...endings])
    const longest = versions.at(-1)?.value
    for (const ids of [longest?.front ?? [], longest?.back ?? []]) life.sequences.push(ids.map(id => this.byId.get(id)!))
    this.orderCounts(life, versions)
  }

  /** The pieces that are in this version and in none before. */
  private place(life: Life, { value, rank, seen }: Version, does: 'prepend' | 'append'): void {
    const ids = does === 'prepend' ? value.front : value.back
    const known = new Set<Event>()
    for (const id of ids) {
      const event = this.byId.get(id)
      if (event?.operation.effect.does !== does) throw new Contradiction(`piece ${id} that nobody put there`, [seen[0]!])
      if (known.has(event)) throw new Contradiction(`piece ${id} twice in one value`, [seen[0]!, event])
      known.add(event)
      const placed = this.placed.get(event)
      if (placed === life) continue
      if (placed !== undefined) throw new Contradiction(`piece ${id} in two values`, [seen[0]!, event, placed.base])
      life.observe(event, rank + BEFORE_ALL)
      this.placed.set(event, life)
    }
  }

  /** Each amount goes on from where another ended; only amounts that were not answered can lie between. */
  private orderCounts(life: Life, versions: readonly Version[]): void {
    let at = 0
    let gaps = 0
    let last = life.base
    for (const { value, rank, seen } of versions) {
      if (value.front.length + value.back.length > 0) return
      const counts = seen.filter(({ operation: { effect } }) => effect.does === 'count' && effect.result?.sum === value.sum)
      if (counts.length > 1) throw new Contradiction(`two counts have the same result ${value.sum}`, counts)
      const [count] = counts
      const amount = count?.operation.effect.does === 'count' ? count.operation.effect.amount : 0
      if (rank - amount < at) {
        throw new Contradiction('a count is lost, or a number was seen in the middle of one', [last, seen[0]!])
      }
      gaps += rank - amount - at
      at = rank
      last = seen[0]!
    }
    const unanswered = this.events.reduce((sum, { operation: { effect } }) =>
      sum + (effect.does === 'count' && effect.result === undefined ? effect.amount : 0), 0)
    if (gaps > unanswered) throw new Contradiction(`the number went on by ${gaps} more than was added`, [life.base, last])
  }
}

/** Whether this operation changed the item because the cas number was right. */
function usesUp({ operation: { saw, effect } }: Event, token: string): boolean {
  return saw.is === 'token' && saw.token === token && effect.does !== 'nothing' && effect.does !== 'fade'
}

/** Whether a later version has in it what this operation added. */
function follows({ front, back }: Value, { operation: { id, effect: { does } } }: Event): boolean {
  if (does === 'prepend') return front.includes(id)
  if (does === 'append') return back.includes(id)
  return does === 'count' || does === 'fade'
}

function isFollowedBy(earlier: Value, later: Value): boolean {
  return begins(earlier.front, later.front) && begins(earlier.back, later.back)
}

function begins(part: readonly number[], whole: readonly number[]): boolean {
  return part.length <= whole.length && part.every((id, index) => whole[index] === id)
}
