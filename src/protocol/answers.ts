// The reply lines that text commands and meta commands share. The tables of text/reply.ts and meta/answers.ts include them.

/** Makes a reply line, ready to be copied to the output. */
export function line(text: string): Uint8Array { return Buffer.from(`${text}\r\n`, 'latin1') }

/** Reply lines by name. */
export const ANSWERS = {
  badFormat: line('CLIENT_ERROR bad command line format'),
  badDataChunk: line('CLIENT_ERROR bad data chunk'),
  nonNumeric: line('CLIENT_ERROR cannot increment or decrement non-numeric value'),
  tooLarge: line('SERVER_ERROR object too large for cache'),
  noMemoryStoring: line('SERVER_ERROR out of memory storing object'),
  noMemory: line('SERVER_ERROR out of memory'),
} as const
