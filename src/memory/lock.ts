// Locks on words of shared memory, and the one place where their order is written:
//
//   1. store                      flush_all and what else concerns all items
//   2. stripe of the hash table   whoever changes or reads an item of a key holds the stripe of its hash
//   3. class                      free chunks and the four lists of one slab class of one arena
//   4. pages                      which class owns which page of an arena
//   5. places, prefixes, log      tables beside the store; nothing is locked in their hands
//
// Locks are taken downwards. Upwards, and sideways from class to class, a thread only tries: an evictor that holds a
// class lock skips an item whose stripe is taken. Two exceptions, which cannot close a circle: a flush takes all stripes,
// in their order; and who holds the class of the large items waits for the classes of their pieces (there is one holder of
// it, and whoever holds one of the others only tries it).
//
// A method whose name ends in `Locked` needs a lock held, and its name says which: `…StoreLocked`, `…StripeLocked` that of the
// key or item at hand, `…ClassLocked`, `…ClassesLocked` two of them, `…BothLocked` a stripe and a class. What has a single lock
// (5) says `…Locked` alone.
//
// An operation takes a lock, works and releases it, without `finally`. If it throws, the lock stays held: what it guards may be
// half written. The server ends then, and a thread that waits for the lock gets an InvariantError.
//
// A word is 0 when free, 1 when held, 2 when held and waited for. A store of one thread has no locks to take: `shared` is
// false and every call returns at once.
import { InvariantError } from '../errors.js'
import { type Instructions } from './wasm.js'
import { type Lives } from './lives.js'

const SPINS_MAX = 200
/** How often one who sleeps looks whether the others are still alive. */
const LOOK_MS = 500

export class Locks {
  /**
   * @param words where the locks lie, all 0 at the start
   * @param lives of the threads that take them; none: nobody dies
   * @param instructions of the memory of which `words` are all; none: Atomics
   */
  constructor(private readonly words: Int32Array, readonly shared: boolean, private readonly lives?: Lives,
    private readonly instructions?: Instructions) {}

  /** @throws InvariantError if a thread dies meanwhile, which may be the holder; one that is slow is waited for */
  take(word: number): void {
    if (this.shared && !this.takeFree(word)) this.wait(word)
  }

  tryTake(word: number): boolean { return !this.shared || this.takeFree(word) }

  private takeFree(word: number): boolean {
    const { instructions } = this
    if (instructions === undefined) return Atomics.compareExchange(this.words, word, 0, 1) === 0
    return instructions.compareExchange(word << 2, 0, 1) === 0
  }

  release(word: number): void {
    if (!this.shared) return
    const { instructions } = this
    const before = instructions === undefined ? Atomics.exchange(this.words, word, 0) : instructions.exchange(word << 2, 0)
    if (before === 2) Atomics.notify(this.words, word, 1)
  }

  /** Spins briefly, then sleeps; a sleeper leaves 2 behind so that the holder wakes one when it releases. */
  private wait(word: number): void {
    for (let spin = 0; spin < SPINS_MAX; spin++) {
      if (Atomics.load(this.words, word) === 0 && Atomics.compareExchange(this.words, word, 0, 1) === 0) return
    }
    const { lives } = this
    while (Atomics.exchange(this.words, word, 2) !== 0) {
      if (Atomics.wait(this.words, word, 2, LOOK_MS) === 'timed-out') lives?.look()
      if (lives?.hasFailed === true) throw new InvariantError('another thread has died')
    }
  }
}
