// Memory that the machine's own instructions work in, where JavaScript has none or calls a function for each. So an arena is
// a memory of WebAssembly, with a module over it whose functions are an instruction each:
//
//   copy              `memory.copy`, which becomes a call of memmove. JavaScript copies inside shared memory byte by byte
//                     wherever two places are aligned differently: 100 bytes 90 ns, 4 KiB 2000 to 4000. This: 9 and 52, and
//                     in memory of one thread 9 where copyWithin takes 24.
//   compareExchange,  `i32.atomic.rmw`: a lock taken and released in 10 ns. Atomics are functions of V8 to which optimised
//   exchange, add     code makes a call that looks at its arguments: 24 ns.
//
// V8 reserves 8 GiB of addresses for each such memory, which costs nothing, and so it costs nothing to ask for more of them
// than are needed at first: only what is touched takes memory. Where addresses are few (ulimit -v), or the system keeps
// memory for all of them (vm.overcommit_memory 2), no more are asked for. Where there are fewer than 8 GiB or there is no
// WebAssembly (--jitless), memory is an ordinary buffer, and worked in as JavaScript does it.
import { readFileSync } from 'node:fs'

/** What is used of WebAssembly; Node's types do not name it. */
declare namespace WebAssembly {
  class Memory {
    constructor(limits: { initial: number, maximum: number, shared: boolean })
    readonly buffer: ArrayBuffer | SharedArrayBuffer
  }
  class Module { constructor(code: Uint8Array) }
  class Instance {
    constructor(module: Module, imports: { arena: { memory: Memory } })
    readonly exports: Instructions
  }
}

/** Places are byte indexes; those of words are multiples of 4. */
export interface Instructions {
  /** Copies bytes; the two places may overlap. */
  readonly copy: (toAt: number, fromAt: number, count: number) => void
  /** As those of Atomics: they answer what the word was before. */
  readonly compareExchange: (wordAt: number, expected: number, value: number) => number
  readonly exchange: (wordAt: number, value: number) => number
  readonly add: (wordAt: number, amount: number) => number
}

/** Memory that can be posted to another thread if it is shared. */
export type LinearMemory = WebAssembly.Memory | ArrayBuffer | SharedArrayBuffer

const PAGE_BYTES = 64 * 1024

/**
 * Zeroed memory; throws what V8 throws if there is none. Lengths are multiples of 64 KiB.
 * @param reservedLength how long it is to be where that takes nothing but addresses
 */
export function allocateLinear(byteLength: number, shared: boolean, reservedLength = byteLength): LinearMemory {
  const reserved = reservedLength > byteLength && areAddressesFree() ? tryWebAssembly(reservedLength, shared) : undefined
  return reserved ?? tryWebAssembly(byteLength, shared) ?? (shared ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength))
}

function tryWebAssembly(byteLength: number, shared: boolean): LinearMemory | undefined {
  const pages = byteLength / PAGE_BYTES
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared })
  } catch {
    return undefined
  }
}

/** Whether the system promises memory that nobody touches to everybody; only Linux can be told not to. */
function areAddressesFree(): boolean {
  try {
    return readFileSync('/proc/sys/vm/overcommit_memory', 'latin1').trim() !== '2'
  } catch {
    return true
  }
}

export function bufferOf(memory: LinearMemory): ArrayBuffer | SharedArrayBuffer {
  return isBuffer(memory) ? memory : memory.buffer
}

/** The instructions over a memory; undefined if JavaScript has to do without. */
export function instructionsOf(memory: LinearMemory): Instructions | undefined {
  if (isBuffer(memory)) return undefined
  const module = new WebAssembly.Module(codeFor(memory.buffer instanceof SharedArrayBuffer))
  return new WebAssembly.Instance(module, { arena: { memory } }).exports
}

function isBuffer(memory: LinearMemory): memory is ArrayBuffer | SharedArrayBuffer {
  return memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer
}

/** The functions of the module: how many numbers they take, whether they answer one, and their instruction. */
const FUNCTIONS: readonly (readonly [name: keyof Instructions, takes: number, answers: boolean, instruction: readonly number[]])[] = [
  ['copy', 3, false, [0xfc, 10, 0, 0]],
  ['compareExchange', 3, true, [0xfe, 0x48, 2, 0]],
  ['exchange', 2, true, [0xfe, 0x41, 2, 0]],
  ['add', 2, true, [0xfe, 0x1e, 2, 0]],
]

/** The module as bytes: its sections are types, imports, functions, exports, code. None is longer than 127 bytes. */
function codeFor(shared: boolean): Uint8Array {
  const INT32 = 0x7f
  const vector = (...parts: (readonly number[])[]): number[] => [parts.length, ...parts.flat()]
  const text = (word: string): number[] => [word.length, ...Buffer.from(word)]
  const section = (id: number, content: readonly number[]): number[] => [id, content.length, ...content]
  const numbers = (count: number): number[] => vector(...Array.from({ length: count }, () => [INT32]))
  const body = (takes: number, instruction: readonly number[]): number[] => {
    const code = [0, ...Array.from({ length: takes }, (_, index) => [0x20, index]).flat(), ...instruction, 0x0b]
    return [code.length, ...code]
  }
  const limits = [shared ? 3 : 1, 0, 0x80, 0x80, 4]
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, vector(...FUNCTIONS.map(([, takes, answers]) => [0x60, ...numbers(takes), ...numbers(answers ? 1 : 0)]))),
    ...section(2, vector([...text('arena'), ...text('memory'), 2, ...limits])),
    ...section(3, vector(...FUNCTIONS.map((_, index) => [index]))),
    ...section(7, vector(...FUNCTIONS.map(([name], index) => [...text(name), 0, index]))),
    ...section(10, vector(...FUNCTIONS.map(([, takes, , instruction]) => body(takes, instruction)))),
  ])
}
