// The proof that sockets can be read and written without streams, see direct.ts. This relies on properties that Node does not
// document. So each process tries it out once, on a pair of sockets of its own, before it serves clients that way: reads, a
// small write, writes that the kernel does not take at once, and an end in the middle of one. If anything is not as expected, or
// does not happen, there is no quick way; nothing is thrown. The pair needs no network and leaves no file. Both ends are in this
// process, so waiting is counted in turns of the event loop: a slow machine needs no more of them.
//
// The proof takes a fifth of what a start takes beyond that of a bare Node. So the command keeps its result, see proven.ts, and
// later processes of the same Node that have no flags trust it. They still learn the way by themselves, see lesson.ts.
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { hasQuickWay, linkInPlaceOf, useQuickWay, type DirectLink } from './direct.js'
import { handleOf, type Handle } from './handle.js'
import { learn, type WriteWay } from './lesson.js'
import { type LinkUser } from './link.js'
import { provenWay, trustWay } from './proven.js'
import { turn } from '../timers.js'

/** An environment variable: if it is 1, all clients are served through streams. For tests, and in case the proof is wrong. */
const SWITCH = 'MEMSLAB_STREAMS'

/** The most turns of the event loop to wait for something: many times what anything here takes. */
const TURNS_MAX = 1000
/** The size of a write that the kernel does not take at once. Its default is to take 208 KiB. */
const LARGE_BYTES = 256 * 1024
/** The most such writes until one must be under way. */
const LARGE_WRITES_MAX = 64

/** The result of the proof. */
export interface Proof {
  /** The proven way; undefined if streams have to be used. */
  readonly way: WriteWay | undefined
  /** The reason why there is no quick way; empty if there is one. */
  readonly problem: string
}

/** The two ends of a connection. `near` was accepted, and is still paused. */
export interface Pair { readonly near: Socket; readonly far: Socket }

let proof: Promise<Proof> | undefined

/** Proves the quick way, and lets this thread use it. Only the first call does so; later ones get its result. Does not reject. */
export function proveQuickWay(): Promise<Proof> { return proof ??= proveOnce() }

async function proveOnce(): Promise<Proof> {
  if (process.env[SWITCH] === '1') return { way: undefined, problem: `${SWITCH} is 1` }
  const trusted = provenWay()
  if (trusted !== undefined && learns(trusted)) return { way: trusted, problem: '' }
  const proof = await prove(openPair)
  trustWay(proof.way)
  useQuickWay(proof.way)
  return proof
}

/** Has this thread use a way that another process has proved, if it learns the same one. */
function learns(way: WriteWay): boolean {
  try {
    useQuickWay(way)
  } catch {
    return false
  }
  return hasQuickWay()
}

/** Tries the quick way on a pair of sockets, and closes them. Does not reject. */
export async function prove(open: () => Promise<Pair>): Promise<Proof> {
  try {
    const { near, far } = await open()
    for (const socket of [near, far]) socket.on('error', () => {})
    try {
      return { way: await new Trial(near, far).run(), problem: '' }
    } finally {
      await close(near, far)
    }
  } catch (error) {
    return { way: undefined, problem: error instanceof Error ? error.message : String(error) }
  }
}

async function close(...sockets: Socket[]): Promise<void> {
  for (const socket of sockets) socket.destroy()
  await until(() => sockets.every(({ closed }) => closed), 'sockets do not close')
}

async function openPair(): Promise<Pair> {
  let [near, failure]: [Socket | undefined, Error | undefined] = [undefined, undefined]
  const fail = (error: Error): void => { failure ??= error }
  const listener = createServer({ pauseOnConnect: true }, socket => { near = socket }).on('error', fail)
  try {
    const path = privatePath()
    // exclusive: in a cluster, the worker listens itself and not through the primary process
    listener.listen({ path, exclusive: true })
    await until(() => listener.listening || failure !== undefined, 'no socket opens')
    const far = connect(path).on('error', fail)
    await until(() => near !== undefined || failure !== undefined, 'a socket cannot connect')
    if (near === undefined) throw failure ?? new Error('no socket has connected')
    return { near, far }
  } finally {
    listener.close()
  }
}

/** A path for a Unix socket that no other process knows. On Linux it is not a file; elsewhere closing the socket removes it. */
function privatePath(): string {
  const name = `memslab-${process.pid}-${Math.random().toString(36).slice(2)}`
  if (process.platform === 'linux') return `\0${name}`
  const { tmpdir } = require('node:os') as typeof import('node:os')
  return process.platform === 'win32' ? `\\\\.\\pipe\\${name}` : join(tmpdir(), name)
}

/** Waits until `holds` returns true. @throws Error with the message `otherwise` if that takes more than TURNS_MAX turns */
async function until(holds: () => boolean, otherwise: string): Promise<void> {
  for (let turns = 0; !holds(); turns++) {
    if (turns === TURNS_MAX) throw new Error(otherwise)
    await turn()
  }
}

function check(holds: boolean, otherwise: string): asserts holds {
  if (!holds) throw new Error(otherwise)
}

/** The trial of a pair. Each step throws an Error that says what is not as expected. */
class Trial {
  private readonly user = new TwoBuffers()
  private readonly received: Buffer[] = []
  private readonly large = Buffer.alloc(LARGE_BYTES, 'large')

  constructor(private readonly near: Socket, private readonly far: Socket) {
    far.on('data', (chunk: Buffer) => { this.received.push(chunk) })
  }

  async run(): Promise<WriteWay> {
    const lesson = learn()
    const { near, user } = this
    const handle = handleOf(near)
    const link = linkInPlaceOf(near, lesson)
    check(handle !== undefined && link !== undefined, 'a socket is not as it is known')
    try {
      link.begin(user)
      check(user.problem === '', user.problem)
      await this.read()
      await this.writeSmall(link)
      await this.writeLarge(link, handle)
      await this.endInTheMiddle(link, handle)
    } catch (error) {
      link.destroy()
      throw user.problem === '' ? error : new Error(user.problem)
    }
    return lesson.way
  }

  private async read(): Promise<void> {
    for (const text of ['one', 'two', 'three']) {
      this.far.write(text)
      await until(() => this.user.take(text), `what is read is not ${text}`)
    }
  }

  private async writeSmall(link: DirectLink): Promise<void> {
    check(link.write(Buffer.from('small')), 'a small write is not taken at once')
    check(link.writeMany([Buffer.from('in '), Buffer.from('parts')]), 'a small write of parts is not taken at once')
    await this.arrives([Buffer.from('smallin parts')], 'a small write')
    check(this.user.drainedCount === 0, 'a small write is said to be under way')
  }

  private async writeLarge(link: DirectLink, handle: Handle): Promise<void> {
    const written = this.writeUntilHeld(link, handle)
    const parts = [Buffer.from('behind '), Buffer.from('it')]
    check(!link.writeMany(parts), 'a write is taken at once, though another one is under way')
    await this.arrives([...written, ...parts], 'a large write')
    await until(() => this.user.drainedCount > 0, 'a large write is never done')
    check(this.user.drainedCount === 1, 'a large write is done twice')
  }

  /** Writes until the kernel does not take a write at once. Returns all that was written. */
  private writeUntilHeld(link: DirectLink, handle: Handle): Buffer[] {
    const written: Buffer[] = []
    for (let isTaken = true; isTaken;) {
      check(written.length < LARGE_WRITES_MAX, 'whatever is written is taken at once')
      written.push(this.large)
      isTaken = link.write(this.large)
      // writing again as if this write were complete would abort the process
      check(isTaken === (handle.writeQueueSize === 0), 'a write does not say whether it is under way')
    }
    return written
  }

  private async endInTheMiddle(link: DirectLink, handle: Handle): Promise<void> {
    const { far, user } = this
    far.pause()
    far.end()
    await until(() => user.hasEnded, 'the end of a stream is not noticed')
    this.writeUntilHeld(link, handle)
    link.destroy()
    await until(() => user.closedCount > 0, 'a socket does not close')
    await until(() => user.drainedCount === 2, 'a write that is broken off is never done')
  }

  /** Waits until all of `expected` has arrived, and checks that it is unchanged. @param what its name in messages */
  private async arrives(expected: Buffer[], what: string): Promise<void> {
    const all = Buffer.concat(expected)
    await until(() => this.received.reduce((sum, { length }) => sum + length, 0) >= all.length, `${what} does not arrive`)
    check(Buffer.concat(this.received.splice(0)).equals(all), `${what} arrives as something else`)
  }
}

/** Reads into two buffers in turn, and records what else happens to its link. */
class TwoBuffers implements LinkUser {
  drainedCount = 0
  closedCount = 0
  hasEnded = false
  problem = ''
  private readonly buffers = [Buffer.alloc(16), Buffer.alloc(16)] as const
  private index = 0
  private text = ''

  get firstTarget(): Uint8Array { return this.buffers[0] }

  read(count: number): Uint8Array {
    this.text += this.buffers[this.index]!.toString('latin1', 0, count)
    this.index = 1 - this.index
    return this.buffers[this.index]!
  }

  /** True if exactly this text has been read since the last call that returned true. */
  take(text: string): boolean {
    if (this.text !== text) return false
    this.text = ''
    return true
  }

  readChunk(): number { return 0 }
  drained(): void { this.drainedCount++ }
  closed(): void { this.closedCount++ }
  ended(): void { this.hasEnded = true }
  failed(): void { this.problem ||= 'a socket fails' }
  broke(problem: string): void { this.problem = problem }
}
