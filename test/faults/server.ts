// A tapped server for the tests of this folder.
import type { Test } from 'tap'
import { FaultControl, type ControlParts } from '../../src/faults/control.js'
import { startServer, type StartOptions, type TestServer } from '../support/server.js'
import { readAnswers, type Answer } from '../support/packet.js'
import { Client } from '../support/client.js'

export interface TappedServer extends TestServer { readonly control: FaultControl }

export async function startTapped(t: Test, options: StartOptions = {}, parts: ControlParts = {}): Promise<TappedServer> {
  const control = new FaultControl(parts)
  return { ...await startServer(t, { ...options, faults: control }), control }
}

/** Sends packets and reads so many answers. */
export async function exchange(client: Client, packets: readonly Buffer[], answers: number): Promise<Answer[]> {
  void client.send(Buffer.concat(packets))
  let read: Answer[] = []
  await client.answer({
    bytesMin: 0,
    judge: bytes => {
      try {
        read = readAnswers(Buffer.from(bytes))
      } catch { return 'incomplete' }
      return read.length >= answers ? 'met' : 'incomplete'
    },
    complain: received => ({ message: 'too few answers', expected: `${answers} packets`, received: received.toString('hex') }),
  })
  if (read.length !== answers) throw new Error(`${read.length} answers came, not ${answers}`)
  return read
}
