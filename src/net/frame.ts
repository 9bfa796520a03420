// memcached's frame around datagrams (protocol.txt, "UDP protocol"): 8 bytes before the payload, high byte first.
//
//    0            2                 4                             6
//   | request id | sequence number | datagrams of this message  | reserved, 0 |  payload ...
//
// A datagram may hold several requests, and the answer to each is a message of its own: it has the id of the datagram and is
// cut into as many datagrams as it needs, numbered from 0. It is gathered whole, since each of them says how many there are;
// so there is a bound to all the answers of a datagram together.
import { type Held } from '../protocol/output.js'
import { type Peer } from '../protocol/peer.js'

export const HEADER_BYTES = 8
/** The longest datagram that is sent, its header included: it fits an Ethernet frame. */
export const DATAGRAM_BYTES_MAX = 1400
/** What one datagram is answered at most, about 2 MB: any value there can be without -I, and no more than that for a small request. */
const DATAGRAMS_MAX = 1500

const enum At { RequestId = 0, Sequence = 2, Total = 4, Reserved = 6 }

const LOWER_A = 0x61
const LOWER_Z = 0x7a
const BINARY_REQUEST = 0x80

/**
 * Whether a datagram is a whole request. One that claims to be part of several is not, as in memcached. Requests begin
 * with a small letter or with the binary protocol's byte for requests; answers never do. That keeps an answer which comes
 * in as if it were a request, because somebody forged an address, from being answered again, and again.
 */
export function isRequest(datagram: Buffer): boolean {
  if (datagram.length <= HEADER_BYTES || datagram.readUInt16BE(At.Total) !== 1) return false
  const first = datagram[HEADER_BYTES]!
  return first >= LOWER_A && first <= LOWER_Z || first === BINARY_REQUEST
}

/** The answers to the requests of one datagram, gathered from what their session writes. */
export class Answer implements Peer {
  readonly lentBytesMax = 64 * 1024
  readonly isLasting = false
  /** Whether more was written than a datagram is answered. */
  isTooLong = false
  private readonly requestId: number
  /** Messages that are complete, numbered. */
  private readonly complete: Buffer[] = []
  /** The message that is being written. */
  private datagrams: Buffer[] = []
  /** Bytes that are free at the end of the last datagram. */
  private room = 0
  private hasYielded = false

  /** @param id what logs call the session */
  constructor(request: Buffer, readonly id: number) { this.requestId = request.readUInt16BE(At.RequestId) }

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

  /** What did not fit is not needed any more. */
  hold(held: Held): void { held.settle() }

  /** Puts `bytes`, few of them, in place of what was written of the last message. */
  replace(bytes: Uint8Array): void {
    this.datagrams = bytes.length === 0 ? [] : [Buffer.concat([Buffer.alloc(HEADER_BYTES), bytes], DATAGRAM_BYTES_MAX)]
    this.room = bytes.length === 0 ? 0 : DATAGRAM_BYTES_MAX - HEADER_BYTES - bytes.length
  }

  yield(): void { this.hasYielded = true }

  /** Whether the session wants to be resumed; asked once for each time. */
  takeYield(): boolean {
    const { hasYielded } = this
    this.hasYielded = false
    return hasYielded
  }

  pause(): void {}

  end(): void {}

  drop(): void {}

  /** The answer to one request is complete; one without any bytes is no message. */
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

  /** The datagrams to send, none if nothing was written. */
  finish(): readonly Buffer[] {
    this.endMessage()
    return this.complete
  }
}
