// Random streams of classic commands: mostly good ones on a few keys, so that
// they meet each other, and every way of getting a command wrong that we know.
// The same seed makes the same stream.
//
// Counters hardly ever reach 2^63: whether memcached 1.6.18 counts on from there
// depends on whether it finds a minus sign in the memory behind the item. And
// no flush_all has a time, as with one it may bring back what was flushed.

import type { Prng } from '../support/prng.js'
import { CAS } from './request.js'
import type { Request } from './request.js'

/** Keys that incr and decr are tried on, with values that make sense there. */
const COUNTERS = ['n1', 'n2', 'n3', 'n4', 'c\x01\x1f\x7f', 'y'.repeat(249) + '\xff']
const KEYS = [
  ...COUNTERS,
  'a', 'b', 'c', 'd', 'e', 'key-of-some-length', 'k:1', 'k:2', 'END', 'VALUE', 'x'.repeat(250), 'caf\xc3\xa9', '\x80\xff\xfe', 'tab\there',
]
const BAD_KEYS = ['z'.repeat(251), 'z'.repeat(400), 'nul\0key', 'noreply']

const FLAGS = ['0', '0', '0', '0', '1', '77', '65535', '4294967295', '4294967296', '4294967301', '00042', '+42']
const TIMES = ['0', '0', '0', '0', '0', '1000', '2592000', '4102444800', '-1', '-0', '1000000000', '2592001', '2147483647', '-2147483648', '+1000', '0001000']
const LONG_TIMES = ['2147483648', '4294967295', '4294967296', '1700000000000', '9223372036854775807']
const BAD_NUMBERS = ['x', '1x', '-1', '1.5', '0x10', '1e3', '99999999999999999999', '18446744073709551616', '9223372036854775808', '4294967296', '+5', '00000000000000000000000005', '--1', '+', '-']
const BAD_DELTAS = BAD_NUMBERS.filter(number => number !== '9223372036854775808')
const BAD_LENGTHS = ['x', '1x', '-1', '1.5', '0x10', '1e3', '--1', '+', '-', '99999999999999999999']
const DELTAS = ['0', '1', '1', '2', '9', '10', '99', '1000', '007', '4294967295', '4294967296', '1099511627776']
const NUMBERS = ['0', '1', '5', '9', '10', '99', '007', '4294967295', '4294967296', '8589934592', '18446744073709551616', ' 5', '5 ', '+5', '-5', '5x', '12 34', '1.5', '0x1f', '7\0', '\r\n7']
const WORDS = ['hello', 'GET a', 'Set a 0 0 1', 'getx a', 'bget a', 'sets', 'ab', 'a', '', ' ', '  ', 'abc def noreply', 'stat', 'versions', '\xff\xfe\xfd', 'get\ta', '\x01\x02\x03', 'incra 1', 'ping', 'help', 'what a b c d e f g h i j k l m n o p q r s t u v w x y z']

const LETTERS = 'bcdfhjkpqrtwxyz'
const ONE_LARGE_IN = 150

interface Kind {
  readonly weight: number
  readonly make: (g: Generator) => Request
}

const KINDS: readonly Kind[] = [
  { weight: 30, make: g => g.store() },
  { weight: 8, make: g => g.cas() },
  { weight: 20, make: g => g.get() },
  { weight: 6, make: g => g.gat() },
  { weight: 12, make: g => g.arithmetic() },
  { weight: 6, make: g => g.plain('delete', [g.key()], ['0']) },
  { weight: 6, make: g => g.plain('touch', [g.key(), g.time()], ['extra']) },
  { weight: 1, make: g => g.flush() },
  { weight: 1, make: g => g.plain('verbosity', [g.prng.pick(['0', '0', '4294967296', 'x', '-1', '0.5'])], ['7']) },
  { weight: 3, make: g => g.line(g.prng.pick(WORDS)) },
  { weight: 1, make: g => g.last() },
]

export class Generator {
  constructor(readonly prng: Prng) {}

  next(): Request {
    return this.prng.pickWeighted(KINDS).make(this)
  }

  key(): string {
    return this.prng.pick(this.prng.oneIn(60) ? BAD_KEYS : KEYS)
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
    return this.line(this.spaced([this.prng.pick(['get', 'get', 'gets']), ...keys]))
  }

  gat(): Request {
    return this.line(this.spaced([this.prng.pick(['gat', 'gats']), this.time(), ...this.someKeys()]))
  }

  arithmetic(): Request {
    return this.plain(this.prng.pick(['incr', 'incr', 'decr']), [this.prng.pick(this.prng.oneIn(60) ? BAD_KEYS : COUNTERS), this.odd(DELTAS, BAD_DELTAS)], ['extra'])
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
    return this.line(this.spaced(line))
  }

  line(text: string, more: Partial<Request> = {}): Request {
    const line = this.prng.oneIn(10) ? text : text + '\r'
    return { line, text: line + '\n', ...more }
  }

  /** Something after which the server closes the connection. */
  last(): Request {
    const endless = 'u'.repeat(2100)
    return this.prng.oneIn(4) ? { line: endless, text: endless, closes: true } : this.line(this.prng.pick(['quit', 'quit now']), { closes: true })
  }

  private someKeys(): string[] {
    return this.keys(this.prng.oneIn(40) ? 0 : this.prng.between(1, 4))
  }

  private keys(count: number): string[] {
    return Array.from({ length: count }, () => this.key())
  }

  private odd(choices: readonly string[], bad: readonly string[] = BAD_NUMBERS): string {
    return this.prng.pick(this.prng.oneIn(40) ? bad : choices)
  }

  private spaced(words: readonly string[]): string {
    if (!this.prng.oneIn(15)) return words.join(' ')
    return words.map(word => word + ' '.repeat(this.prng.between(1, 3))).join('') + (this.prng.oneIn(2) ? '' : '  ')
  }

  /** A storage command: its words up to the time, those after the length, and a data block that mostly fits. */
  private withData(before: readonly string[], after: readonly string[]): Request {
    if (this.prng.oneIn(50)) return this.withoutLength(before, after)
    const data = this.data(COUNTERS.includes(before[1] ?? ''))
    const { block, isWhole } = this.prng.oneIn(15) ? this.spoiled(data) : { block: data + '\r\n', isWhole: true }
    const length = (this.prng.oneIn(30) ? this.prng.pick(['+', '000', '-000000']) : '') + data.length
    const words = [...before, data.length > 0 ? length.replace('-000000', '') : length, ...after]
    if (this.prng.oneIn(40)) words.push('extra')
    if (this.prng.oneIn(10)) words.push('noreply')
    const request = this.line(this.spaced(words))
    const following = block.length < data.length + 2 ? block + FILLER : block
    return { ...request, text: request.text + following, isWhole, leftover: following.slice(data.length + 2) }
  }

  /** A storage command that does not say how long its data is, so that the data is a command line of its own. */
  private withoutLength(before: readonly string[], after: readonly string[]): Request {
    const words = this.prng.oneIn(2) ? before : [...before, this.prng.pick(BAD_LENGTHS), ...after]
    const request = this.line(this.spaced(words))
    return { ...request, text: request.text + this.letters(this.prng.between(5, 20)) + '\r\n' }
  }

  private data(isCounter: boolean): string {
    if (this.prng.oneIn(ONE_LARGE_IN)) return this.text(this.prng.pick([20_000, 65_536, 300_000, 1_048_000, 1_048_600]))
    if (isCounter) return this.prng.oneIn(8) ? this.text(this.prng.between(1, 100)) : this.prng.pick(NUMBERS)
    switch (this.prng.below(5)) {
      case 0: return ''
      case 1: return this.bytes(this.prng.between(1, 60))
      case 2: return this.text(this.prng.between(100, 4000))
      case 3: return this.prng.pick(NUMBERS)
      default: return this.text(this.prng.between(1, 40))
    }
  }

  /** A data block that is longer or shorter than it should be, or ends in something else. */
  private spoiled(data: string): { block: string; isWhole: false } {
    const block = (): string => {
      switch (this.prng.below(4)) {
        case 0: return data + this.text(this.prng.between(1, 3)) + '\r\n'
        case 1: return data + this.text(this.prng.between(4, 30)) + '\r\n'
        case 2: return data.slice(0, Math.max(0, data.length - this.prng.between(1, 100))) + '\r\n'
        default: return data + this.prng.pick(['XX', '\n\r', '\n\n', '\rX'])
      }
    }
    return { block: block(), isWhole: false }
  }

  private text(length: number): string {
    const unit = this.letters(Math.min(length, 7))
    return unit.repeat(Math.ceil(length / Math.max(1, unit.length))).slice(0, length)
  }

  /** Letters that are no command, should they come to be read as one. */
  private letters(length: number): string {
    return Array.from({ length }, () => LETTERS[this.prng.below(LETTERS.length)]).join('')
  }

  /** Any bytes, line ends often. */
  private bytes(length: number): string {
    return Array.from({ length }, () => this.prng.oneIn(8) ? this.prng.pick(['\r', '\n']) : String.fromCharCode(this.prng.below(256))).join('')
  }
}

/** Follows a data block that is too short, which takes the first bytes of this for its own. */
const FILLER = `get ${'f'.repeat(200)}\r\n`
