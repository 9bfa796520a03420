// A client of a server in this process that takes what it is sent when the test lets it.
import { Duplex } from 'node:stream'
import type { ServerCore } from '../../src/server/core.js'

export class Hand {
  /** All that it has taken. */
  received = ''
  isClosed = false
  private readonly untaken: (() => void)[] = []
  private readonly stream: Duplex

  /** @param takes false: it takes nothing until `take` */
  constructor(server: ServerCore, private takes = true) {
    this.stream = new Duplex({
      read: () => {},
      writableHighWaterMark: 1,
      write: (chunk: Buffer, _encoding, done) => {
        const take = (): void => {
          this.received += chunk.toString()
          done()
        }
        if (this.takes) take()
        else this.untaken.push(take)
      },
    })
    this.stream.on('error', () => {})
    this.stream.on('close', () => { this.isClosed = true })
    server.handle(this.stream)
  }

  send(bytes: string): void { this.stream.push(bytes) }

  /** Asks for a path. */
  get(path: string, ...headers: string[]): void {
    this.send([`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n'))
  }

  /** Takes one thing that was written, or with `all` whatever is. */
  take(all = false): void {
    if (all) this.takes = true
    do this.untaken.shift()?.()
    while (all && this.untaken.length > 0)
  }

  hangUp(): void { this.stream.destroy() }

  /** The status of its first answer, 0 if there is none. */
  get status(): number { return Number(/^HTTP\/1\.1 (\d+)/.exec(this.received)?.[1] ?? 0) }
}
