// A thread of lock.test.ts that works, leaves, and ends.
import { workerData } from 'node:worker_threads'
import { Lives } from '../../src/memory/lives.js'

const lives = new Lives(workerData as Int32Array, 2)
lives.enter()
lives.leave()
