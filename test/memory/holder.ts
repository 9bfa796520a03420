// A thread of lock.test.ts: it holds lock 0 until the thread that waits for it has looked so often, or to its end.
import { parentPort, workerData } from 'node:worker_threads'
import { Lives } from '../../src/memory/lives.js'
import { Locks } from '../../src/memory/lock.js'
import { LOOKS_WORD } from './looking.js'

const { words, lives, looks } = workerData as { words: Int32Array, lives: Int32Array, looks: number }
const own = new Lives(lives, 1)
const locks = new Locks(words, true, own)
own.enter()
locks.take(0)
parentPort!.postMessage('held')
for (let seen = 0; seen < looks; seen = Atomics.load(words, LOOKS_WORD)) Atomics.wait(words, LOOKS_WORD, seen)
locks.release(0)
own.leave()
