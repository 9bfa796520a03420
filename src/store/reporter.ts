// What the operations on a shard tell those who watch. Only who has found somebody watching (StoreContext.watched) calls it, so
// it costs nothing otherwise. The items named here are locked by their stripe.
import { DeleteCommand, GetStatus, StoreStatus } from '../log/events.js'
import { type StoreContext } from './context.js'
import { NO_ITEM, type ItemId, type Items } from './items/items.js'
import { Outcome } from './outcome.js'
import { Extra, type Request } from './request.js'
import { type Allocator } from './slabs/allocator.js'

/** What the log calls an outcome of storing. */
const STORE_STATUSES: Readonly<Partial<Record<Outcome, StoreStatus>>> = {
  [Outcome.Stored]: StoreStatus.Stored,
  [Outcome.NotStored]: StoreStatus.NotStored,
  [Outcome.Exists]: StoreStatus.Exists,
  [Outcome.NotFound]: StoreStatus.NotFound,
  [Outcome.TooLarge]: StoreStatus.TooLarge,
  [Outcome.NoMemory]: StoreStatus.NoMemory,
}

export class Reporter {
  constructor(private readonly items: Items, private readonly space: Allocator, private readonly context: StoreContext) {}

  /** A key was looked up; `item` is what the table has of it, dead or alive. */
  getStripeLocked({ bytes, keyStart, keyEnd, client }: Request, item: ItemId): void {
    const status = this.getStatus(item)
    const isFound = status === GetStatus.Found
    this.context.log.itemGet(client, bytes, keyStart, keyEnd, status, isFound ? this.space.classOf(item) : 0,
      isFound ? this.items.valueBytes(item) : 0)
  }

  private getStatus(item: ItemId): GetStatus {
    if (item === NO_ITEM) return GetStatus.NotFound
    if (this.space.isFlushed(item)) return GetStatus.Flushed
    return this.space.isExpired(item) ? GetStatus.Expired : GetStatus.Found
  }

  /** An item was stored. */
  storedStripeLocked(request: Request, item: ItemId): void {
    const { items } = this
    this.store(request, Outcome.Stored, items.expiresAt(item), this.space.classOf(item), items.valueBytes(item))
  }

  /** So came a store out. */
  store({ bytes, keyStart, keyEnd, client, mode }: Request, outcome: Outcome, expiresAt: number, slabClass: number,
    valueBytes: number): void {
    const { log, now } = this.context
    const ttl = expiresAt === 0 ? 0 : Math.max(expiresAt - now, -1)
    const status = STORE_STATUSES[outcome] ?? StoreStatus.NotStored
    log.itemStore(client, bytes, keyStart, keyEnd, status, mode, ttl, slabClass, valueBytes)
  }

  /** An item is about to be deleted. */
  deletedStripeLocked({ bytes, keyStart, keyEnd, client, extras }: Request, item: ItemId): void {
    const command = (extras & Extra.FromMeta) !== 0 ? DeleteCommand.MetaDelete : DeleteCommand.Delete
    this.context.log.deleted(client, bytes, keyStart, keyEnd, command, this.space.classOf(item), this.items.valueBytes(item))
  }
}
