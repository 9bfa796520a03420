// A thread of lock.test.ts: it holds a lock for as long as it is told, or to its end.
import { parentPort, workerData } from 'node:worker_threads'
import { Lives } from '../../src/memory/lives.js'
import { Locks } from '../../src/memory/lock.js'

const { words, lives, keepMs } = workerData as { words: Int32Array, lives: Int32Array, keepMs: number }
const own = new Lives(lives)
const locks = new Locks(words, true, own)
own.enter(1)
locks.take(0)
parentPort!.postMessage('held')
Atomics.wait(words, 1, 0, keepMs)
locks.release(0)
own.leave(1)
