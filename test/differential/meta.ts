// Random streams of meta commands on the keys of the classic ones: flags in any
// order, cas numbers that fit and that do not, keys in base64, and the mistakes
// that 1.6.18 and 1.6.45 answer alike (meta-differences.ts has the others).

import type { Prng } from '../support/prng.js'
import { COUNTERS, DELTAS, KEY_OF_TWO_LINES, KEYS, MARKED_KEYS } from './keys.js'
import { lineOf, spaced } from './spelling.js'
import { CAS } from './request.js'
import type { Generator, Request } from './request.js'
import { randomValue, withBlock } from './values.js'

const BASE64_KEYS = [...MARKED_KEYS, KEY_OF_TWO_LINES]
const BAD_KEYS = ['z'.repeat(251), 'z'.repeat(400)]
const BAD_BASE64 = ['A', '****', 'AA-_']
const BAD_NUMBERS = ['x', '', '-', '1x', '18446744073709551616']
const CAS_NUMBERS = ['1', '5', '18446744073709551615']
/** Whole thousands, so that it does not show that one of the two clocks stands still. */
const TIMES = ['0', '0', '1000', '2592000', '-1', '1000000000', '2147483647']
/** Far from all times above. */
const RECACHE_TIMES = ['0', '30', '500', '100000', '-1']
const CLIENT_FLAGS = ['0', '1', '77', '65535', '4294967295']
const OPAQUES = ['1', 'abc', 'v', 'c77', 'x-y_z/9', 'o'.repeat(31)]
const MODES = ['S', 'E', 'A', 'P', 'R']
const ODD_FLAGS = ['y', '5', '_', 'Pa', 'Lb/c']

interface Kind {
  readonly weight: number
  readonly make: (g: MetaGenerator) => Request
}

const KINDS: readonly Kind[] = [
  { weight: 30, make: g => g.get() },
  { weight: 30, make: g => g.set() },
  { weight: 10, make: g => g.delete() },
  { weight: 12, make: g => g.arithmetic() },
  { weight: 4, make: g => g.words(['me', g.prng.pick(KEYS)]) },
  { weight: 3, make: g => g.words(['mn']) },
  { weight: 1, make: g => g.words([g.prng.pick(['mg', 'ms', 'md', 'ma', 'me', 'MG a v', 'mx a', 'mgx a', 'mn extra'])]) },
]

/** A key as a command names it. */
interface Name {
  readonly key: string
  readonly word: string
  readonly flags: readonly string[]
}

export class MetaGenerator implements Generator {
  constructor(readonly prng: Prng) {}

  next(): Request {
    return this.prng.pickWeighted(KINDS).make(this)
  }

  get(): Request {
    const { prng } = this
    const name = this.name(prng.oneIn(5) ? BASE64_KEYS : KEYS, prng.oneIn(20))
    const flags = [
      ...this.some(3, ['v', 'v', 'v', 'f', 's', 't', 'h', 'l', 'u', 'q']),
      ...this.returnFlags(),
      ...(prng.oneIn(6) ? ['T' + this.number(TIMES)] : []),
      ...(prng.oneIn(6) && name.flags.length === 0 ? ['N' + this.number(TIMES)] : []),
      ...(prng.oneIn(6) ? ['R' + this.number(RECACHE_TIMES)] : []),
    ]
    return this.command('mg', name, [], flags, { does: 'read' })
  }

  set(): Request {
    const { prng } = this
    const isMarked = prng.oneIn(6)
    const name = this.name(isMarked ? BASE64_KEYS : KEYS, false)
    const data = randomValue(prng, COUNTERS.includes(name.key))
    const modes = isMarked ? MODES.filter(mode => mode !== 'A' && mode !== 'P') : MODES
    const flags = [
      ...this.some(1, ['q', 'v', 't', 'f', 'h', 'l', 'u']),
      ...this.returnFlags(),
      ...this.compareFlags(4),
      ...(prng.oneIn(3) ? ['F' + this.number(CLIENT_FLAGS)] : []),
      ...(prng.oneIn(3) ? ['T' + this.number(TIMES)] : []),
      ...(prng.oneIn(2) ? ['M' + (prng.oneIn(30) ? prng.pick(['Q', 'e', '+']) : prng.pick(modes))] : []),
    ]
    const length = prng.oneIn(60) ? prng.pick(['x', '-1', '1.5', '2147483647']) : String(data.length)
    const request = this.command('ms', name, [length], flags)
    return length === String(data.length) ? withBlock(prng, request, data) : request
  }

  delete(): Request {
    const { prng } = this
    const name = this.name(prng.oneIn(5) ? BASE64_KEYS : KEYS, prng.oneIn(20))
    const isStale = prng.oneIn(2)
    const flags = [
      ...this.some(1, ['q', 'v', 's', 't', 'f', 'h', 'l', 'u']),
      ...this.returnFlags().filter(flag => flag !== 'c'),
      ...this.compareFlags(3).filter(flag => flag !== 'I'),
      ...(isStale ? ['I'] : []),
      ...(isStale && prng.oneIn(2) ? ['T' + prng.pick(TIMES)] : []),
    ]
    return this.command('md', name, [], flags)
  }

  arithmetic(): Request {
    const { prng } = this
    const flags = [
      ...this.some(2, ['v', 'v', 't', 'q', 's', 'f', 'h', 'l', 'u']),
      ...this.returnFlags(),
      ...this.compareFlags(6).filter(flag => flag !== 'I'),
      ...(prng.oneIn(2) ? ['D' + this.number(DELTAS)] : []),
      ...(prng.oneIn(2) ? ['M' + prng.pick(['I', 'D', '+', '-', 'x'])] : []),
      ...(prng.oneIn(2) ? ['N' + this.number(TIMES), ...(prng.oneIn(2) ? ['J' + this.number(DELTAS)] : [])] : []),
      ...(prng.oneIn(6) ? ['T' + this.number(TIMES)] : []),
    ]
    return this.command('ma', this.name(COUNTERS, false), [], flags, { does: 'count' })
  }

  words(words: readonly string[], more: Partial<Request> = {}): Request {
    return lineOf(this.prng, spaced(this.prng, words), more)
  }

  /** @param isBase64 whether to name a key in base64 that needs none; one that needs it always is */
  private name(keys: readonly string[], isBase64: boolean): Name {
    const { prng } = this
    const key = prng.oneIn(80) ? prng.pick(BAD_KEYS) : prng.pick(keys)
    if (isBase64 && prng.oneIn(4)) return { key, word: prng.pick(BAD_BASE64), flags: ['b'] }
    if (!isBase64 && !BASE64_KEYS.includes(key)) return { key, word: key, flags: [] }
    return { key, word: Buffer.from(key, 'latin1').toString('base64'), flags: ['b'] }
  }

  private command(command: string, name: Name, arguments_: readonly string[], flags: readonly string[],
    more: Partial<Request> = {}): Request {
    const { prng } = this
    const all = [...new Set([...name.flags, ...flags])]
    if (prng.oneIn(40)) all.push(prng.pick([...ODD_FLAGS, ...all]))
    return this.words([command, name.word, ...arguments_, ...prng.shuffled(all)], { casKey: name.key, ...more })
  }

  /** A number comes with its key, so that it can be sent back. */
  private returnFlags(): string[] {
    const { prng } = this
    return [...(prng.oneIn(3) ? ['k', 'c'] : this.some(1, ['k', 'c'])), ...(prng.oneIn(4) ? ['O' + prng.pick(OPAQUES)] : [])]
  }

  private compareFlags(oneIn: number): string[] {
    const { prng } = this
    if (!prng.oneIn(oneIn)) return prng.oneIn(20) ? ['I'] : []
    const number = prng.oneIn(5) ? this.number(CAS_NUMBERS) : CAS
    return ['C' + number, ...(prng.oneIn(4) ? ['I'] : [])]
  }

  private number(choices: readonly string[]): string {
    return this.prng.pick(this.prng.oneIn(60) ? BAD_NUMBERS : choices)
  }

  private some(most: number, choices: readonly string[]): string[] {
    return Array.from({ length: this.prng.below(most + 1) }, () => this.prng.pick(choices))
  }
}
