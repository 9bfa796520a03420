// memcached's frame of datagrams (protocol.txt, "UDP protocol"): 8 bytes before the payload, numbers with the high byte first.
//
//    0            2                 4                             6
//   | request id | sequence number | datagrams of this message  | reserved, 0 |  payload ...
//
// A datagram may hold several requests. The answer to each is a message of its own: it has the request id of the datagram, and is
// cut into as many datagrams as it needs, numbered from 0. As each of them has their number, the whole message is gathered
// before any is sent. So the answers of a datagram together have a limit.
import { type Held } from '../protocol/output.js'
import { type Peer } from '../protocol/peer.js'
import { formatUdpAddress } from './addresses.js'
import { type Remote } from './link.js'

export const HEADER_BYTES = 8
/** The longest datagram that is sent, with its header. It fits an Ethernet frame. */
export const DATAGRAM_BYTES_MAX = 1400
/** The most datagrams that answer one: about 2 MB, which is enough for the largest value without -I. */
const DATAGRAMS_MAX = 1500

const enum At { RequestId = 0, Sequence = 2, Total = 4, Reserved = 6 }

const LOWER_A = 0x61
const LOWER_Z = 0x7a
const BINARY_REQUEST = 0x80

/**
 * True if a datagram holds whole requests. As in memcached, it does not if it claims to be one of several. A request begins with
 * a lower-case letter or the magic byte of a binary request; an answer never does. Without this check, two servers would answer
 * each other's answers for ever if an attacker sent one a request with the forged address of the other.
 */
export function isRequest(datagram: Buffer): boolean {
  if (datagram.length <= HEADER_BYTES || datagram.readUInt16BE(At.Total) !== 1) return false
  const first = datagram[HEADER_BYTES]!
  return first >= LOWER_A && first <= LOWER_Z || first === BINARY_REQUEST
}

/** The answers to the requests of one datagram. It is the peer of their session, and gathers the bytes that this writes. */
export class Answer implements Peer {
  readonly lentBytesMax = 64 * 1024
  readonly isLasting = false
  clientNumber = 0
  /** True if the session wrote more than DATAGRAMS_MAX allows. */
  isTooLong = false
  private readonly requestId: number
  /** The datagrams of complete messages, with their headers. */
  private readonly complete: Buffer[] = []
  /** The datagrams of the message that is being written. */
  private datagrams: Buffer[] = []
  /** The free bytes at the end of the last datagram. */
  private room = 0
  private hasYielded = false

  /** @param id the session's number in logs; @param client that sent the datagram */
  constructor(request: Buffer, readonly id: number, private readonly client: Remote) {
    this.requestId = request.readUInt16BE(At.RequestId)
  }

  get address(): string { return formatUdpAddress(this.client) }

  write(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length;) {
      if (this.room === 0 && !this.grow()) return false
      const count = Math.min(this.room, bytes.length - at)
      this.datagrams.at(-1)!.set(bytes.subarray(at, at + count), DATAGRAM_BYTES_MAX - this.room)
      this.room -= count
      at += count
    }
    return true
  }

  writeMany(parts: readonly Uint8Array[]): boolean { return parts.every(part => this.write(part)) }

  private grow(): boolean {
    if (this.complete.length + this.datagrams.length >= DATAGRAMS_MAX) {
      this.isTooLong = true
      return false
    }
    this.datagrams.push(Buffer.allocUnsafe(DATAGRAM_BYTES_MAX))
    this.room = DATAGRAM_BYTES_MAX - HEADER_BYTES
    return true
  }

  /** Releases bytes that did not fit: they are not sent later. */
  hold(held: Held): void { held.settle() }

  /** Replaces the message that is being written by `bytes`, which fit one datagram. */
  replace(bytes: Uint8Array): void {
    this.datagrams = bytes.length === 0 ? [] : [Buffer.concat([Buffer.alloc(HEADER_BYTES), bytes], DATAGRAM_BYTES_MAX)]
    this.room = bytes.length === 0 ? 0 : DATAGRAM_BYTES_MAX - HEADER_BYTES - bytes.length
  }

  yield(): void { this.hasYielded = true }

  /** True if the session has yielded since the last call, so that it has to be resumed. */
  takeYield(): boolean {
    const { hasYielded } = this
    this.hasYielded = false
    return hasYielded
  }

  pause(): void {}

  end(): void {}

  drop(): void {}

  /** Ends the answer to one request. If it has no bytes, there is no message. */
  endMessage(): void {
    const { datagrams, requestId } = this
    const last = datagrams.pop()
    if (last !== undefined) datagrams.push(last.subarray(0, DATAGRAM_BYTES_MAX - this.room))
    for (const [sequence, datagram] of datagrams.entries()) {
      datagram.writeUInt16BE(requestId, At.RequestId)
      datagram.writeUInt16BE(sequence, At.Sequence)
      datagram.writeUInt16BE(datagrams.length, At.Total)
      datagram.writeUInt16BE(0, At.Reserved)
      this.complete.push(datagram)
    }
    this.datagrams = []
    this.room = 0
  }

  /** Ends the last answer. Returns the datagrams to send: none if nothing was written. */
  finish(): readonly Buffer[] {
    this.endMessage()
    return this.complete
  }
}
