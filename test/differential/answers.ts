// What two servers answer alike, although the bytes differ: each has its own cas
// numbers, its own clock, its own version and its own sizes of items. Cas numbers
// become how many others were seen before; the rest becomes the same for both.

import { toBuffer } from '../support/bytes.js'
import { readAnswers } from '../support/packet.js'
import type { Request } from './request.js'

/** The cas numbers that one server has told, whatever the connection. */
export class CasNumbers {
  private readonly ofKeys = new Map<string, bigint>()
  private readonly order = new Map<bigint, number>()

  /** The number that was told last for a key; one that no item has if there was none. */
  of(key: string): bigint {
    return this.ofKeys.get(key) ?? 2n ** 64n - 1n
  }

  /** What a number is called in an answer about this key. */
  name(key: string | undefined, number: bigint): string {
    if (key !== undefined) this.ofKeys.set(key, number)
    const order = this.order.get(number) ?? this.order.size
    this.order.set(number, order)
    return `#${order}`
  }
}

/**
 * Times to live are told in whole thousands, as one of the two clocks stands still; those that end at a date are only told apart
 * from none.
 */
const TIME_STEP = 1000
const TIME_MAX = 60 * 60 * 24 * 30

/** An answer to text commands. */
export function comparableText(answer: string, numbers: CasNumbers): string {
  let result = ''
  let at = 0
  while (at < answer.length) {
    const end = answer.indexOf('\n', at) + 1 || answer.length
    const line = answer.slice(at, end)
    const next = end + blockBytes(line)
    result += comparableLine(line, numbers) + answer.slice(end, next)
    at = next
  }
  return result
}

/** The length of the data block behind a line, its end included. */
function blockBytes(line: string): number {
  const length = /^(?:VALUE [^ ]+ \d+|VA) (\d+)( [^\r\n]*)?\r\n$/.exec(line)?.[1]
  return length === undefined ? 0 : Number(length) + 2
}

function comparableLine(line: string, numbers: CasNumbers): string {
  const words = line.trimEnd().split(' ')
  switch (words[0]) {
    case 'VALUE': return line.replace(/(?<=^VALUE ([^ ]+) \d+ \d+) (\d+)/,
      (_, key: string, number: string) => ` cas${numbers.name(key, BigInt(number))}`)
    case 'VA':
    case 'HD':
    case 'EN':
    case 'NF':
    case 'NS':
    case 'EX': return line.replace(/[^ \r\n]+/g, word => comparableFlag(word, keyOf(words), numbers))
    case 'ME': return line.replace(/[^ \r\n]+/g, word => comparableFact(word, words[1], numbers))
    default: return line
  }
}

/** The key that a meta command returned, decoded. */
function keyOf(words: readonly string[]): string | undefined {
  const key = words.slice(1).find(word => word.startsWith('k'))?.slice(1)
  return key !== undefined && words.includes('b') ? Buffer.from(key, 'base64').toString('latin1') : key
}

function comparableFlag(word: string, key: string | undefined, numbers: CasNumbers): string {
  const [, letter = '', digits = ''] = /^([clt])(\d+)$/.exec(word) ?? []
  switch (letter) {
    case 'c': return digits === '0' ? word : 'c' + numbers.name(key, BigInt(digits))
    case 'l': return 'l#'
    case 't': return 't' + comparableTime(Number(digits))
    default: return word
  }
}

function comparableFact(word: string, key: string | undefined, numbers: CasNumbers): string {
  const [, name = '', digits = ''] = /^(exp|la|cas|cls|size)=(\d+)$/.exec(word) ?? []
  switch (name) {
    case 'cas': return 'cas=' + numbers.name(key, BigInt(digits))
    case 'exp': return 'exp=' + comparableTime(Number(digits))
    case '': return word
    default: return `${name}=#`
  }
}

export function comparableTime(seconds: number): string {
  return seconds > TIME_MAX ? '#' : String(Math.ceil(seconds / TIME_STEP) * TIME_STEP)
}

const VERSION = 0x0b

/** Answers to binary requests, a line each. */
export function comparablePackets(answer: string, requests: readonly Request[], numbers: CasNumbers): string {
  return readAnswers(toBuffer(answer)).map(({ cas, value, ...rest }) => {
    const key = requests.find(({ opaque }) => opaque === rest.opaque)?.casKey
    return JSON.stringify({ ...rest, cas: cas === 0n ? 0 : numbers.name(key, cas), value: rest.opcode === VERSION ? ''
      : value }) + '\n'
  }).join('')
}
