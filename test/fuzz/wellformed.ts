// What every answer looks like, whatever the request was. What it says is the
// business of other tests.

const ANSWER_LINE = new RegExp('^(?:' + [
  'STORED', 'NOT_STORED', 'MEMLIMIT_[A-Z_]+ .+', 'EXISTS', 'NOT_FOUND', 'DELETED', 'TOUCHED', 'OK', 'RESET', 'END', 'ERROR', 'MN',
    'EN', '\\d{1,20}',
  '(?:SERVER_ERROR|CLIENT_ERROR|ERROR):? .+', 'Error TLS not enabled', '(?:VERSION|STAT|PREFIX|VALUE|CONFIG|ME) .+',
  '(?:HD|VA \\d+|EN|NF|NS|EX)(?: [A-Za-z][^ ]*)*',
].join('|') + ')$', 's')
const BLOCK = /^(?:(?:VALUE|CONFIG) [^ ]+ \d+|VA) (\d+)(?: |$)/

export interface Fault {
  readonly message: string
  /** The byte of the answers at which it shows. */
  readonly at: number
}

/** What is wrong with the answers of a text connection; undefined if nothing is. */
export function textFault(answers: Buffer): Fault | undefined {
  let at = 0
  while (at < answers.length) {
    const end = answers.indexOf('\n', at)
    const line = answers.toString('latin1', at, end < 0 ? answers.length : end - 1)
    if (end < 0 || answers[end - 1] !== 0x0d) return { message: 'a line without \\r\\n', at }
    if (!ANSWER_LINE.test(line)) return { message: 'a line that is no answer', at }
    at = end + 1
    const blockBytes = BLOCK.exec(line)?.[1]
    if (blockBytes === undefined) continue
    at += Number(blockBytes) + 2
    // a large value is sent at once; what follows it waits with all other answers while the client is in the middle of a value
    if (answers.length === at - 2) return undefined
    if (answers.toString('latin1', at - 2, at) !== '\r\n') return { message: 'a data block without \\r\\n', at: at - 2 }
  }
  return undefined
}

const HEADER_BYTES = 24
const STATUSES = [0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x20, 0x21, 0x81, 0x82]

/** The same for a binary connection. */
export function binaryFault(answers: Buffer): Fault | undefined {
  let at = 0
  while (at < answers.length) {
    if (answers.length < at + HEADER_BYTES) return { message: 'a header cut short', at }
    const bodyBytes = answers.readUInt32BE(at + 8)
    if (answers.readUInt8(at) !== 0x81) return { message: 'a wrong magic', at }
    if (answers.readUInt16BE(at + 2) + answers.readUInt8(at + 4) > bodyBytes) {
      return { message: 'a body shorter than its parts', at }
    }
    if (answers.readUInt8(at + 5) !== 0) return { message: 'a data type', at }
    if (!STATUSES.includes(answers.readUInt16BE(at + 6))) return { message: 'an unknown status', at }
    at += HEADER_BYTES + bodyBytes
    if (at > answers.length) return { message: 'a body cut short', at: answers.length }
  }
  return undefined
}
