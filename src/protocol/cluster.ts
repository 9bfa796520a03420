// The list of a cluster's nodes, which clients read with `config get cluster` and the binary opcode CONFIG GET to discover the
// cluster, as ElastiCache and Memorystore have it. It lies in memory that all threads of a server share, so each thread answers
// with the same list in the same instant. A server has it with -o discovery or --nodes. Zeroed memory is a server without a list.
//
//   lock | changes | isThere | flags | bytes | the list
//   a word each                              CLUSTER_BYTES_MAX
//
// The list is text, `version LF host|ip|port host|ip|port … LF`. The server takes any bytes, as it has no use for them itself.
import { type Lives } from '../memory/lives.js'
import { Locks } from '../memory/lock.js'

const enum Word { Lock, Changes, IsThere, Flags, Bytes, Count }

/** The longest list, in bytes: some hundred nodes. A reply with it fits one buffer of the output. */
export const CLUSTER_BYTES_MAX = 32 * 1024

/** The name of the list in the commands. */
const CLUSTER_KEY = Buffer.from('cluster')
/** The key under which a get finds the list, as in the first versions of ElastiCache. */
const OLD_KEY = Buffer.from('AmazonElastiCache:cluster')

/** A list, in the form of the replies that show it. */
export interface ClusterList {
  readonly flags: number
  readonly bytes: Uint8Array
  /** The reply to `config get cluster`. */
  readonly config: Uint8Array
  /** The VALUE block of a get. */
  readonly value: Uint8Array
  /** The same with a cas number, for `gets`. */
  readonly valueWithCas: Uint8Array
}

export class Cluster {
  /** The bytes of memory that a list needs. */
  static readonly BYTES = Word.Count * 4 + CLUSTER_BYTES_MAX

  private readonly words: Int32Array
  private readonly bytes: Buffer
  private readonly locks: Locks
  /** The list as this thread has seen it last, and the number of changes by then. */
  private list: ClusterList | undefined
  private seen = 0

  /**
   * @param memory of BYTES bytes
   * @param lives the record of the threads that share the memory; without it, this is the only one
   */
  constructor(memory: ArrayBuffer | SharedArrayBuffer, lives?: Lives) {
    this.words = new Int32Array(memory, 0, Word.Count)
    this.bytes = Buffer.from(memory, Word.Count * 4, CLUSTER_BYTES_MAX)
    this.locks = new Locks(this.words, memory instanceof SharedArrayBuffer, lives)
  }

  /** The list; undefined if there is none. */
  get(): ClusterList | undefined {
    if (Atomics.load(this.words, Word.Changes) !== this.seen) this.read()
    return this.list
  }

  /** Stores a list. @param bytes at most CLUSTER_BYTES_MAX */
  set(flags: number, bytes: Uint8Array): void {
    const { words, locks } = this
    locks.take(Word.Lock)
    this.bytes.set(bytes)
    words[Word.Bytes] = bytes.length
    words[Word.Flags] = flags
    words[Word.IsThere] = 1
    Atomics.add(words, Word.Changes, 1)
    locks.release(Word.Lock)
  }

  /** Deletes the list; false if there is none. */
  delete(): boolean {
    const { words, locks } = this
    locks.take(Word.Lock)
    const wasThere = words[Word.IsThere] === 1
    if (wasThere) {
      words[Word.IsThere] = 0
      Atomics.add(words, Word.Changes, 1)
    }
    locks.release(Word.Lock)
    return wasThere
  }

  private read(): void {
    const { words, locks } = this
    locks.take(Word.Lock)
    const seen = this.seen = words[Word.Changes]!
    const isThere = words[Word.IsThere] === 1
    const flags = words[Word.Flags]! >>> 0
    const bytes = Buffer.from(this.bytes.subarray(0, words[Word.Bytes]))
    locks.release(Word.Lock)
    this.list = isThere ? listOf(flags, bytes, seen >>> 0) : undefined
  }
}

function listOf(flags: number, bytes: Buffer, cas: number): ClusterList {
  const head = `VALUE ${OLD_KEY.toString()} ${flags} ${bytes.length}`
  return {
    flags, bytes,
    config: block(`CONFIG ${CLUSTER_KEY.toString()} ${flags} ${bytes.length}`, bytes, 'END\r\n'),
    value: block(head, bytes, ''),
    valueWithCas: block(`${head} ${cas}`, bytes, ''),
  }
}

function block(head: string, bytes: Buffer, end: string): Uint8Array {
  return Buffer.concat([Buffer.from(`${head}\r\n`), bytes, Buffer.from(`\r\n${end}`)])
}

/** True if these bytes are the name of the list in the commands. */
export function isClusterKey(bytes: Uint8Array, start: number, end: number): boolean {
  return isThis(CLUSTER_KEY, bytes, start, end)
}

/** True if these bytes are the key under which a get finds the list. */
export function isOldClusterKey(bytes: Uint8Array, start: number, end: number): boolean {
  return isThis(OLD_KEY, bytes, start, end)
}

function isThis(key: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  return end - start === key.length && Buffer.compare(key, bytes.subarray(start, end)) === 0
}
