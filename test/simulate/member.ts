// One of the threads of a simulation, see explore.ts: carries out the operations that it is told of, when it is its turn.

import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads'
import type { MessagePort } from 'node:worker_threads'

import type { SharedStore } from '../../src/store/store.js'
import { operations } from './operations.js'
import type { Subject } from './operations.js'
import { SimulatedThread } from './thread.js'
import { hook, Turns } from './turns.js'
import { Answers } from './answers.js'

export interface MemberData {
  readonly board: Int32Array
  /** Where answers go. */
  readonly answers: SharedArrayBuffer
  /** Which thread this is, from 0. */
  readonly thread: number
  /** Tells of a new world before an operation in it. */
  readonly port: MessagePort
}

export interface NewWorld { readonly shared: SharedStore, readonly subject: Subject }

const { board, answers, thread, port } = workerData as MemberData
const turns = new Turns(board, thread)
const own = new Answers(answers)
hook(turns)
parentPort?.postMessage('ready')

let world: NewWorld | undefined
/** Made anew when something may be left in it of what it did. */
let simulated: SimulatedThread | undefined

for (;;) {
  const number = turns.begin()
  for (let told = receiveMessageOnPort(port); told !== undefined; told = receiveMessageOnPort(port)) {
    world = told.message as NewWorld
    simulated = undefined
  }
  own.write(thread, perform(world!, number))
  turns.end()
}

function perform({ shared, subject }: NewWorld, number: number): string {
  const operation = operations[number]!
  const subjectThread = simulated ?? new SimulatedThread(shared, thread + 1)
  simulated = operation.isBackground === true ? undefined : subjectThread
  try {
    return turns.perform(() => operation.run(subjectThread, subject))
  } catch (error) {
    simulated = undefined
    return `thrown: ${error instanceof Error ? error.stack ?? error.message : String(error)}`
  }
}
