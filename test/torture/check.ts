// Judges a history: could a server that does one thing after the other have given these answers? What is found is
// certainly wrong; what is not found need not be right, as there is no search through all orders.
//
// Each operation took effect at one moment between its beginning and its end. A life that was seen at two moments lasted
// from the one to the other, so nothing that replaces or misses it has happened in between, and no other life was
// there. What could have happened partly in between did not happen there, which narrows its own bounds, and with them
// those of lives and of what the same connection did before and after. This goes on until nothing changes, or until
// something has no moment left at which it can have happened.

import { describe, EVERY_KEY } from './history.js'
import type { Operation } from './history.js'
import { Contradiction, Event, Lives } from './lives.js'
import type { Life } from './lives.js'

export interface CheckOptions {
  /** Whether the server may drop an item when it is short of memory. */
  readonly canEvict: boolean
}

export interface Fault {
  readonly message: string
  /** What contradicts itself, and what makes their bounds so narrow. */
  readonly operations: readonly Operation[]
}

const PASSES_MAX = 12
const SHOWN_MAX = 16

export function check(operations: readonly Operation[], { canEvict }: CheckOptions): Fault | undefined {
  try {
    const keys = eventsByKey(operations).map(events => new Lives(events))
    const connections = inOrder(keys)
    for (let pass = 0; pass < PASSES_MAX; pass++) {
      let hasChanged = false
      for (const events of connections) if (orderConnection(events)) hasChanged = true
      for (const lives of keys) if (narrow(lives)) hasChanged = true
      if (!hasChanged) break
    }
    for (const lives of keys) {
      checkTokens(lives)
      checkPresence(lives)
      if (!canEvict) checkAbsence(lives)
    }
    return undefined
  } catch (error) {
    if (!(error instanceof Contradiction)) throw error
    return { message: error.message, operations: withCauses(error.events).map(({ operation }) => operation) }
  }
}

/** In words, a line an operation. */
export function report({ message, operations }: Fault): string {
  return [message, ...operations.map(describe)].join('\n  ')
}

/** The events of each key, and among them a copy of every flush. */
function eventsByKey(operations: readonly Operation[]): Event[][] {
  const keys = new Map<string, Event[]>()
  for (const { key } of operations) if (key !== EVERY_KEY) keys.set(key, [])
  for (const operation of operations) {
    if (operation.key !== EVERY_KEY) keys.get(operation.key)?.push(new Event(operation))
    else for (const events of keys.values()) events.push(new Event(operation))
  }
  return [...keys.values()]
}

/** The events of each connection in their order. A flush comes to one key after the other, so it has no place there. */
function inOrder(keys: readonly Lives[]): Event[][] {
  const connections = new Map<number, Event[]>()
  const events = keys.flatMap(({ events }) => events).filter(({ operation }) => operation.key !== EVERY_KEY)
  for (const event of events.sort((one, other) => one.operation.id - other.operation.id)) {
    const { connection } = event.operation
    const known = connections.get(connection)
    if (known === undefined) connections.set(connection, [event])
    else known.push(event)
  }
  return [...connections.values()]
}

/** The events that have been found wrong, and those that say why their bounds are what they are. */
function withCauses(events: readonly Event[]): Event[] {
  const shown = new Set(events)
  for (const event of shown) {
    if (shown.size >= SHOWN_MAX) break
    if (event.loFrom !== undefined) shown.add(event.loFrom)
    if (event.hiFrom !== undefined) shown.add(event.hiFrom)
  }
  return [...shown]
}

// Bounds

function raise(event: Event, lo: number, because: Event, why: string): boolean {
  if (lo <= event.lo) return false
  event.lo = lo
  event.loFrom = because
  insistOnAMoment(event, because, why)
  return true
}

function lower(event: Event, hi: number, because: Event, why: string): boolean {
  if (hi >= event.hi) return false
  event.hi = hi
  event.hiFrom = because
  insistOnAMoment(event, because, why)
  return true
}

function insistOnAMoment(event: Event, because: Event, why: string): void {
  if (event.lo < event.hi) return
  throw new Contradiction(`there is no moment at which the first of these can have happened: ${why}`, [event, because])
}

/** Each of them was after the one before. */
function orderConnection(events: readonly Event[]): boolean {
  let hasChanged = false
  const why = 'one connection is served in order'
  for (let index = 1; index < events.length; index++) {
    const previous = events[index - 1]!
    if (raise(events[index]!, previous.lo, previous, why)) hasChanged = true
  }
  for (let index = events.length - 2; index >= 0; index--) {
    const next = events[index + 1]!
    if (lower(events[index]!, next.hi, next, why)) hasChanged = true
  }
  return hasChanged
}

function narrow(lives: Lives): boolean {
  let hasChanged = false
  for (const life of lives.byBase.values()) {
    if (orderLife(life)) hasChanged = true
    for (const sequence of life.sequences) if (orderConnection(sequence)) hasChanged = true
  }
  const spans = spansOf(lives)
  for (const event of lives.events) if (keepOut(event, spans)) hasChanged = true
  return hasChanged
}

/** Within a life, what has the lower rank was first. */
function orderLife(life: Life): boolean {
  let hasChanged = false
  const why = 'a later state of the value was there before an earlier one'
  const sorted = life.observations.sort((one, other) => one.rank - other.rank)
  let latest: Event | undefined
  let pending: Event | undefined
  for (const [index, { event, rank }] of sorted.entries()) {
    if (index > 0 && sorted[index - 1]!.rank < rank) latest = pending
    if (latest !== undefined && raise(event, latest.lo, latest, why)) hasChanged = true
    if (pending === undefined || event.lo > pending.lo) pending = event
  }
  let earliest: Event | undefined
  pending = undefined
  for (let index = sorted.length - 1; index >= 0; index--) {
    const { event, rank } = sorted[index]!
    if (index < sorted.length - 1 && sorted[index + 1]!.rank > rank) earliest = pending
    if (earliest !== undefined && lower(event, earliest.hi, earliest, why)) hasChanged = true
    if (pending === undefined || event.hi < pending.hi) pending = event
  }
  return hasChanged
}

// Spans

/** When a life certainly was: from the end of one event to the beginning of another. */
interface Span {
  readonly life: Life
  readonly first: Event
  readonly last: Event
  readonly start: number
  readonly end: number
}

/** In order; no two can have a moment in common. */
function spansOf(lives: Lives): Span[] {
  const spans: Span[] = []
  for (const life of lives.byBase.values()) {
    let first = life.base
    let last = life.base
    for (const { event } of life.observations) {
      if (event.hi < first.hi) first = event
      if (event.lo > last.lo) last = event
    }
    if (first.hi < last.lo) spans.push({ life, first, last, start: first.hi, end: last.lo })
  }
  spans.sort((one, other) => one.start - other.start)
  for (const [index, span] of spans.entries()) {
    const previous = spans[index - 1]
    if (previous === undefined || previous.end <= span.start) continue
    throw new Contradiction('two values were there at one time: the first two were of one, the others of another',
      [previous.first, previous.last, span.first, span.last])
  }
  return spans
}

/** What cannot have happened within a life of which it was no part did not. */
function keepOut(event: Event, spans: readonly Span[]): boolean {
  if (!isForeign(event)) return false
  let hasChanged = false
  const why = 'the value was there before and after it, and it would have ended it, or seen it'
  for (let index = Math.max(0, spanAt(spans, event.lo)); index < spans.length; index++) {
    const span = spans[index]!
    if (span.start > event.lo || span.end <= event.lo || event.lives.includes(span.life)) break
    raiseOut(event, span, why)
    hasChanged = true
  }
  for (let index = spanAt(spans, event.hi); index >= 0; index--) {
    const span = spans[index]!
    if (span.start === event.hi) continue
    if (span.end < event.hi || event.lives.includes(span.life)) break
    lower(event, span.start, span.first, why)
    hasChanged = true
  }
  return hasChanged
}

function raiseOut(event: Event, span: Span, why: string): void {
  if (span.end >= event.hi && span.start <= event.lo) {
    throw new Contradiction('a value was seen after something that ended it, or was missed while it was there: ' +
      'the first of these was between the others', [event, span.first, span.last, span.life.base])
  }
  raise(event, span.end, span.last, why)
}

/** The last span that starts at or before this number; -1 if none does. */
function spanAt(spans: readonly Span[], order: number): number {
  let low = -1
  let high = spans.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if (spans[middle]!.start <= order) low = middle
    else high = middle - 1
  }
  return low
}

/** Whether it cannot have happened in the middle of a life other than those it is known to be part of. */
function isForeign({ isCertain, lives, operation: { saw, effect } }: Event): boolean {
  if (saw.is === 'absent' || lives.length > 0) return true
  if (!isCertain) return false
  // A piece that nobody saw was put to a life that nobody saw after it.
  return effect.does === 'write' || effect.does === 'remove' || effect.does === 'append' || effect.does === 'prepend'
}

// Conditions that only the final bounds can show

/** A change was refused for its cas number, so it was not while the item had that number. */
function checkTokens(lives: Lives): void {
  for (const event of lives.events) {
    const { saw } = event.operation
    if (saw.is !== 'other') continue
    const seen = lives.byToken.get(saw.token)?.seen ?? []
    const before = seen.find(other => other.hi <= event.lo)
    const after = seen.find(other => other.lo >= event.hi)
    if (before !== undefined && after !== undefined) {
      throw new Contradiction(`cas number ${saw.token} was refused while it was the right one`, [event, before, after])
    }
  }
}

/** What found an item was after a write, with nothing between that certainly removed it. */
function checkPresence({ events }: Lives): void {
  const writers = new Within(events.filter(isWriter))
  const removers = new Before(events.filter(isCertainRemover))
  const removals = events.filter(({ isCertain, operation: { saw, effect } }) =>
    isCertain && effect.does === 'remove' && saw.is !== 'unknown')
  for (const event of events) {
    const { is } = event.operation.saw
    if (is === 'unknown' || is === 'absent') continue
    const remover = removers.last(event)
    if (writers.has(event, remover?.lo ?? -1)) continue
    const causes = remover === undefined ? [] : [remover]
    throw new Contradiction('an item was found that nobody can have written', [event, ...causes])
  }
  checkCount(removals, events.filter(isWriter), 0, 'more removals succeeded than there were items')
}

/** What found nothing was before every write, or after something that can have removed the item. */
function checkAbsence({ events }: Lives): void {
  const removers = new Within(events.filter(isRemover))
  const writers = new Before(events.filter(event => isWriter(event) && event.isCertain))
  const additions = events.filter(event => event.operation.saw.is === 'absent' && isWriter(event) && event.isCertain)
  for (const event of events) {
    if (event.operation.saw.is !== 'absent') continue
    const writer = writers.last(event)
    if (writer === undefined || removers.has(event, writer.lo)) continue
    throw new Contradiction('an item was missed that nothing can have removed', [event, writer])
  }
  checkCount(additions, events.filter(isRemover), 1, 'more additions succeeded than there was room for')
}

/** Between two successes something else happened: there are no more of the ones than of the others, and `ahead`. */
function checkCount(successes: readonly Event[], others: readonly Event[], ahead: number, message: string): void {
  const begins = others.map(({ lo }) => lo).sort((one, other) => one - other)
  const sorted = [...successes].sort((one, other) => one.hi - other.hi)
  let begun = 0
  for (const [index, success] of sorted.entries()) {
    while (begun < begins.length && begins[begun]! < success.hi) begun++
    if (index + 1 > begun + ahead) throw new Contradiction(message, sorted.slice(Math.max(0, index - 3), index + 1))
  }
}

function isWriter({ operation: { effect } }: Event): boolean {
  return effect.does === 'write' && effect.lasts !== 'never'
}

function isCertainRemover({ isCertain, operation: { effect } }: Event): boolean {
  return isCertain && (effect.does === 'remove' || (effect.does === 'write' && effect.lasts === 'never'))
}

function isRemover({ operation: { effect } }: Event): boolean {
  return effect.does === 'remove' || effect.does === 'fade' || (effect.does === 'write' && effect.lasts !== undefined)
}

/** Finds the event that certainly was before another and began last. */
class Before {
  private readonly sorted: readonly Event[]
  private readonly best: Event[] = []

  constructor(events: readonly Event[]) {
    this.sorted = [...events].sort((one, other) => one.hi - other.hi)
    for (const event of this.sorted) {
      const best = this.best.at(-1)
      this.best.push(best === undefined || event.lo > best.lo ? event : best)
    }
  }

  last({ lo }: Event): Event | undefined {
    let low = 0
    let high = this.sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.sorted[middle]!.hi <= lo) low = middle + 1
      else high = middle
    }
    return this.best[low - 1]
  }
}

/** Tells whether one of the events can have been before another one and after a given moment. */
class Within {
  private readonly sorted: readonly Event[]
  /** The two that end last, of those up to each. */
  private readonly ends: (readonly [Event, Event | undefined])[] = []

  constructor(events: readonly Event[]) {
    this.sorted = [...events].sort((one, other) => one.lo - other.lo)
    for (const event of this.sorted) {
      const [most, second] = this.ends.at(-1) ?? [undefined, undefined]
      if (most === undefined || event.hi > most.hi) this.ends.push([event, most])
      else this.ends.push([most, second === undefined || event.hi > second.hi ? event : second])
    }
  }

  has(event: Event, after: number): boolean {
    let low = 0
    let high = this.sorted.length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.sorted[middle]!.lo < event.hi) low = middle + 1
      else high = middle
    }
    const [most, second] = this.ends[low - 1] ?? [undefined, undefined]
    const other = most === event ? second : most
    return other !== undefined && other.hi > after
  }
}
