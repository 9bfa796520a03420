// Memory inside which bytes are copied at the machine's own speed. JavaScript copies inside shared memory byte by byte
// wherever two places are aligned differently: for 100 bytes 90 ns, for 4 KiB 2000 to 4000. WebAssembly has an instruction
// for it, `memory.copy`, that becomes a call of memmove: 9 ns for 100 bytes and 52 for 4 KiB, and in memory of one thread
// 9 where copyWithin takes 24. So an arena is a memory of WebAssembly, with a module of one function over it:
//
//   (module (import "arena" "memory" (memory 0 65536))
//     (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2))))
//
// V8 reserves 8 GiB of addresses for each such memory, which costs nothing. Where that is not allowed (ulimit -v) or there
// is no WebAssembly (--jitless), memory is an ordinary buffer and copied as JavaScript does it.

/** What is used of WebAssembly; Node's types do not name it. */
declare namespace WebAssembly {
  class Memory {
    constructor(limits: { initial: number, maximum: number, shared: boolean })
    readonly buffer: ArrayBuffer | SharedArrayBuffer
  }
  class Module { constructor(code: Uint8Array) }
  class Instance {
    constructor(module: Module, imports: { arena: { memory: Memory } })
    readonly exports: { readonly copy: CopyInside }
  }
}

/** Copies `count` bytes; the two places may overlap. */
export type CopyInside = (toAt: number, fromAt: number, count: number) => void

/** Memory that can be posted to another thread if it is shared. */
export type LinearMemory = WebAssembly.Memory | ArrayBuffer | SharedArrayBuffer

const PAGE_BYTES = 64 * 1024

/** Zeroed memory, a multiple of 64 KiB; throws what V8 throws if there is none. */
export function allocateLinear(byteLength: number, shared: boolean): LinearMemory {
  const pages = byteLength / PAGE_BYTES
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared })
  } catch {
    return shared ? new SharedArrayBuffer(byteLength) : new ArrayBuffer(byteLength)
  }
}

export function bufferOf(memory: LinearMemory): ArrayBuffer | SharedArrayBuffer {
  return isBuffer(memory) ? memory : memory.buffer
}

/** What copies inside a memory; undefined if JavaScript has to. */
export function copierOf(memory: LinearMemory): CopyInside | undefined {
  if (isBuffer(memory)) return undefined
  const module = new WebAssembly.Module(codeFor(memory.buffer instanceof SharedArrayBuffer))
  return new WebAssembly.Instance(module, { arena: { memory } }).exports.copy
}

function isBuffer(memory: LinearMemory): memory is ArrayBuffer | SharedArrayBuffer {
  return memory instanceof ArrayBuffer || memory instanceof SharedArrayBuffer
}

/** The module above as bytes: its sections are types, imports, functions, exports, code. */
function codeFor(shared: boolean): Uint8Array {
  const text = (word: string): number[] => [word.length, ...Buffer.from(word)]
  const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content]
  const limits = [shared ? 3 : 1, 0, 0x80, 0x80, 4]
  const body = [0, 0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0, 0x0b]
  return Uint8Array.from([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, 1, 0x60, 3, 0x7f, 0x7f, 0x7f, 0),
    ...section(2, 1, ...text('arena'), ...text('memory'), 2, ...limits),
    ...section(3, 1, 0),
    ...section(7, 1, ...text('copy'), 0, 0),
    ...section(10, 1, body.length, ...body),
  ])
}
