// The items of a TestServer, as its test sees them: without a request, and without leaving traces in them or in `stats`.
import { Want } from '../store/request.js'
import { type ItemView, type Reader, type ValueLoan } from '../store/view.js'
import { keyOf } from '../embed/decode.js'
import { type CacheKey } from '../embed/interface.js'
import { listKeys } from '../embed/keys.js'
import { type CacheThread } from '../embed/thread.js'
import { type TestItem } from './interface.js'

/** The item of a key, which does not count as used; undefined if there is none. */
export function lookAt(thread: CacheThread, key: CacheKey): TestItem | undefined {
  thread.begin(key)
  const { store, request, parts: { clock } } = thread
  const look = new Look()
  request.wants = Want.Peek
  if (!store.get(request, look)) return undefined
  const bytes = bytesOf(look.loan!)
  thread.endLoan(look.loan!)
  const { flags, cas, expiresAt, isFetched } = look
  const ttl = expiresAt === 0 ? Infinity : (expiresAt + store.epoch) * 1000 - clock.milliseconds()
  return { key: textOf(key), value: bytes.toString(), bytes, flags, cas, ttl, isFetched }
}

function textOf(key: CacheKey): string {
  const known = typeof key === 'string' ? key : keyOf(Buffer.from(key))
  return typeof known === 'string' ? known : Buffer.from(known).toString('latin1')
}

/** All items whose keys begin with `prefix`, by key. */
export function lookAtAll(thread: CacheThread, prefix: CacheKey): TestItem[] {
  const items = [...listKeys(thread, prefix)].flatMap(key => lookAt(thread, key) ?? [])
  return items.sort((one, other) => one.key < other.key ? -1 : 1)
}

/** Reads one item. */
class Look implements Reader {
  loan: ValueLoan | undefined
  flags = 0
  cas = 0n
  expiresAt = 0
  isFetched = false

  read(view: ItemView): boolean {
    this.loan = view.lend()
    this.flags = view.flags
    this.cas = BigInt(view.casHigh) << 32n | BigInt(view.casLow)
    this.expiresAt = view.expiresAt
    this.isFetched = view.isFetched
    return true
  }
}

/** A copy of a lent value. */
function bytesOf(loan: ValueLoan): Buffer {
  const copy = Buffer.alloc(loan.valueBytes)
  for (let at = 0; at < copy.length;) at += loan.bytesAt(at, copy.length - at).copy(copy, at)
  return copy
}
