// Random streams of classic commands: mostly good ones on a few keys, so that
// they meet each other, and every way of getting a command wrong that we know.
// The same seed makes the same stream.
//
// Counters hardly ever reach 2^63: whether memcached 1.6.18 counts on from there
// depends on whether it finds a minus sign in the memory behind the item. And
// no flush_all has a time, as with one it may bring back what was flushed.

import type { Prng } from '../support/prng.js'
import { COUNTERS, DELTAS, KEYS, MARKED_WORD } from './keys.js'
import { lineOf, spaced } from './spelling.js'
import { CAS } from './request.js'
import type { Generator, Request } from './request.js'
import { randomLetters, randomValue, withBlock } from './values.js'

const BAD_KEYS = ['z'.repeat(251), 'z'.repeat(400), 'nul\0key', 'noreply']

const FLAGS = ['0', '0', '0', '0', '1', '77', '65535', '4294967295', '4294967296', '4294967301', '00042', '+42']
const TIMES = ['0', '0', '0', '0', '0', '1000', '2592000', '4102444800', '-1', '-0', '1000000000', '2592001', '2147483647',
  '-2147483648', '+1000', '0001000']
const LONG_TIMES = ['2147483648', '4294967295', '4294967296', '1700000000000', '9223372036854775807']
/** Those among them that are a time after all are one that the test does not live to see. */
const BAD_NUMBERS = ['x', '1x', '-1', '1.5', '0x10', '1e3', '99999999999999999999', '18446744073709551616', '9223372036854775808',
  '4294967296', '+5000', '00000000000000000000005000', '--1', '+', '-']
const BAD_DELTAS = BAD_NUMBERS.filter(number => number !== '9223372036854775808')
const BAD_LENGTHS = ['x', '1x', '-1', '1.5', '0x10', '1e3', '--1', '+', '-', '99999999999999999999']
const WORDS = ['hello', 'GET a', 'Set a 0 0 1', 'getx a', 'bget a', 'sets', 'ab', 'a', '', ' ', '  ', 'abc def noreply', 'stat',
  'versions', '\xff\xfe\xfd', 'get\ta', '\x01\x02\x03', 'incra 1', 'ping', 'help',
    'what a b c d e f g h i j k l m n o p q r s t u v w x y z']

interface Kind {
  readonly weight: number
  readonly make: (g: ClassicGenerator) => Request
}

const KINDS: readonly Kind[] = [
  { weight: 30, make: g => g.store() },
  { weight: 8, make: g => g.cas() },
  { weight: 20, make: g => g.get() },
  { weight: 6, make: g => g.gat() },
  { weight: 12, make: g => g.arithmetic() },
  { weight: 6, make: g => g.plain('delete', [g.anyKey()], ['0']) },
  { weight: 6, make: g => g.plain('touch', [g.anyKey(), g.time()], ['extra']) },
  { weight: 1, make: g => g.flush() },
  { weight: 1, make: g => g.plain('verbosity', [g.prng.pick(['0', '0', '4294967296', 'x', '-1', '0.5'])], ['7']) },
  { weight: 3, make: g => g.line(g.prng.pick(WORDS)) },
  { weight: 1, make: g => g.last() },
]

export class ClassicGenerator implements Generator {
  constructor(readonly prng: Prng) {}

  next(): Request {
    return this.prng.pickWeighted(KINDS).make(this)
  }

  key(): string {
    return this.prng.pick(this.prng.oneIn(60) ? BAD_KEYS : KEYS)
  }

  /** For a command that makes no item. */
  anyKey(): string {
    return this.prng.oneIn(40) ? MARKED_WORD : this.key()
  }

  time(): string {
    return this.odd(TIMES)
  }

  store(): Request {
    const command = this.prng.pick(['set', 'set', 'set', 'add', 'replace', 'append', 'prepend'])
    return this.withData([command, this.key(), this.odd(FLAGS), this.odd(this.prng.oneIn(12) ? LONG_TIMES : TIMES)], [])
  }

  cas(): Request {
    const casKey = this.key()
    const key = this.prng.oneIn(10) ? this.key() : casKey
    const number = this.prng.oneIn(8) ? this.odd(['0', '1', '18446744073709551615']) : CAS
    return { ...this.withData(['cas', key, this.odd(FLAGS), this.odd(TIMES)], [number]), casKey }
  }

  get(): Request {
    const keys = this.prng.oneIn(30) ? this.keys(this.prng.between(20, 120)) : this.someKeys()
    return this.words([this.prng.pick(['get', 'get', 'gets']), ...keys], { does: 'read' })
  }

  gat(): Request {
    return this.words([this.prng.pick(['gat', 'gats']), this.time(), ...this.someKeys()], { does: 'read' })
  }

  arithmetic(): Request {
    const words = [this.prng.pick(this.prng.oneIn(60) ? BAD_KEYS : COUNTERS), this.odd([...DELTAS, '007'], BAD_DELTAS)]
    return { ...this.plain(this.prng.pick(['incr', 'incr', 'decr']), words, ['extra']), does: 'count' }
  }

  flush(): Request {
    return this.plain('flush_all', this.prng.pick([[], [], ['0'], ['-1'], ['now'], ['0.5']]), ['x'])
  }

  /** A command without data, sometimes with noreply, one word too many or too few. */
  plain(command: string, words: readonly string[], extra: readonly string[]): Request {
    const line = [command, ...words]
    if (this.prng.oneIn(15)) line.push(...extra)
    if (this.prng.oneIn(10) && command !== 'version') line.push('noreply')
    if (this.prng.oneIn(25)) line.pop()
    return this.words(line)
  }

  line(text: string, more: Partial<Request> = {}): Request {
    return lineOf(this.prng, text, more)
  }

  /** Something after which the server closes the connection. */
  last(): Request {
    const endless = 'u'.repeat(2100)
    return this.prng.oneIn(4) ? { line: endless, text: endless, closes: true }
      : this.line(this.prng.pick(['quit', 'quit now']), { closes: true })
  }

  private someKeys(): string[] {
    return this.keys(this.prng.oneIn(40) ? 0 : this.prng.between(1, 4))
  }

  private keys(count: number): string[] {
    return Array.from({ length: count }, () => this.anyKey())
  }

  private odd(choices: readonly string[], bad: readonly string[] = BAD_NUMBERS): string {
    return this.prng.pick(this.prng.oneIn(40) ? bad : choices)
  }

  private words(words: readonly string[], more: Partial<Request> = {}): Request {
    return this.line(spaced(this.prng, words), more)
  }

  /** A storage command: its words up to the time, those after the length, and a data block that mostly fits. */
  private withData(before: readonly string[], after: readonly string[]): Request {
    if (this.prng.oneIn(50)) return this.withoutLength(before, after)
    const data = randomValue(this.prng, COUNTERS.includes(before[1] ?? ''))
    const length = (this.prng.oneIn(30) ? this.prng.pick(['+', '000', '-000000']) : '') + data.length
    const words = [...before, data.length > 0 ? length.replace('-000000', '') : length, ...after]
    if (this.prng.oneIn(40)) words.push('extra')
    if (this.prng.oneIn(10)) words.push('noreply')
    return withBlock(this.prng, this.words(words), data)
  }

  /** A storage command that does not say how long its data is, so that the data is a command line of its own. */
  private withoutLength(before: readonly string[], after: readonly string[]): Request {
    const words = this.prng.oneIn(2) ? before : [...before, this.prng.pick(BAD_LENGTHS), ...after]
    const request = this.words(words)
    return { ...request, text: request.text + randomLetters(this.prng, this.prng.between(5, 20)) + '\r\n' }
  }
}
