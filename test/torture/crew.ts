// Clients in this process and in others, so that a server with several threads has more to do than one process can ask of
// it.

import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

import { Prng } from '../support/prng.js'
import type { Ends } from '../support/real.js'
import { digest, perform } from './task.js'
import type { Part, Result, Task } from './task.js'

const HAND = fileURLToPath(new URL('hand.js', import.meta.url))

/** What a process is told, and what it answers. */
export interface Order extends Part {
  readonly seed: number
}

export type Answer = { readonly result: Result } | { readonly problem: string }

export class Crew {
  private constructor(private readonly hands: readonly ChildProcess[], private readonly connections: number) {}

  /** @param processes how many besides this one, each with so many connections */
  static async start(t: Ends, processes: number, connections: number): Promise<Crew> {
    const hands = Array.from({ length: processes }, () => fork(HAND, { stdio: 'inherit' }))
    t.teardown(async () => {
      await Promise.all(hands.map(async hand => {
        if (hand.exitCode !== null || hand.signalCode !== null) return
        const exited = once(hand, 'exit')
        hand.kill('SIGKILL')
        await exited
      }))
    })
    await Promise.all(hands.map(hear))
    return new Crew(hands, connections)
  }

  get connectionCount(): number {
    return (this.hands.length + 1) * this.connections
  }

  /** All connections of all processes do it at one time. */
  async perform(port: number, seed: number, task: Task): Promise<Result> {
    const { connections } = this
    const orderFor = (index: number): Order => ({ port, connections, first: index * connections, task, seed: seed + index })
    const answers = this.hands.map((hand, index) => {
      hand.send(orderFor(index + 1))
      return hear(hand)
    })
    const own = perform(orderFor(0), new Prng(seed))
    const results = await Promise.all([own, ...answers.map(async answer => resultOf(await answer as Answer))])
    return results.reduce((all, result) => ({
      wins: all.wins.map((count, index) => count + (result.wins[index] ?? 0)),
      sum: all.sum + result.sum, digests: all.digests + result.digests, reads: all.reads + result.reads,
    }))
  }
}

/** The next message of a process, or its end. */
function hear(hand: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const end = (code: number | null): void => reject(new Error(`a client process ended with ${code ?? hand.signalCode}`))
    hand.once('exit', end)
    hand.once('message', message => {
      hand.off('exit', end)
      resolve(message)
    })
  })
}

function resultOf(answer: Answer): Result {
  if ('problem' in answer) throw new Error(answer.problem)
  return answer.result
}

/** What all together are told who count from 1 to `count`, each number once. */
export function countedTo(count: number): Pick<Result, 'sum' | 'digests'> {
  let digests = 0
  for (let number = 1; number <= count; number++) digests += digest(number)
  return { sum: count * (count + 1) / 2, digests }
}
