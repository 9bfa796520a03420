// Assembles WebAssembly modules from bytes, for instructions that JavaScript lacks. A module works in a memory that JavaScript
// sees as a buffer. Its functions take and return 32-bit numbers.

/** The part of WebAssembly that is used here. Node's types do not declare it. */
declare namespace WebAssembly {
  class Memory {
    constructor(limits: { initial: number, maximum: number, shared: boolean })
    readonly buffer: ArrayBuffer | SharedArrayBuffer
    grow(pages: number): number
  }
  class Module { constructor(code: Uint8Array) }
  class Instance<Name extends string> {
    constructor(module: Module, imports: { arena: { memory: Memory } })
    readonly exports: Readonly<Record<Name, AssemblyCall>>
  }
}

export type AssemblyMemory = WebAssembly.Memory

export type AssemblyCall = (...numbers: number[]) => number

/** The types of values. Nothing is the type of a block that leaves no value on the stack. */
export const enum Type { Nothing = 0x40, Int64 = 0x7e, Int32 = 0x7f }

/** The instructions that are used. Each pops its operands from a stack and pushes its result, if it has one. */
export const enum Op {
  Block = 0x02, Loop = 0x03, End = 0x0b, BranchIf = 0x0d,
  GetLocal = 0x20, SetLocal = 0x21,
  Load64 = 0x29, Const32 = 0x41, Const64 = 0x42,
  IsZero32 = 0x45, NotEqual32 = 0x47, Add32 = 0x6a, Subtract32 = 0x6b, And32 = 0x71,
  Add64 = 0x7c, Subtract64 = 0x7d, Or64 = 0x84, Xor64 = 0x85, ShiftLeft64 = 0x86, ShiftRight64 = 0x88, RotateLeft64 = 0x89,
  /** Conversions from 64 to 32 bits, and back without sign. */
  Wrap32 = 0xa7, Extend64 = 0xad,
  /** The prefix bytes of bulk memory instructions and of atomic ones. */
  Bulk = 0xfc, Atomic = 0xfe,
}

/** Bytes of a module. Its parts stay arrays of their own until all are there, as copying each into the next makes garbage. */
export type Code = readonly (number | Code)[]

/** A function of a module. */
export interface AssemblyFunction<Name extends string> {
  readonly name: Name
  /** The number of its parameters. They are its first local variables, from 0 on. */
  readonly takes: number
  /** True if it returns a number. */
  readonly answers: boolean
  /** The types of its other local variables, which are 0 at first. */
  readonly locals?: readonly Type[]
  readonly code: Code
}

/**
 * Allocates zeroed memory of 64 KiB a page. It is made without pages and grows to all of them at once, as Node.js 26 collects
 * garbage, for 1 to 20 ms, whenever memory is made of many pages.
 */
export function allocateAssemblyMemory(pages: number, shared: boolean): AssemblyMemory {
  const memory = new WebAssembly.Memory({ initial: 0, maximum: pages, shared })
  memory.grow(pages)
  return memory
}

/** Assembles a module and binds it to a memory. Returns its functions by name. */
export function assemble<Name extends string>(memory: AssemblyMemory, functions: readonly AssemblyFunction<Name>[]):
Readonly<Record<Name, AssemblyCall>> {
  const module = new WebAssembly.Module(moduleOf(functions, memory.buffer instanceof SharedArrayBuffer))
  return new WebAssembly.Instance<Name>(module, { arena: { memory } }).exports
}

/** The bytes of a module. Its sections are types, imports, functions, exports and code. */
function moduleOf<Name extends string>(functions: readonly AssemblyFunction<Name>[], shared: boolean): Uint8Array {
  const numbers = (count: number): Code => vector(Array.from({ length: count }, () => Type.Int32))
  const limits = [shared ? 3 : 1, ...whole(0), ...whole(PAGES_MAX)]
  return Uint8Array.from(bytesOf([
    0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    section(1, vector(functions.map(({ takes, answers }) => [0x60, numbers(takes), numbers(answers ? 1 : 0)]))),
    section(2, vector([[text('arena'), text('memory'), 2, limits]])),
    section(3, vector(functions.map((_, index) => whole(index)))),
    section(7, vector(functions.map(({ name }, index) => [text(name), 0, whole(index)]))),
    section(10, vector(functions.map(bodyOf))),
  ]))
}

/** The most pages of 64 KiB that a memory can have. */
const PAGES_MAX = 65_536

function bodyOf({ locals = [], code }: AssemblyFunction<string>): Code {
  return measured([vector(locals.map(type => [whole(1), type])), code, Op.End])
}

function section(id: number, content: Code): Code { return [id, measured(content)] }

/** A number of bytes, and the bytes. */
function measured(content: Code): Code {
  const bytes = bytesOf(content)
  return [whole(bytes.length), bytes]
}

function bytesOf(code: readonly unknown[]): number[] { return code.flat(Infinity) as number[] }

function vector(parts: Code): Code { return [whole(parts.length), parts] }

function text(word: string): Code { return [whole(word.length), [...Buffer.from(word)]] }

/** A non-negative number in LEB128: seven bits a byte, the lowest first. A byte's highest bit says that another byte follows. */
function whole(value: number): number[] {
  return value < 0x80 ? [value] : [value & 0x7f | 0x80, ...whole(value >>> 7)]
}

/** A number with a sign in LEB128: bit 6 of the last byte is the sign. */
export function signed(value: bigint): number[] {
  const low = Number(value & 0x7fn)
  return value >= -0x40n && value < 0x40n ? [low] : [low | 0x80, ...signed(value >> 7n)]
}
