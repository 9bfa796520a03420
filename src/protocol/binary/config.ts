// CONFIG GET, CONFIG SET and CONFIG DELETE: the opcodes by which clients discover the nodes of a cluster, in ElastiCache's form.
// The key is `cluster`; flags are the extras of a SET and of the answer to a GET.
import { CLUSTER_BYTES_MAX, isClusterKey, type Cluster } from '../cluster.js'
import { type Session } from '../session.js'
import { type Packets } from './packets.js'
import { Status } from './reply.js'

export class ConfigCommands {
  constructor(private readonly packets: Packets, private readonly cluster: Cluster) {}

  get(session: Session): void {
    const { packets, cluster } = this
    const list = this.isKey ? cluster.get() : undefined
    if (list === undefined) packets.error(session, Status.NotFound)
    else packets.reply.value(list.flags, list.bytes)
  }

  delete(session: Session): void {
    const { packets, cluster } = this
    if (this.isKey && cluster.delete()) packets.reply.done(0, 0)
    else packets.error(session, Status.NotFound)
  }

  set(session: Session): number {
    const { cluster, packets } = this
    const { parser, reply } = packets
    const { extrasBytes, keyEnd, opaque, opcode, valueBytes } = parser
    if (!this.isKey) return packets.errorAfterValue(session, Status.Invalid)
    if (valueBytes > CLUSTER_BYTES_MAX) return packets.errorAfterValue(session, Status.TooLarge)
    const flags = extrasBytes === 0 ? 0 : parser.extrasUint32(0)
    session.gather(valueBytes, bytes => {
      cluster.set(flags, bytes)
      reply.answerTo(opcode, opaque)
      reply.done(0, 0)
    })
    return keyEnd
  }

  private get isKey(): boolean {
    const { parser } = this.packets
    return isClusterKey(parser.bytes, parser.keyStart, parser.keyEnd)
  }
}
