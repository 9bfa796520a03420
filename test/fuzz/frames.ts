// Requests to be spoiled: those of the differential test, in which most are good,
// lines of words that belong to the protocol, and attempts to authenticate.

import { BinaryGenerator } from '../differential/binary.js'
import { ClassicGenerator } from '../differential/classic.js'
import { MetaGenerator } from '../differential/meta.js'
import { CAS } from '../differential/request.js'
import { toBuffer } from '../support/bytes.js'
import { packet } from '../support/packet.js'
import type { Prng } from '../support/prng.js'

/** One request after the other, as bytes. */
export type Frames = () => Buffer

/** The user of the worlds in which there are users. */
export const USER = { name: 'anna', password: 'secret' }

const WORDS = [
  'get', 'gets', 'gat', 'gats', 'set', 'add', 'replace', 'append', 'prepend', 'cas', 'delete', 'incr', 'decr', 'touch',
  'mg', 'ms', 'md', 'ma', 'me', 'mn', 'version', 'verbosity', 'stats', 'settings', 'items', 'slabs', 'sizes', 'reset', 'detail',
    'on', 'dump',
  'off', 'noreply', 'flush_all', 'cache_memlimit', 'lru', 'lru_crawler', 'watch', 'refresh_certs', 'shutdown', 'quit', 'bananas',
  'a', 'b', 'n1', 'k'.repeat(250), 'k'.repeat(251), 'AAEC', '0', '1', '-1', '5', '100', '2147483647', '2147483648', '4294967295',
  '18446744073709551615', '1048576', '99999999999999999999', '', ' ', '\t', '\0', '\xff', 'q', 'v', 'k', 'c', 't', 's', 'f', 'h',
    'l', 'u', 'x',
  'b', 'I', 'E5', 'C5', 'T30', 'N30', 'R30', 'F7', 'D2', 'J9', 'MS', 'MA', 'ME', 'MD', 'Oopaque',
]
const LINE_ENDS = ['\r\n', '\r\n', '\r\n', '\r\n', '\n', '\r', '', '\r\r\n', '\n\r']
const VALUE_BYTES = [0, 1, 5, 100, 5000, 100_000]
const SASL_AUTH = 0x21
const SASL_STEP = 0x22

/** Classic and meta commands. */
export function textFrames(prng: Prng): Frames {
  const generators = [new ClassicGenerator(prng), new MetaGenerator(prng)]
  return () => prng.oneIn(4) ? words(prng) : withNumber(prng.pick(generators).next().text, '5')
}

export function binaryFrames(prng: Prng): Frames {
  const generator = new BinaryGenerator(prng)
  return () => withNumber(generator.next().text, '\0\0\0\0\0\0\0\x05')
}

/** The name of the list of nodes, names that are nearly this, and the key of older clients. */
const LISTS = ['cluster', 'cluster', 'cluster', 'clusters', 'c', 'AmazonElastiCache:cluster', 'k'.repeat(250)]
/** The lengths of lists: some as long as they may be. */
const LIST_BYTES = [0, 1, 15, 2048, 5000, 32_768, 32_769, 100_000]
const CONFIG_GET = 0x60
const CONFIG_SET = 0x64
const CONFIG_DELETE = 0x66

/** The text commands of discovery, among others. */
export function configFrames(prng: Prng): Frames {
  const text = textFrames(prng)
  return () => {
    if (prng.oneIn(3)) return text()
    if (prng.oneIn(4)) return toBuffer(`${prng.pick(['get', 'gets', 'gat 0', 'mg'])} a AmazonElastiCache:cluster b\r\n`)
    const name = prng.pick(LISTS)
    const noreply = prng.oneIn(5) ? ' noreply' : ''
    const command = prng.pick(['get', 'set', 'set', 'delete', ''])
    if (command !== 'set') return toBuffer(`config ${command} ${name}${noreply}\r\n`)
    const bytes = prng.pick(LIST_BYTES)
    const length = prng.oneIn(10) ? prng.pick(WORDS) : String(bytes)
    return toBuffer(`config set ${name} ${prng.pick(['0', '7', '-1', '4294967296'])} ${length}${noreply}\r\n${'n'.repeat(bytes)}\r\n`)
  }
}

/** The opcodes of discovery, among others. */
export function configPackets(prng: Prng): Frames {
  const binary = binaryFrames(prng)
  return () => {
    if (prng.oneIn(3)) return binary()
    const opcode = prng.pick([CONFIG_GET, CONFIG_SET, CONFIG_DELETE, 0x00, 0x0c, 0x0d])
    const key = prng.pick(LISTS)
    if (opcode !== CONFIG_SET) return packet(opcode, { key })
    return packet(opcode, { key, extras: new Uint8Array(prng.pick([0, 4, 4, 8])), value: 'n'.repeat(prng.pick(LIST_BYTES)) })
  }
}

/** Lets a client in. */
export const TOKEN = toBuffer(`set key 0 0 11\r\n${USER.name} ${USER.password}\r\n`)
export const SASL_TOKEN = packet(SASL_AUTH, { key: 'PLAIN', value: `\0${USER.name}\0${USER.password}` })

/** Text with attempts to be let in, of which some are right. */
export function tokenFrames(prng: Prng): Frames {
  const text = textFrames(prng)
  return () => {
    if (!prng.oneIn(10)) return text()
    const token = secret(prng, ' ')
    return toBuffer(`set key 0 0 ${token.length}\r\n${token}\r\n`)
  }
}

export function saslFrames(prng: Prng): Frames {
  const binary = binaryFrames(prng)
  return () => {
    if (!prng.oneIn(10)) return binary()
    const opcode = prng.pick([SASL_AUTH, SASL_AUTH, SASL_STEP])
    return packet(opcode, { key: prng.pick(['PLAIN', 'PLAIN', 'CRAM-MD5', '']), value: '\0' + secret(prng, '\0') })
  }
}

function secret(prng: Prng, between: string): string {
  const password = prng.pick([USER.password, USER.password, 'wrong', '', 'p'.repeat(300)])
  return USER.name + between + password
}

function words(prng: Prng): Buffer {
  const line = Array.from({ length: prng.between(1, 7) }, () => prng.pick(WORDS)).join(' ') + prng.pick(LINE_ENDS)
  return toBuffer(prng.oneIn(3) ? line + 'v'.repeat(prng.pick(VALUE_BYTES)) + prng.pick(LINE_ENDS) : line)
}

function withNumber(text: string, number: string): Buffer {
  return toBuffer(text.replaceAll(CAS, number))
}
