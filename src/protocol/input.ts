// The read buffer of a thread. All its connections share it, because a batch is parsed before the next one is read; what
// is left of an unfinished request is kept aside by its session and put in front of the next batch.
//
//   | room for what was kept aside | the bytes of this batch | a line end | a piece of a long line | a decoded key |
//   ^ start                        ^ batchStart                           ^ pieceStart             ^ keyStart
//
// The thread's one Request is here too, as its ranges are mostly of these bytes.
//
// The line end stands at the end of what was read, so that every scan stops there.

import { Request } from '../store/request.js'

/** What one read takes at most. */
export const READ_BYTES = 96 * 1024
/** What it takes from a client that sends large values, so that little of the next one has to be copied to its item. */
const SHORT_READ_BYTES = 2 * 1024
/** The most of an unfinished request that is kept aside in one piece. Only a multi-get may grow longer, see LongLine. */
export const KEPT_BYTES_MAX = 64 * 1024
/** How much of a long line is served in one turn. */
export const PIECE_BYTES = 64 * 1024
const SENTINEL_BYTES = 64
const KEY_BYTES = 256
/** The bytes an Input needs. */
export const INPUT_BYTES = KEPT_BYTES_MAX + READ_BYTES + PIECE_BYTES + 2 * SENTINEL_BYTES + KEY_BYTES

export class Input {
  /** Where a read puts its bytes. */
  readonly batchStart: number
  /** Room for a piece of a long line and a line end. */
  readonly pieceStart: number
  /** Room for a key that does not stand in the input as it is, as one in base64. */
  readonly keyStart: number
  /** `batchStart` as a view to hand to a socket. */
  readonly readBuffer: Uint8Array
  readonly shortReadBuffer: Uint8Array
  /** What the client at work asks for. */
  readonly request: Request
  /** Whether a batch is being served: then nothing may be put here, and no other session may begin. */
  isInUse = false

  /** @param start of INPUT_BYTES in `bytes` that are this thread's alone */
  constructor(readonly bytes: Uint8Array, readonly start: number) {
    this.request = new Request(bytes)
    this.batchStart = start + KEPT_BYTES_MAX
    this.pieceStart = this.batchStart + READ_BYTES + SENTINEL_BYTES
    this.keyStart = this.pieceStart + PIECE_BYTES + SENTINEL_BYTES
    this.readBuffer = bytes.subarray(this.batchStart, this.batchStart + READ_BYTES)
    this.shortReadBuffer = bytes.subarray(this.batchStart, this.batchStart + SHORT_READ_BYTES)
  }
}
