// mg
import { Found, Want, type Request } from '../../store/request.js'
import { type ItemView } from '../../store/view.js'
import { Retrieval, Retrieved, ValueForm, type RetrievalAnswers } from '../retrieval.js'
import { type Session } from '../session.js'
import { Flag, flagSet } from './letters.js'
import { type Meta } from './meta.js'
import { type MetaParser, storeWants } from './parse.js'
import { type MetaReply } from './reply.js'

/** The flags that change what a get does. */
const GET_FLAGS = flagSet([Flag.N, Flag.R, Flag.T, Flag.u])

export class MetaGet implements RetrievalAnswers {
  readonly hasLineEnd = true
  private readonly flags: MetaParser
  private readonly reply: MetaReply
  private readonly request: Request
  private readonly retrieval: Retrieval

  constructor(private readonly meta: Meta) {
    this.flags = meta.flags
    this.reply = meta.reply
    this.request = meta.request
    this.retrieval = new Retrieval(meta.host, this)
  }

  mg(session: Session): void {
    const { flags, reply, request } = this
    if (flags.error !== undefined) return reply.line(flags.error)
    request.wants = this.readWants(request)
    reply.ensureValue()
    const came = this.retrieval.get(session)
    if (came !== Retrieved.Miss && came !== Retrieved.Declined) return
    if (flags.opaqueError !== undefined) return reply.line(flags.opaqueError)
    if (flags.returns.isQuiet) return
    reply.miss()
    this.meta.endLine()
  }

  /** Puts what the flags say into the request; returns bits of Want. T, N and R are obeyed from left to right. */
  private readWants(request: Request): number {
    const { flags } = this
    let wants = Want.Renewal | storeWants(flags)
    if (!flags.hasAny(GET_FLAGS)) return wants
    const hasT = flags.isObeyed(Flag.T)
    if (flags.has(Flag.u)) wants |= Want.NoBump
    if (hasT) {
      request.expiresAt = flags.valueOf(Flag.T)
      wants |= Want.NewExpiry
    }
    if (flags.has(Flag.N)) {
      request.vivifiedUntil = flags.isObeyed(Flag.N) ? flags.valueOf(Flag.N) : 0
      if (hasT && flags.isBefore(Flag.N, Flag.T)) request.vivifiedUntil = flags.valueOf(Flag.T)
      wants |= Want.Vivify
    }
    if (flags.has(Flag.R)) {
      request.recacheBefore = flags.valueOf(Flag.R)
      wants |= hasT && flags.isBefore(Flag.T, Flag.R) ? Want.Recache | Want.RecacheLast : Want.Recache
    }
    return wants
  }

  hasValue(view: ItemView): boolean {
    const { flags, request } = this
    return flags.has(Flag.v) && !(flags.has(Flag.C) && view.hasCas(request.cas))
  }

  /** The first line of a hit. It declines where the opaque is too long. */
  head(view: ItemView, form: ValueForm): boolean {
    const { flags, meta, reply, request: { result } } = this
    if (flags.opaqueError !== undefined) return false
    if (form === ValueForm.None) reply.hit()
    else reply.value(view.valueBytes)
    if (flags.returns.count > 0) meta.showItem(view)
    if (result !== Found.None) this.showResult(result)
    meta.output.lineEnd()
    return true
  }

  private showResult(result: number): void {
    const { reply } = this
    if ((result & Found.WonBefore) !== 0) reply.flag(Flag.Z)
    if ((result & Found.Stale) !== 0) reply.flag(Flag.X)
    if ((result & Found.Won) !== 0) reply.flag(Flag.W)
  }
}
