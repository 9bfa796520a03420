// The log of conversations with -vv, in memcached's words: `<26 get key` came from connection 26, `>26 END` was sent to it. The
// callers check the verbosity first, so that this costs nothing without -vv.
import { type Host } from './host.js'
import { type Session } from './session.js'

/** Logs the first line of a reply. @param isQuiet the client has asked for no reply, so that this one is not sent */
export function logReply(host: Host, session: Session, line: Uint8Array, isQuiet = false): void {
  host.log(`>${session.peer.id} ${isQuiet ? 'NOREPLY ' : ''}${printable(line)}`)
}

/** Calls `answer`, and logs the first line of the reply that it renders, if it renders one. */
export function logAnswer<Result>(host: Host, session: Session, answer: () => Result): Result {
  const { output } = host
  output.begin()
  const result = answer()
  if (output.begun.length > 0) logReply(host, session, output.begun)
  return result
}

/** The first line of some bytes without its line end, with a dot for each byte that is no printable ASCII character. */
export function printable(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1')
  return /^[^\n]*/.exec(text)![0].replace(/\r$/, '').replace(/[^\x20-\x7e]/g, '.')
}
