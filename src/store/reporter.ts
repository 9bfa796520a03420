// Logs the operations on a shard for watchers. Callers check first whether a client watches (StoreContext.watched), so that this
// costs nothing otherwise.
import { DeleteCommand, GetStatus, StoreStatus } from '../log/events.js'
import { type StoreContext } from './context.js'
import { NO_ITEM, type ItemId, type Items } from './items/items.js'
import { Outcome } from './outcome.js'
import { Want, type Request } from './request.js'
import { type Allocator } from './slabs/allocator.js'

/** The log's name of each outcome of a storage command. */
const STORE_STATUSES: Readonly<Partial<Record<Outcome, StoreStatus>>> = {
  [Outcome.Stored]: StoreStatus.Stored,
  [Outcome.NotStored]: StoreStatus.NotStored,
  [Outcome.Exists]: StoreStatus.Exists,
  [Outcome.NotFound]: StoreStatus.NotFound,
  [Outcome.TooLarge]: StoreStatus.TooLarge,
  [Outcome.NoMemory]: StoreStatus.NoMemory,
}

export class Reporter {
  constructor(private readonly items: Items, private readonly allocator: Allocator, private readonly context: StoreContext) {}

  /** Logs the look-up of a key. @param item the item in the table, dead or alive; NO_ITEM if there is none */
  getStripeLocked({ bytes, keyStart, keyEnd, client }: Request, item: ItemId): void {
    const status = this.getStatus(item)
    const isFound = status === GetStatus.Found
    this.context.log.itemGet(client, bytes, keyStart, keyEnd, status, isFound ? this.allocator.classOf(item) : 0,
      isFound ? this.items.valueBytes(item) : 0)
  }

  private getStatus(item: ItemId): GetStatus {
    if (item === NO_ITEM) return GetStatus.NotFound
    if (this.allocator.isFlushed(item)) return GetStatus.Flushed
    return this.allocator.isExpired(item) ? GetStatus.Expired : GetStatus.Found
  }

  /** Logs that an item was stored. */
  storedStripeLocked(request: Request, item: ItemId): void {
    const { items } = this
    this.store(request, Outcome.Stored, items.expiresAt(item), this.allocator.classOf(item), items.valueBytes(item))
  }

  /** Logs the outcome of a storage command. */
  store({ bytes, keyStart, keyEnd, client, mode }: Request, outcome: Outcome, expiresAt: number, slabClass: number,
    valueBytes: number): void {
    const { log, now } = this.context
    const ttl = expiresAt === 0 ? 0 : Math.max(expiresAt - now, -1)
    const status = STORE_STATUSES[outcome] ?? StoreStatus.NotStored
    log.itemStore(client, bytes, keyStart, keyEnd, status, mode, ttl, slabClass, valueBytes)
  }

  /** Logs that an item is about to be deleted. */
  deletedStripeLocked({ bytes, keyStart, keyEnd, client, wants }: Request, item: ItemId): void {
    const command = (wants & Want.FromMeta) !== 0 ? DeleteCommand.MetaDelete : DeleteCommand.Delete
    this.context.log.deleted(client, bytes, keyStart, keyEnd, command, this.allocator.classOf(item),
      this.items.valueBytes(item))
  }
}
