// Locks on words of shared memory, and the one place where their order is written:
//
//   1. stripe of the hash table   whoever changes or reads an item of a key holds the stripe of its hash
//   2. class                      free chunks and the four lists of one slab class of one arena
//   3. pages                      which class owns which page of an arena
//
// Locks are taken downwards. Upwards, and sideways from class to class, a thread only tries: an evictor that holds a
// class lock skips an item whose stripe is taken. A word is 0 when free, 1 when held, 2 when held and waited for.
// A store of one thread has no locks to take: `shared` is false and every call returns at once.

const SPINS_MAX = 200

export class Locks {
  constructor(private readonly words: Int32Array, private readonly shared: boolean) {}

  take(word: number): void {
    if (this.shared && Atomics.compareExchange(this.words, word, 0, 1) !== 0) this.wait(word)
  }

  tryTake(word: number): boolean {
    return !this.shared || Atomics.compareExchange(this.words, word, 0, 1) === 0
  }

  release(word: number): void {
    if (this.shared && Atomics.exchange(this.words, word, 0) === 2) Atomics.notify(this.words, word, 1)
  }

  /** Spins briefly, then sleeps; a sleeper leaves 2 behind so that the holder wakes one when it releases. */
  private wait(word: number): void {
    for (let spin = 0; spin < SPINS_MAX; spin++) {
      if (Atomics.compareExchange(this.words, word, 0, 1) === 0) return
    }
    while (Atomics.exchange(this.words, word, 2) !== 0) Atomics.wait(this.words, word, 2)
  }
}
