// The tap of one thread, for a server that is under a test's control. The thread that makes the server has one, and so has each
// worker, which loads this file when it starts.
import { type MessagePort } from 'node:worker_threads'
import { monotonicMilliseconds, type Origin } from '../clock.js'
import { type Link, type Remote } from '../net/link.js'
import { type Tap, type Tapped } from '../net/tap.js'
import { type Host } from '../protocol/host.js'
import { READ_BYTES } from '../protocol/input.js'
import { type Protocol } from '../protocol/session.js'
import { Answers } from './answers.js'
import { type Call } from './calls.js'
import { TappedLink } from './link.js'
import { TappedProtocol } from './protocol.js'
import { Rules, SharedWord } from './rules.js'

/** What a tap starts from. It may be posted to a worker. */
export interface TapData {
  /** The file to load, of which `makeTap` is called. */
  readonly module: string
  readonly shared: SharedArrayBuffer
  /** Brings rules, and takes calls; undefined in the thread that makes them. */
  readonly port: MessagePort | undefined
  /** From which all threads count their time. */
  readonly origin: Origin
}

/** Makes the tap of a worker. */
export function makeTap(data: TapData, host: Host): Tap {
  const { port } = data
  return new ThreadTap(data, host, call => port?.postMessage(call))
}

export class ThreadTap implements Tap {
  readonly rules: Rules
  private readonly links = new Set<TappedLink>()
  private readonly buffer = new Uint8Array(READ_BYTES)

  /** @param answered called for each call */
  constructor(private readonly data: TapData, private readonly host: Host, private readonly answered: (call: Call) => void) {
    this.rules = new Rules(data)
    this.rules.changed = () => { for (const link of this.links) link.rulesChanged() }
  }

  join(link: Link, protocol: Protocol): Tapped {
    const { host, rules } = this
    rules.sync()
    const connection = { id: rules.nextNumber(SharedWord.Connections), address: addressOf(link.remote) }
    const answers = new Answers(this.answered)
    const { unix, monotonic } = this.data.origin
    const timeOfDay = (): number => unix + monotonicMilliseconds() - monotonic
    const tapped = new TappedProtocol(protocol, { host, rules, answers, connection, timeOfDay })
    const { buffer, links } = this
    const tappedLink = new TappedLink(link, tapped, answers, connection, { rules, buffer, closed: gone => links.delete(gone) })
    links.add(tappedLink)
    return { link: tappedLink, protocol: tapped }
  }
}

function addressOf(remote: Remote | undefined): string | undefined {
  if (remote === undefined) return undefined
  const { address, port } = remote
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
