// WebAssembly memory, for instructions that JavaScript lacks or that it carries out by calling a function. So an arena is a
// WebAssembly memory, with a module over it each of whose functions is one instruction:
//
//   copy              `memory.copy`, which becomes a call of memmove. Inside shared memory, JavaScript copies byte by byte
//                     wherever the two ranges are aligned differently: 90 ns for 100 bytes, 2000 to 4000 ns for 4 KiB. This
//                     takes 9 and 52 ns. In memory of one thread it takes 9 ns where copyWithin takes 24.
//   compareExchange,  `i32.atomic.rmw`: a lock is taken and released in 10 ns. With Atomics it takes 24 ns, as optimised code
//   add               calls a function of V8 that checks its arguments.
//
// V8 reserves 8 GiB of addresses for each such memory anyway, so it costs nothing to ask for more pages than are needed at
// first: only those that are touched take memory. No more than needed are asked for where addresses are limited (ulimit -v) or
// the system sets memory aside for all of them (vm.overcommit_memory 2). Where fewer than 8 GiB of addresses can be reserved, or
// without WebAssembly (--jitless), memory is an ordinary buffer, and JavaScript's own functions work on it.
import { readFileSync } from 'node:fs'
import { allocateAssemblyMemory, assemble, Op, type AssemblyFunction, type AssemblyMemory } from './assembly.js'

/** The functions of the module. They take byte indexes; the index of a word is a multiple of 4. */
export interface Instructions {
  /** Copies bytes; the two ranges may overlap. */
  readonly copy: (toAt: number, fromAt: number, count: number) => void
  /** As in Atomics: returns the former value of the word, and so does `add`. */
  readonly compareExchange: (wordAt: number, expected: number, value: number) => number
  readonly add: (wordAt: number, amount: number) => number
}

/** Memory that can be posted to another thread if it is shared. */
export type WasmMemory = AssemblyMemory | ArrayBuffer | SharedArrayBuffer

const PAGE_BYTES = 64 * 1024

/**
 * Allocates zeroed memory; throws V8's RangeError if there is not enough. Lengths are multiples of 64 KiB.
 * @param shared true if several threads use it
 * @param reservedLength the length of the memory where addresses cost nothing
 */
export function allocateWasm(byteLength: number, shared: boolean, reservedLength = byteLength): WasmMemory {
  const memory = isScarce ? undefined : allocateAssembly(byteLength, reservedLength)
  if (memory === undefined) isScarce = true
  return memory ?? (shared ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength))
}

/** True once there were too few addresses: trying again would take V8 a tenth of a second, as it collects garbage first. */
let isScarce = false

function allocateAssembly(byteLength: number, reservedLength: number): WasmMemory | undefined {
  const reserved = reservedLength > byteLength && areAddressesFree() ? tryWebAssembly(reservedLength) : undefined
  return reserved ?? tryWebAssembly(byteLength)
}

/**
 * Memory that is shared even if only one thread uses it. All other memory counts as part of V8's heap, with all its addresses, so
 * that V8 would collect garbage at once.
 */
function tryWebAssembly(byteLength: number): WasmMemory | undefined {
  try {
    return allocateAssemblyMemory(byteLength / PAGE_BYTES, true)
  } catch {
    return undefined
  }
}

/** True if the system lets a process reserve more memory than there is. Only Linux can be configured not to. */
function areAddressesFree(): boolean {
  try {
    return readFileSync('/proc/sys/vm/overcommit_memory', 'latin1').trim() !== '2'
  } catch {
    return true
  }
}

export function bufferOf(memory: WasmMemory): ArrayBuffer | SharedArrayBuffer {
  return isBuffer(memory) ? memory : memory.buffer
}

/** The instructions over a memory; undefined for an ordinary buffer. */
export function instructionsOf(memory: WasmMemory): Instructions | undefined {
  return isBuffer(memory) ? undefined : assemble(memory, FUNCTIONS)
}

export function isBuffer(memory: WasmMemory): memory is ArrayBuffer | SharedArrayBuffer {
  return memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer
}

/** The functions of the module. Each applies one instruction to its parameters. */
const FUNCTIONS: readonly AssemblyFunction<keyof Instructions>[] = [
  { name: 'copy', takes: 3, answers: false, code: [...numbers(3), Op.Bulk, 10, 0, 0] },
  { name: 'compareExchange', takes: 3, answers: true, code: [...numbers(3), Op.Atomic, 0x48, 2, 0] },
  { name: 'add', takes: 2, answers: true, code: [...numbers(2), Op.Atomic, 0x1e, 2, 0] },
]

/** Code that pushes the parameters of a function. */
function numbers(count: number): number[] { return Array.from({ length: count }, (_, index) => [Op.GetLocal, index]).flat() }
