// Plays a block of a .wire file against a server and throws a Mismatch at the
// first answer that is not the recorded one.

import { excerpt, toBuffer } from './bytes.js'
import { fill, literalOf, patternsOf } from './conversation.js'
import type { Block, Part, Step } from './conversation.js'
import { ExactBytes, Matching, Mismatch } from './peer.js'
import type { Peer } from './peer.js'

/** A server to talk to. */
export interface Host {
  connect(): Promise<Peer>
  /** Gives the server the occasion to read what was sent and to answer. */
  settle(): Promise<void>
  /** Lets this much time go by, for the server if not for us. */
  pass(milliseconds: number): Promise<void>
  /** Resolves when the server has ended by itself. */
  stopped(): Promise<void>
}

/**
 * @param cut when given, the bytes sent are numbered over the whole block and
 *   the write that holds number `cut` is made in two pieces, the second beginning with it
 * @returns how many bytes were sent
 */
export async function replay(block: Block, host: Host, cut?: number): Promise<number> {
  return await new Replay(block, host, cut).run()
}

/** How much time goes by before those who watch are looked at. */
const WATCH_MS = 100

class Replay {
  private readonly peers = new Map<number, Peer>()
  private readonly kept = new Map<string, string>()
  private sentBytes = 0
  private lastSent = ''
  /** Whether somebody watches, who is told what happens only after some time. */
  private isWatched = false

  constructor(private readonly block: Block, private readonly host: Host, private readonly cut: number | undefined) {}

  async run(): Promise<number> {
    try {
      await this.play()
    } catch (cause) {
      for (const peer of this.peers.values()) await peer.hangUp()
      throw cause
    }
    await this.hangUp()
    if (this.block.stops) await this.host.stopped()
    return this.sentBytes
  }

  private async play(): Promise<void> {
    if (this.block.flush) await this.flush()
    let id = 1
    for (const step of this.block.steps) {
      if (step.kind === 'connection') id = step.id
      else await this.take(step, await this.peer(id), id)
    }
  }

  private async hangUp(): Promise<void> {
    for (const [id, peer] of this.peers) {
      const rest = await peer.hangUp()
      if (rest.length > 0) {
        throw this.mismatch(this.block.steps.at(-1), id, 'nothing more should come', { received: excerpt(rest) })
      }
    }
  }

  private async take(step: Exclude<Step, { kind: 'connection' }>, peer: Peer, id: number): Promise<void> {
    switch (step.kind) {
      case 'send':
        return await this.send(fill(step.bytes, this.kept), peer)
      case 'answer':
        return await this.answer(step, step.parts, peer, id)
      case 'silence':
        return await this.silence(step, peer, id)
      case 'wait':
        return await this.pass(step.milliseconds)
      case 'closed':
        if (!await peer.closed()) throw this.mismatch(step, id, 'the server should close the connection')
    }
  }

  private async silence(step: Step, peer: Peer, id: number): Promise<void> {
    // a cut may have separated what is answered from what holds the answer back
    if (this.cut !== undefined) return
    await this.host.settle()
    const received = peer.waiting()
    if (received.length > 0) throw this.mismatch(step, id, 'nothing should come yet', { received: excerpt(received) })
  }

  private async send(text: string, peer: Peer): Promise<void> {
    const bytes = toBuffer(text)
    const at = (this.cut ?? 0) - this.sentBytes
    this.sentBytes += bytes.length
    this.lastSent = text
    if (text.startsWith('watch')) this.isWatched = true
    if (at <= 0 || at >= bytes.length) return void peer.send(bytes)
    void peer.send(bytes.subarray(0, at))
    await this.host.settle()
    void peer.send(bytes.subarray(at))
  }

  /** Nobody reads meanwhile. */
  private async pass(milliseconds: number): Promise<void> {
    for (const peer of this.peers.values()) peer.pause()
    await this.host.pass(milliseconds)
    for (const peer of this.peers.values()) peer.resume()
  }

  private async answer(step: Step, parts: readonly Part[], peer: Peer, id: number): Promise<void> {
    const literal = literalOf(parts, this.kept)
    if (this.isWatched) await this.host.pass(WATCH_MS)
    const expected = literal === undefined ? new Matching(patternsOf(parts, this.kept)) : new ExactBytes(literal)
    const received = await peer.answer(expected)
    if (expected.judge(received) !== 'met') {
      const { message, ...details } = expected.complain(received)
      throw this.mismatch(step, id, message, details)
    }
    if (expected instanceof Matching) this.keep(expected.whole.exec(received.toString('latin1'))?.groups ?? {})
  }

  private keep(groups: Readonly<Record<string, string>>): void {
    for (const [name, text] of Object.entries(groups)) this.kept.set(name, text)
  }

  private async peer(id: number): Promise<Peer> {
    const known = this.peers.get(id)
    if (known !== undefined) return known
    const peer = await this.host.connect()
    this.peers.set(id, peer)
    return peer
  }

  private async flush(): Promise<void> {
    const peer = await this.host.connect()
    void peer.send(toBuffer('flush_all\r\n'))
    await peer.answer(new ExactBytes('OK\r\n'))
    await peer.hangUp()
  }

  private mismatch(step: Step | undefined, id: number, message: string, details: Readonly<Record<string,
    string>> = {}): Mismatch {
    const connection = this.peers.size > 1 ? `, connection ${id}` : ''
    const cut = this.cut === undefined ? '' : `, cut before byte ${this.cut}`
    const place = `${this.block.file}.wire:${step?.line} ${this.block.name}${connection}${cut}`
    return new Mismatch(`${place}: ${message}`, { sent: excerpt(this.lastSent), ...details })
  }
}
