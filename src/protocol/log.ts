// What -vv says of conversations, in memcached's words: `<26 get key` came from connection 26, `>26 END` went to it. Only
// who has looked at the verbosity calls this, so that nothing of it costs anything otherwise.
import { type Host } from './host.js'
import { type Session } from './session.js'

/** An answer, as far as its first line, though the client may have asked for none. */
export function logReply(host: Host, session: Session, line: Uint8Array, isQuiet = false): void {
  host.log(`>${session.peer.id} ${isQuiet ? 'NOREPLY ' : ''}${printable(line)}`)
}

/** Carries out what answers, and logs the first line of the answer if there is one. */
export function logAnswer<Result>(host: Host, session: Session, answer: () => Result): Result {
  const { output } = host
  output.begin()
  const result = answer()
  if (output.begun.length > 0) logReply(host, session, output.begun)
  return result
}

/** The first line of some bytes, without its end and with dots for what is no printable ASCII. */
export function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  return /^[^\n]*/.exec(text)![0].replace(/\r$/, '').replace(/[^\x20-\x7e]/g, '.')
}
