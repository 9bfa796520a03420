// Loaded into the command by `node --import`, as broken.test.ts starts it, and so into each of its workers. A worker that stores
// a value which ends with BREAKING copies half of it, under the lock of its stripe, waits until another thread sleeps at that
// lock, and then breaks an invariant. On stderr it says so, and which connections it has accepted.
import { writeSync } from 'node:fs'
import { isMainThread, threadId } from 'node:worker_threads'

/** A worker breaks an invariant when it has copied half of a value that ends so. */
export const BREAKING = 'this half is not copied'

/** Longer than another thread takes for an answer. */
const ANSWER_MS = 500
/** The bit of a lock's word that says that a thread sleeps, see memory/lock.ts. */
const WAITED = 1

/** A lock, as the word where it lies. */
interface Stripe { readonly words: Int32Array, readonly word: number }

if (!isMainThread) await patch()

async function patch(): Promise<void> {
  const [{ Memory }, { Stripes }, { Connections }, { Epitaph }, { InvariantError }] = await Promise.all([
    import('../../dist/memory/bytes.js'), import('../../dist/store/index/stripes.js'), import('../../dist/net/connections.js'),
    import('../../dist/server/epitaph.js'), import('../../dist/errors.js'),
  ])
  /** The word of the stripe that this thread holds for its request, and of the one that it held when it broke, with its value. */
  let held: Stripe | undefined
  let broken: Stripe & { readonly value: number } | undefined

  const { take, release } = Stripes.prototype
  Stripes.prototype.take = function (hash) {
    take.call(this, hash)
    const words = Reflect.get(Reflect.get(this, 'locks'), 'words') as Int32Array
    held = { words, word: Number(Reflect.get(this, 'first')) + Number(Reflect.get(this, 'held')) }
  }
  Stripes.prototype.release = function (hash) {
    held = undefined
    release.call(this, hash)
  }

  const { copyFrom } = Memory.prototype
  Memory.prototype.copyFrom = function (from, fromAt, toAt, count) {
    const ending = Buffer.from(from.subarray(fromAt, fromAt + count)).subarray(-BREAKING.length)
    if (held === undefined || ending.toString() !== BREAKING) return copyFrom.call(this, from, fromAt, toAt, count)
    copyFrom.call(this, from, fromAt, toAt, count >> 1)
    say('holds a stripe and has copied half of a value')
    const { words, word } = held
    let value = Atomics.load(words, word)
    for (; (value & WAITED) === 0; value = Atomics.load(words, word)) Atomics.wait(words, word, value, 1)
    broken = { words, word, value }
    throw new InvariantError('broken for a test')
  }

  const { write } = Epitaph.prototype
  Epitaph.prototype.write = function (thread, error) {
    // had the lock been handed on, other threads would answer with what is half written before they hear of the death
    const isHandedOn = broken !== undefined && Atomics.load(broken.words, broken.word) !== broken.value
    if (isHandedOn) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ANSWER_MS)
    write.call(this, thread, error)
  }

  const { accept } = Connections.prototype
  Connections.prototype.accept = function (socket, listening) {
    say(`has accepted port ${'remotePort' in socket ? socket.remotePort : socket.remote?.port}`)
    return accept.call(this, socket, listening)
  }
  const { takeOver } = Connections.prototype
  Connections.prototype.takeOver = function (link, ...others) {
    say(`has taken over port ${link.remote?.port}`)
    takeOver.call(this, link, ...others)
  }
}

function say(what: string): void { writeSync(2, `thread ${threadId} ${what}\n`) }
