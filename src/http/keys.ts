// `/keys`: the keys that begin with some bytes, piece by piece, as the command `keys` lists them.
import { encodeKey } from '../memory/uri.js'
import { toBigInt } from '../memory/numbers.js'
import { Size } from '../memory/layout.js'
import { type Store } from '../store/store.js'
import { type ItemView } from '../store/view.js'
import { type Visitor } from '../store/walks/dump.js'
import { type Exchange } from './exchange.js'
import { numberIn } from './query.js'

/** The keys of a piece if the client says nothing, and the most that it may ask for. */
const COUNT = 1000
const COUNT_MAX = 10_000

/** A key with what a line of metadump says of it, by the same names. */
interface Listed {
  /** The key, encoded as in a URI. */
  readonly key: string
  /** Unix times in seconds: when it expires, -1 for never, and when it was last used. */
  readonly exp: number
  readonly la: number
  /** A decimal number of up to 64 bits. */
  readonly cas: string
  /** True once a client has fetched it. */
  readonly fetch: boolean
  /** The slab class, and the bytes of the item as memcached counts them. */
  readonly cls: number
  readonly size: number
  readonly flags: number
}

/** A piece of the list, and the cursor behind it: 0 if there are no more keys. */
interface Piece { readonly keys: readonly Listed[], readonly cursor: number }

class Lister implements Visitor {
  readonly keys: Listed[] = []
  isFull = false

  constructor(private readonly store: Store, private readonly count: number) {}

  /** Refuses the key behind the last one, so that the cursor tells whether there is one. */
  visit(view: ItemView): boolean {
    this.isFull = this.keys.length === this.count
    if (!this.isFull) this.keys.push(listed(view, this.store.epoch))
    return !this.isFull
  }
}

export function answerKeys(exchange: Exchange): void {
  const { host: { store }, query } = exchange
  const prefix = query.get('prefix') ?? Buffer.alloc(0)
  const cursor = numberIn(query, 'cursor', 0)
  const count = numberIn(query, 'count', COUNT)
  if (prefix.length > Size.KeyMax) return exchange.say(400, `A key has at most ${Size.KeyMax} bytes.`)
  if (cursor === undefined) return exchange.say(400, 'The cursor is 0 or that of an earlier answer.')
  if (count === undefined || count < 1 || count > COUNT_MAX) {
    return exchange.say(400, `The count is a number from 1 to ${COUNT_MAX}.`)
  }
  exchange.work(list(store, prefix, cursor, count), piece => exchange.sendJson(piece))
}

function* list(store: Store, prefix: Uint8Array, cursor: number, count: number): Generator<undefined, Piece> {
  const scan = store.scanKeys(prefix, cursor)
  const lister = new Lister(store, count)
  while (!scan.step(lister) && !lister.isFull) yield
  return { keys: lister.keys, cursor: scan.cursor }
}

function listed(view: ItemView, epoch: number): Listed {
  const { bytes, keyStart, keyBytes, expiresAt, casHigh, casLow } = view
  return {
    key: encodeKey(bytes, keyStart, keyStart + keyBytes),
    exp: expiresAt === 0 ? -1 : expiresAt + epoch,
    la: view.usedAt + epoch,
    cas: String(toBigInt(casHigh, casLow)),
    fetch: view.isFetched,
    cls: view.slabClass,
    size: view.itemBytes,
    flags: view.flags,
  }
}
