// Memory that the machine's own instructions work in, where JavaScript has none or calls a function for each. So an arena is
// a memory of WebAssembly, with a module over it whose functions are an instruction each:
//
//   copy              `memory.copy`, which becomes a call of memmove. JavaScript copies inside shared memory byte by byte
//                     wherever two places are aligned differently: 100 bytes 90 ns, 4 KiB 2000 to 4000. This: 9 and 52, and
//                     in memory of one thread 9 where copyWithin takes 24.
//   compareExchange,  `i32.atomic.rmw`: a lock taken and released in 10 ns. Atomics are functions of V8 to which optimised
//   add               code makes a call that looks at its arguments: 24 ns.
//
// V8 reserves 8 GiB of addresses for each such memory, which costs nothing, and so it costs nothing to ask for more of them
// than are needed at first: only what is touched takes memory. Where addresses are few (ulimit -v), or the system keeps
// memory for all of them (vm.overcommit_memory 2), no more are asked for. Where there are fewer than 8 GiB or there is no
// WebAssembly (--jitless), memory is an ordinary buffer, and worked in as JavaScript does it.
import { readFileSync } from 'node:fs'
import { allocateAssemblyMemory, assemble, Op, type AssemblyFunction, type AssemblyMemory } from './assembly.js'

/** Places are byte indexes; those of words are multiples of 4. */
export interface Instructions {
  /** Copies bytes; the two places may overlap. */
  readonly copy: (toAt: number, fromAt: number, count: number) => void
  /** As those of Atomics: they answer what the word was before. */
  readonly compareExchange: (wordAt: number, expected: number, value: number) => number
  readonly add: (wordAt: number, amount: number) => number
}

/** Memory that can be posted to another thread if it is shared. */
export type WasmMemory = AssemblyMemory | ArrayBuffer | SharedArrayBuffer

const PAGE_BYTES = 64 * 1024

/**
 * Zeroed memory; throws what V8 throws if there is none. Lengths are multiples of 64 KiB.
 * @param reservedLength how long it is to be where that takes nothing but addresses
 */
export function allocateWasm(byteLength: number, shared: boolean, reservedLength = byteLength): WasmMemory {
  const reserved = reservedLength > byteLength && areAddressesFree() ? tryWebAssembly(reservedLength, shared) : undefined
  return reserved ?? tryWebAssembly(byteLength, shared) ?? (shared ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength))
}

function tryWebAssembly(byteLength: number, shared: boolean): WasmMemory | undefined {
  try {
    return allocateAssemblyMemory(byteLength / PAGE_BYTES, shared)
  } catch {
    return undefined
  }
}

/** True if the system lets a process reserve more memory than there is; only Linux can be set not to. */
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

/** The instructions over a memory; undefined if JavaScript has to do without. */
export function instructionsOf(memory: WasmMemory): Instructions | undefined {
  return isBuffer(memory) ? undefined : assemble(memory, FUNCTIONS)
}

export function isBuffer(memory: WasmMemory): memory is ArrayBuffer | SharedArrayBuffer {
  return memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer
}

/** Each is one instruction over the numbers it takes. */
const FUNCTIONS: readonly AssemblyFunction<keyof Instructions>[] = [
  { name: 'copy', takes: 3, answers: false, code: [...numbers(3), Op.Bulk, 10, 0, 0] },
  { name: 'compareExchange', takes: 3, answers: true, code: [...numbers(3), Op.Atomic, 0x48, 2, 0] },
  { name: 'add', takes: 2, answers: true, code: [...numbers(2), Op.Atomic, 0x1e, 2, 0] },
]

/** Puts the numbers that a function takes on the stack. */
function numbers(count: number): number[] { return Array.from({ length: count }, (_, index) => [Op.GetLocal, index]).flat() }
