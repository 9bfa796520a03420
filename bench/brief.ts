// Clients that ask once and leave, as those of PHP do without persistent connections: each batch has a connection of its
// own. What a server spends on opening and closing counts as time of the request; the latency is that of the answer alone.

import { Connection, type Tally } from './connection.js'
import type { Batch } from './feeds.js'

// One such client after the other.
export class BriefConnections {
  readonly opened = Promise.resolve()
  private isResting = false

  constructor(private readonly port: number, private readonly next: () => Batch, private readonly tally: Tally) {}

  // Resolves after `rest`, when the last of them has gone; rejects as that of a Connection.
  async run(): Promise<void> {
    this.isResting = false
    while (!this.isResting) {
      const batches = [this.next()]
      const connection = new Connection(this.port, () => batches.pop(), this.tally)
      await connection.opened
      await connection.run()
      connection.close()
    }
  }

  rest(): void { this.isResting = true }

  close(): void {}
}
