// A throw-away certificate for TLS in tests. Node.js makes keys and reads certificates, but makes none, so this file writes one
// in DER, the binary form of X.509 (RFC 5280): each part is a tag, a length and a content, which may be further parts.
//
// The certificate signs itself, so it is also the authority that clients trust. It is valid from 1970 to 9999, as a test may have
// any date. A process makes one when it first needs it.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'

/** A certificate and its private key, in PEM. */
export interface ThrowAway { readonly cert: string; readonly key: string }

const enum Tag {
  Boolean = 0x01, Integer = 0x02, BitString = 0x03, OctetString = 0x04, Oid = 0x06, Utf8 = 0x0c, UtcTime = 0x17,
  Time = 0x18, Sequence = 0x30, Set = 0x31,
  /** Parts that are known by a number which is added: those with a content of bytes, and those with further parts. */
  Bytes = 0x80, Parts = 0xa0,
}

const NAME = 'memslab throw-away certificate'
const HOST = 'localhost'
const ADDRESSES = [[127, 0, 0, 1], [...new Array<number>(15).fill(0), 1]]

const SERIAL_BYTES = 16
/** The bits of keyUsage: digitalSignature and keyCertSign. The first byte is the number of bits that are unused. */
const KEY_USAGE = [2, 0b1000_0100]

let made: ThrowAway | undefined

/** The certificate of this process, for localhost, 127.0.0.1 and ::1. */
export function throwAwayCertificate(): ThrowAway { return made ??= make() }

function make(): ThrowAway {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const signed = contents(publicKey)
  const cert = sequence(signed, SIGNATURE_BY, part(Tag.BitString, [0], sign('sha256', signed, privateKey)))
  return { cert: pem(cert), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** What is signed: TBSCertificate. */
function contents(publicKey: KeyObject): Buffer {
  const name = sequence(part(Tag.Set, sequence(oid(2, 5, 4, 3), part(Tag.Utf8, Buffer.from(NAME)))))
  const validity = sequence(part(Tag.UtcTime, Buffer.from('700101000000Z')), part(Tag.Time, Buffer.from('99991231235959Z')))
  const serial = randomBytes(SERIAL_BYTES)
  // positive, and of full length
  serial[0] = serial[0]! & 0x3f | 0x40
  return sequence(
    part(Tag.Parts, integer([2])),   // version 3
    integer(serial), SIGNATURE_BY, name, validity, name,
    publicKey.export({ type: 'spki', format: 'der' }),
    part(Tag.Parts | 3, sequence(...extensions(publicKey))),
  )
}

function extensions(publicKey: KeyObject): Buffer[] {
  const keyId = createHash('sha1').update(publicKey.export({ type: 'spki', format: 'der' })).digest()
  const names = [part(Tag.Bytes | 2, Buffer.from(HOST)), ...ADDRESSES.map(address => part(Tag.Bytes | 7, address))]
  return [
    critical(19, sequence(part(Tag.Boolean, [0xff]))),         // basicConstraints: an authority
    critical(15, part(Tag.BitString, KEY_USAGE)),
    extension(17, sequence(...names)),                         // subjectAltName
    extension(14, part(Tag.OctetString, keyId)),               // subjectKeyIdentifier
    extension(35, sequence(part(Tag.Bytes, keyId))),           // authorityKeyIdentifier
  ]
}

/** An extension, whose id is 2.5.29 and a number. */
function extension(number: number, content: Buffer): Buffer {
  return sequence(oid(2, 5, 29, number), part(Tag.OctetString, content))
}

function critical(number: number, content: Buffer): Buffer {
  return sequence(oid(2, 5, 29, number), part(Tag.Boolean, [0xff]), part(Tag.OctetString, content))
}

// DER

type Content = Uint8Array | readonly number[]

/** A part with all of `contents`, one behind the other, which have less than 64 KiB. */
function part(tag: number, ...contents: Content[]): Buffer {
  const content = Buffer.concat(contents.map(content => Buffer.from(content)))
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

function sequence(...parts: Content[]): Buffer { return part(Tag.Sequence, ...parts) }

function integer(bytes: Content): Buffer { return part(Tag.Integer, bytes) }

/** An object identifier. The first two numbers share a byte; each later one has 7 bits a byte, the highest first. */
function oid(first: number, second: number, ...numbers: number[]): Buffer {
  return part(Tag.Oid, [first * 40 + second, ...numbers.flatMap(inSevens)])
}

function inSevens(number: number): number[] {
  const bytes = [number & 0x7f]
  for (let rest = number >> 7; rest > 0; rest >>= 7) bytes.unshift(rest & 0x7f | 0x80)
  return bytes
}

/** ecdsa-with-SHA256 */
const SIGNATURE_BY = sequence(oid(1, 2, 840, 10045, 4, 3, 2))

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n')
}
