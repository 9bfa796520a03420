// The cause of a server's death, in memory that its threads share. The thread that meets a defect writes the cause here before
// other threads can notice that a thread has died. So the first cause is known, whichever error reaches the main thread first:
// the errors of the other threads only say that a thread has died.

const enum Word { State, Thread, Bytes, Count }
const enum State { Nothing, BeingWritten, Written }

/** The most bytes of a message; the rest is cut off. */
const TEXT_BYTES = 4096
/** The longest that a thread takes to write its message, in milliseconds. */
const PATIENCE_MS = 1000
const SEPARATOR = '\0'

export interface Death {
  /** The thread that met the defect, 0 for the main thread. */
  readonly thread: number
  readonly cause: Error
}

export class Epitaph {
  /** The bytes of memory that an Epitaph needs, all 0 at the start. */
  static readonly BYTES = Word.Count * 4 + TEXT_BYTES

  private readonly words: Int32Array
  private readonly text: Buffer

  /** @param memory of BYTES bytes */
  constructor(memory: ArrayBuffer | SharedArrayBuffer) {
    this.words = new Int32Array(memory, 0, Word.Count)
    this.text = Buffer.from(memory, Word.Count * 4, TEXT_BYTES)
  }

  /** Stores the error that thread `thread` dies of. Only the first call of all threads counts. */
  write(thread: number, error: unknown): void {
    if (Atomics.compareExchange(this.words, Word.State, State.Nothing, State.BeingWritten) !== State.Nothing) return
    this.words[Word.Thread] = thread
    const { name, message, stack = '' } = asError(error)
    this.words[Word.Bytes] = this.text.write([name, message, stack].join(SEPARATOR))
    Atomics.store(this.words, Word.State, State.Written)
    Atomics.notify(this.words, Word.State)
  }

  /** The first cause; undefined if no thread has died. */
  read(): Death | undefined {
    if (Atomics.load(this.words, Word.State) === State.BeingWritten) {
      Atomics.wait(this.words, Word.State, State.BeingWritten, PATIENCE_MS)
    }
    if (Atomics.load(this.words, Word.State) !== State.Written) return undefined
    const [name, message, stack] = this.text.toString('utf8', 0, this.words[Word.Bytes]).split(SEPARATOR)
    return { thread: this.words[Word.Thread]!, cause: Object.assign(new Error(message), { name, stack }) }
  }
}

/** The error that was thrown, or an error with the text of another thrown value. */
export function asError(thrown: unknown): Error { return thrown instanceof Error ? thrown : new Error(String(thrown)) }
