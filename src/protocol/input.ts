// The read buffer of a thread. All its connections share it, because a batch is parsed before the next one is read; what
// is left of an unfinished request is kept aside by its session and put in front of the next batch.
//
//   | room for what was kept aside |  the bytes of this batch  | a line end, so that every scan stops |
//   ^ start                        ^ batchStart                ^ at the end of what was read

/** What one read takes at most. */
export const READ_BYTES = 16 * 1024
/** The longest unfinished line: only a multi-get may grow so long. */
export const LINE_BYTES_MAX = 1024 * 1024
/** The bytes an Input needs. */
export const INPUT_BYTES = LINE_BYTES_MAX + READ_BYTES + 64

export class Input {
  /** Where a read puts its bytes. */
  readonly batchStart: number
  /** The same place as a view to hand to a socket. */
  readonly readBuffer: Uint8Array

  /** @param start of INPUT_BYTES in `bytes` that are this thread's alone */
  constructor(readonly bytes: Uint8Array, readonly start: number) {
    this.batchStart = start + LINE_BYTES_MAX
    this.readBuffer = bytes.subarray(this.batchStart, this.batchStart + READ_BYTES)
  }
}
