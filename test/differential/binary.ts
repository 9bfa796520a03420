// Random streams of binary requests on the keys of the text commands: every
// opcode but the statistics that differ from server to server, quiet or not,
// with cas numbers that fit and that do not, and packets whose lengths are wrong.
//
// What 1.6.18 and 1.6.45 do not answer alike is never made: bodies of some GiB
// (the blocks bin-body-of-two-gibibytes and -four-), and bodies of opcodes that
// do not exist, of which both throw away too much (bin-unknown-opcode-with-a-key).

import { toBuffer } from '../support/bytes.js'
import { counts, packet, uint32s } from '../support/packet.js'
import type { Prng } from '../support/prng.js'
import { COUNTERS, KEYS, MARKED_KEYS } from './keys.js'
import { CAS } from './request.js'
import type { Generator, Request } from './request.js'
import { randomValue } from './values.js'

const enum Opcode {
  Get = 0x00, Set = 0x01, Add = 0x02, Replace = 0x03, Delete = 0x04, Increment = 0x05, Decrement = 0x06, Quit = 0x07,
    Flush = 0x08,
  GetQ = 0x09, Noop = 0x0a, Version = 0x0b, GetK = 0x0c, GetKQ = 0x0d, Append = 0x0e, Prepend = 0x0f, Stat = 0x10,
  SetQ = 0x11, AddQ = 0x12, ReplaceQ = 0x13, DeleteQ = 0x14, IncrementQ = 0x15, DecrementQ = 0x16, QuitQ = 0x17, FlushQ = 0x18,
  AppendQ = 0x19, PrependQ = 0x1a, Touch = 0x1c, Gat = 0x1d, GatQ = 0x1e, SaslMechs = 0x20, GatK = 0x23, GatKQ = 0x24,
}

const GETS = [Opcode.Get, Opcode.GetQ, Opcode.GetK, Opcode.GetKQ]
const GATS = [Opcode.Touch, Opcode.Gat, Opcode.GatQ, Opcode.GatK, Opcode.GatKQ]
const STORES = [Opcode.Set, Opcode.Set, Opcode.SetQ, Opcode.Add, Opcode.AddQ, Opcode.Replace, Opcode.ReplaceQ]
const JOINS = [Opcode.Append, Opcode.AppendQ, Opcode.Prepend, Opcode.PrependQ]
const COUNTS = [Opcode.Increment, Opcode.IncrementQ, Opcode.Decrement, Opcode.DecrementQ]
const UNKNOWN = [0x1b, 0x1f, 0x25, 0x30, 0x3d, 0x80, 0xff, Opcode.SaslMechs]

const FLAGS = [0, 0, 0, 1, 77, 65535, 4294967295]
const TIMES = [0, 0, 0, 1000, 2592000, 1000000000, 4102444800, 4294967295]
const NEVER_CREATE = 0xffffffff
const AMOUNTS = [0n, 1n, 1n, 2n, 9n, 10n, 99n, 1000n, 4294967295n, 4294967296n, 1099511627776n]
/** Where a header has the cas number. */
const CAS_AT = 16
const NO_CAS = '\0'.repeat(8)
const CAS_NUMBERS = ['\0\0\0\0\0\0\0\x01', '\xff'.repeat(8)]
const OPAQUE_COUNT = 2 ** 31   // the larger ones are left to compare.ts

interface Kind {
  readonly weight: number
  readonly make: (g: BinaryGenerator) => Request
}

const KINDS: readonly Kind[] = [
  { weight: 24, make: g => g.retrieve(GETS, '') },
  { weight: 10, make: g => g.retrieve(GATS, uint32(g.prng.pick(TIMES))) },
  { weight: 26, make: g => g.store() },
  { weight: 6, make: g => g.join() },
  { weight: 8, make: g => g.delete() },
  { weight: 14, make: g => g.count() },
  { weight: 3, make: g => g.packet({ opcode: g.prng.pick([Opcode.Noop, Opcode.Version]) }) },
  { weight: 1, make: g =>
    g.packet({ opcode: g.prng.pick([Opcode.Flush, Opcode.FlushQ]), extras: g.prng.pick(['', uint32(0)]) }) },
  { weight: 1, make: g => g.packet({ opcode: Opcode.Stat, key: g.prng.pick(['bananas', 'detail', 'reset']) }) },
  { weight: 2, make: g => g.packet({ opcode: g.prng.pick(UNKNOWN) }) },
  { weight: 1, make: g => g.packet({ opcode: g.prng.pick([Opcode.Quit, Opcode.QuitQ]), closes: true }) },
  { weight: 2, make: g => g.wrong() },
]

interface Parts extends Pick<Request, 'does' | 'closes'> {
  readonly opcode: number
  readonly extras?: string
  readonly key?: string
  readonly value?: string
  /** Eight bytes, or CAS. */
  readonly cas?: string
}

export class BinaryGenerator implements Generator {
  private opaque = 0

  constructor(readonly prng: Prng) {}

  next(): Request {
    return this.prng.pickWeighted(KINDS).make(this)
  }

  retrieve(opcodes: readonly Opcode[], extras: string): Request {
    return this.packet({ opcode: this.prng.pick(opcodes), extras, key: this.anyKey(), cas: this.cas(10), does: 'read' })
  }

  store(): Request {
    const { prng } = this
    const key = this.anyKey()
    return this.packet({
      opcode: prng.pick(STORES), extras: uint32(prng.pick(FLAGS)) + uint32(prng.pick(TIMES)), key,
      value: randomValue(prng, COUNTERS.includes(key)), cas: this.cas(4),
    })
  }

  join(): Request {
    return this.packet({ opcode: this.prng.pick(JOINS), key: this.prng.pick(KEYS), value: randomValue(this.prng, false),
      cas: this.cas(4) })
  }

  delete(): Request {
    return this.packet({ opcode: this.prng.pick([Opcode.Delete, Opcode.DeleteQ]), key: this.anyKey(), cas: this.cas(4) })
  }

  count(): Request {
    const { prng } = this
    const time = prng.oneIn(3) ? NEVER_CREATE : prng.pick(TIMES)
    return this.packet({
      opcode: prng.pick(COUNTS), extras: counts(prng.pick(AMOUNTS), prng.pick(AMOUNTS), time).toString('latin1'),
      key: prng.pick(COUNTERS), cas: this.cas(6), does: 'count',
    })
  }

  /** Lengths that do not go together; the server says so and closes the connection. */
  wrong(): Request {
    const { prng } = this
    const key = prng.pick(KEYS)
    const extras = '\0'.repeat(prng.pick([1, 4, 7, 9, 16, 21]))
    const choices: Parts[] = [
      { opcode: prng.pick(GETS) },
      { opcode: prng.pick(GETS), key, extras },
      { opcode: prng.pick(GETS), key: 'z'.repeat(prng.pick([251, 1000])) },
      { opcode: prng.pick(STORES), key, value: 'abc' },
      { opcode: prng.pick(STORES), key, value: 'abc', extras },
      { opcode: prng.pick(COUNTS), key, extras },
      { opcode: Opcode.Delete, key, value: 'abc' },
      { opcode: Opcode.Noop, key },
      { opcode: Opcode.Flush, key },
    ]
    return this.packet({ ...prng.pick(choices), closes: true })
  }

  packet({ opcode, extras = '', key = '', value = '', cas = NO_CAS, ...more }: Parts): Request {
    const opaque = this.opaque = (this.opaque + 1) % OPAQUE_COUNT
    const bytes = packet(opcode, { extras: toBuffer(extras), key, value, opaque }).toString('latin1')
    return { text: bytes.slice(0, CAS_AT) + cas + bytes.slice(CAS_AT + NO_CAS.length), opaque, casKey: key, ...more }
  }

  private anyKey(): string {
    return this.prng.pick(this.prng.oneIn(6) ? MARKED_KEYS : KEYS)
  }

  private cas(oneIn: number): string {
    const { prng } = this
    if (!prng.oneIn(oneIn)) return NO_CAS
    return prng.oneIn(5) ? prng.pick(CAS_NUMBERS) : CAS
  }
}

function uint32(number: number): string {
  return uint32s(number).toString('latin1')
}
