// A client that watches. The server's log writes events to it, see log/. The session discards the bytes that the client sends.
import { type Watching } from '../peer.js'
import { ConnectionState } from './state.js'
import { Wait, type Work } from './work.js'

export class Watch implements Work {
  readonly wait = Wait.Input
  readonly state = ConnectionState.Watch
  readonly next = undefined
  readonly isDone = false

  constructor(private readonly watching: Watching) {}

  resume(_at: number, end: number): number { return end }

  drop(): void { this.watching.end() }
}
