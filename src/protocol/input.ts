// The read buffer of a thread. All its connections share it, as each batch is served before the next one is read. If the end of
// a batch is an unfinished request, its session keeps these bytes aside and copies them in front of its next batch.
//
//   | bytes that were kept aside | the bytes of this batch | a line end | a piece of a long line | a decoded key |
//   ^ start                      ^ batchStart                           ^ pieceStart             ^ keyStart
//
// The session writes a line end behind the bytes of the batch, so that every scan stops there.
//
// The Request of the thread is a field here, as its ranges mostly lie in these bytes.

import { Request } from '../store/request.js'

/** The most bytes of one read. */
export const READ_BYTES = 96 * 1024
/** The most bytes of a read from a client that sends large values, so that few bytes of the next value have to be copied. */
const SHORT_READ_BYTES = 2 * 1024
/** The most bytes of an unfinished request that are kept aside for the next batch. Only a get may be longer, see LongLine. */
export const KEPT_BYTES_MAX = 64 * 1024
/** The most bytes of a long line that are served in one turn. */
export const PIECE_BYTES = 64 * 1024
const SENTINEL_BYTES = 64
const KEY_BYTES = 256
/** The bytes that an Input needs. */
export const INPUT_BYTES = KEPT_BYTES_MAX + READ_BYTES + PIECE_BYTES + 2 * SENTINEL_BYTES + KEY_BYTES

export class Input {
  /** The index of the bytes of a batch. */
  readonly batchStart: number
  /** The index of the room for a piece of a long line and its line end. */
  readonly pieceStart: number
  /** The index of the room for a key that the client has sent in base64. */
  readonly keyStart: number
  /** The view of READ_BYTES at `batchStart`, for a socket. */
  readonly readBuffer: Uint8Array
  /** The view of SHORT_READ_BYTES at `batchStart`. */
  readonly shortReadBuffer: Uint8Array
  /** The current request. */
  readonly request: Request
  /** True while a batch is being served. Then no connection writes to this buffer, and no other session begins a batch. */
  isInUse = false
  /** The number of the batch, which says whether something was read from its bytes or from those of another. */
  batch = 0

  /** @param start the index of INPUT_BYTES in `bytes` that no other thread uses */
  constructor(readonly bytes: Uint8Array, readonly start: number) {
    this.request = new Request(bytes)
    this.batchStart = start + KEPT_BYTES_MAX
    this.pieceStart = this.batchStart + READ_BYTES + SENTINEL_BYTES
    this.keyStart = this.pieceStart + PIECE_BYTES + SENTINEL_BYTES
    this.readBuffer = bytes.subarray(this.batchStart, this.batchStart + READ_BYTES)
    this.shortReadBuffer = bytes.subarray(this.batchStart, this.batchStart + SHORT_READ_BYTES)
  }
}
