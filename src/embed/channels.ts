// The channels of `node:diagnostics_channel` on which a thread tells what the calls of its own caches do: `memslab:hit`, `miss`,
// `set`, `delete`, `evict` and `expire`. Each message is published within the call that it is about, so that it has the context
// of the call, and when its locks are released, so that a subscriber may use the cache. While nothing is subscribed, a call only
// looks whether that is so, which takes less than can be measured.
import { channel, type Channel } from 'node:diagnostics_channel'
import { type DepartureSink, type StoreContext } from '../store/context.js'
import { departureOf, factsOf } from './events.js'
import { type CacheEventName, type CacheKey } from './interface.js'

const hit = channel('memslab:hit')
const miss = channel('memslab:miss')
const set = channel('memslab:set')
const deleted = channel('memslab:delete')
const evict = channel('memslab:evict')
const expire = channel('memslab:expire')

const LEAVING: Readonly<Record<CacheEventName, Channel>> = { evict, expire, delete: deleted }

/** True if something is subscribed to what a get does. */
export function areReadsHeard(): boolean { return hit.hasSubscribers || miss.hasSubscribers || expire.hasSubscribers }

/** True if something is subscribed to what other calls do. */
export function areWritesHeard(): boolean {
  return set.hasSubscribers || deleted.hasSubscribers || evict.hasSubscribers || expire.hasSubscribers
}

/** What a call does, for the channels. It begins when the key is known, and ends before the first message is published. */
export class CallReport implements DepartureSink {
  private readonly departures: (readonly [on: Channel, message: object])[] = []

  /** @param cache the cache of the messages */
  constructor(private readonly context: StoreContext, private readonly cache: unknown, private readonly key: CacheKey) {
    context.departureSink = this
  }

  /** @internal Takes an item that leaves, for the store, which holds locks. */
  departed(...facts: Parameters<DepartureSink['departed']>): void {
    const [name, reason] = departureOf(facts[0])
    if (LEAVING[name].hasSubscribers) this.departures.push([LEAVING[name], { cache: this.cache, ...factsOf(reason, ...facts) }])
  }

  /** Ends a call that has found a value of so many bytes, or none. */
  found(bytes: number | undefined): void {
    const { cache, key } = this
    this.end()
    if (bytes === undefined) miss.publish({ cache, key })
    else hit.publish({ cache, key, bytes })
  }

  /** Ends a call that has stored a value of so many bytes. */
  stored(bytes: number): void {
    const { cache, key } = this
    this.end()
    set.publish({ cache, key, bytes })
  }

  /** Ends a call, and publishes what has left the cache in it. */
  end(): void {
    this.context.departureSink = undefined
    for (const [on, message] of this.departures) on.publish(message)
  }
}
