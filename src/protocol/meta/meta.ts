// What the handlers of meta commands work with: the line at work, its flags, and the ways to answer it. A thread has one Meta,
// for all its sessions. Errors are always answered, whatever `q` says.
import { type Sampler } from '../../insight/sampler.js'
import { type Request } from '../../store/request.js'
import { type Store } from '../../store/store.js'
import { type ItemView } from '../../store/view.js'
import { type Host } from '../host.js'
import { type LineParser } from '../line.js'
import { type Output } from '../output.js'
import { byLetter } from './flags.js'
import { type Returns } from './letters.js'
import { MetaParser } from './parse.js'
import { MetaReply } from './reply.js'

const ITEM = byLetter(row => row.item)
const NUMBER = byLetter(row => row.number)
const STORED = byLetter(row => row.stored)
const ALWAYS = byLetter(row => row.always)

export class Meta {
  readonly store: Store
  readonly request: Request
  readonly output: Output
  readonly flags: MetaParser
  readonly reply: MetaReply
  readonly sampler: Sampler

  constructor(readonly host: Host, readonly parser: LineParser) {
    this.store = host.store
    this.request = host.input.request
    this.output = host.output
    this.flags = new MetaParser(parser, host.input, host.store)
    this.reply = new MetaReply(host)
    this.sampler = host.insight.sampler
  }

  // Each shows what the flags ask for, from left to right. There must be room for a first line.

  showItem(view: ItemView): void {
    const { flags, reply, request, flags: { returns } } = this
    reply.end = request.endBefore
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      const show = ITEM[flag]
      if (show !== undefined) show(reply, view, flag, flags)
      else ALWAYS[flag]?.(reply, returns, flag)
    }
  }

  showNumber(): void {
    const { flags, reply, request, flags: { returns } } = this
    reply.end = request.endBefore
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      const show = NUMBER[flag]
      if (show !== undefined) show(reply, flag, flags)
      else ALWAYS[flag]?.(reply, returns, flag)
    }
  }

  showStored(returns: Returns): void {
    const { reply } = this
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      const show = STORED[flag]
      if (show !== undefined) show(reply, returns, flag)
      else ALWAYS[flag]?.(reply, returns, flag)
    }
  }

  /** Shows what has nothing to do with an item, and ends the line. */
  endLine(): void {
    const { output, reply, flags: { returns } } = this
    for (let i = 0; i < returns.count; i++) {
      const flag = returns.flags[i]!
      ALWAYS[flag]?.(reply, returns, flag)
    }
    output.lineEnd()
  }
}
