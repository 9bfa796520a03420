// Lives that look as soon as they can, and count how often they have looked, so that no test of locks goes by a clock.
import { Lives } from '../../src/memory/lives.js'

/** The word beside the locks that says how often was looked. */
export const LOOKS_WORD = 1

const LOOK_MS = 1

export class LookingLives extends Lives {
  constructor(words: Int32Array, thread: number, private readonly counted: Int32Array) { super(words, thread, LOOK_MS) }

  override look(holder: number, looks: number): void {
    super.look(holder, looks)
    Atomics.add(this.counted, LOOKS_WORD, 1)
    Atomics.notify(this.counted, LOOKS_WORD)
  }
}
