// SipHash-1-3, by Jean-Philippe Aumasson and Daniel J. Bernstein: "SipHash: a fast short-input PRF", 2012. The functions return
// the lower 32 of its 64 bits. A message is taken in blocks of eight bytes, the lowest first. The last block has the remaining
// bytes, and the length in its highest byte. One round mixes a block into the four words of the state, and three rounds end it.
//
// There are two implementations, as 64-bit numbers are slow in JavaScript: one in WebAssembly for WebAssembly memory, and one in
// JavaScript, by 32-bit halves, for all other memory.
import { Op, signed, Type, type AssemblyFunction, type Code } from '../../memory/assembly.js'

/** The number of 32-bit words in a key. */
export const KEY_WORDS = 4
const BLOCK_BYTES = 8
const FINAL_ROUNDS = 3
/** The value that marks the end of the message in the state. */
const END_MARK = 0xff
/** The words of the state before the key is added, each as its low and its high half. */
const INITIAL = [0x70736575, 0x736f6d65, 0x6e646f6d, 0x646f7261, 0x6e657261, 0x6c796765, 0x79746573, 0x74656462] as const

/** The hash of `[start, end)` of `bytes`. */
export function sipHash(key: Int32Array, bytes: Uint8Array, start: number, end: number): number {
  let aLow = INITIAL[0] ^ key[0]!
  let aHigh = INITIAL[1] ^ key[1]!
  let bLow = INITIAL[2] ^ key[2]!
  let bHigh = INITIAL[3] ^ key[3]!
  let cLow = INITIAL[4] ^ key[0]!
  let cHigh = INITIAL[5] ^ key[1]!
  let dLow = INITIAL[6] ^ key[2]!
  let dHigh = INITIAL[7] ^ key[3]!
  const lastAt = start + ((end - start) & -BLOCK_BYTES)
  // the rounds at the end equal those of blocks of 0
  for (let at = start; at <= lastAt + FINAL_ROUNDS * BLOCK_BYTES; at += BLOCK_BYTES) {
    const low = at <= lastAt ? wordAt(bytes, at, end) : 0
    let high = at <= lastAt ? wordAt(bytes, at + 4, end) : 0
    if (at === lastAt) high |= (end - start) << 24
    if (at === lastAt + BLOCK_BYTES) cLow ^= END_MARK
    dLow ^= low
    dHigh ^= high
    // a sum is less than what was added to it if it has carried
    aLow = (aLow + bLow) | 0
    aHigh = (aHigh + bHigh + ((aLow >>> 0) < (bLow >>> 0) ? 1 : 0)) | 0
    let turned = bLow << 13 | bHigh >>> 19
    bHigh = (bHigh << 13 | bLow >>> 19) ^ aHigh
    bLow = turned ^ aLow
    turned = aLow
    aLow = aHigh
    aHigh = turned
    cLow = (cLow + dLow) | 0
    cHigh = (cHigh + dHigh + ((cLow >>> 0) < (dLow >>> 0) ? 1 : 0)) | 0
    turned = dLow << 16 | dHigh >>> 16
    dHigh = (dHigh << 16 | dLow >>> 16) ^ cHigh
    dLow = turned ^ cLow
    aLow = (aLow + dLow) | 0
    aHigh = (aHigh + dHigh + ((aLow >>> 0) < (dLow >>> 0) ? 1 : 0)) | 0
    turned = dLow << 21 | dHigh >>> 11
    dHigh = (dHigh << 21 | dLow >>> 11) ^ aHigh
    dLow = turned ^ aLow
    cLow = (cLow + bLow) | 0
    cHigh = (cHigh + bHigh + ((cLow >>> 0) < (bLow >>> 0) ? 1 : 0)) | 0
    turned = bLow << 17 | bHigh >>> 15
    bHigh = (bHigh << 17 | bLow >>> 15) ^ cHigh
    bLow = turned ^ cLow
    turned = cLow
    cLow = cHigh
    cHigh = turned
    aLow ^= low
    aHigh ^= high
  }
  return aLow ^ bLow ^ cLow ^ dLow
}

/** Four bytes as a number, the lowest first. Bytes from `end` on count as 0. */
function wordAt(bytes: Uint8Array, at: number, end: number): number {
  if (at + 4 <= end) return bytes[at]! | bytes[at + 1]! << 8 | bytes[at + 2]! << 16 | bytes[at + 3]! << 24
  let word = 0
  for (let last = end - 1; last >= at; last--) word = word << 8 | bytes[last]!
  return word
}

/** The local variables of the WebAssembly: two parameters, the state, the current block, the last block and its index. */
const enum Local { Start, End, A, B, C, D, Block, Last, LastAt }

/**
 * The hash as a WebAssembly function, which takes `start` and `end` and has the key in its code. It may read up to eight bytes
 * before `start`, but none from `end` on.
 */
export function sipHashFunction(key: Int32Array): AssemblyFunction<'hash'> {
  return {
    name: 'hash', takes: 2, answers: true,
    locals: [Type.Int64, Type.Int64, Type.Int64, Type.Int64, Type.Int64, Type.Int64, Type.Int32],
    code: [
      [Local.A, Local.B, Local.C, Local.D].map((local, index) => set(local, int64(initialWord(key, index)))),
      set(Local.Last, lastBlock()),
      set(Local.LastAt, two(Op.Add32, get(Local.Start), two(Op.And32, length(), int32(-BLOCK_BYTES)))),
      whileBefore(Local.Start, Local.LastAt, [
        set(Local.Block, load64(get(Local.Start))),
        mix(Local.Block),
        set(Local.Start, two(Op.Add32, get(Local.Start), int32(BLOCK_BYTES))),
      ]),
      mix(Local.Last),
      set(Local.C, two(Op.Xor64, get(Local.C), int64(BigInt(END_MARK)))),
      Array.from({ length: FINAL_ROUNDS }, round),
      [Local.B, Local.C, Local.D].reduce((sum, local) => two(Op.Xor64, sum, get(local)), get(Local.A)),
      Op.Wrap32,
    ],
  }
}

function initialWord(key: Int32Array, index: number): bigint {
  const half = (at: number): bigint => BigInt((INITIAL[at]! ^ key[at % KEY_WORDS]!) >>> 0)
  return BigInt.asIntN(64, half(2 * index) | half(2 * index + 1) << 32n)
}

/** The last block: the remaining bytes, which are the highest of the eight before `end`, and the length above them. */
function lastBlock(): Code {
  const left = [two(Op.And32, length(), int32(BLOCK_BYTES - 1)), Op.Extend64]
  const eight = load64(two(Op.Subtract32, get(Local.End), int32(BLOCK_BYTES)))
  // shifted in two steps, as a shift by 64 would be a shift by 0
  const others = two(Op.Subtract64, int64(56n), two(Op.ShiftLeft64, left, int64(3n)))
  const bytes = two(Op.ShiftRight64, two(Op.ShiftRight64, eight, int64(8n)), others)
  return two(Op.Or64, two(Op.ShiftLeft64, [length(), Op.Extend64], int64(56n)), bytes)
}

function length(): Code { return two(Op.Subtract32, get(Local.End), get(Local.Start)) }

function mix(block: Local): Code {
  return [
    set(Local.D, two(Op.Xor64, get(Local.D), get(block))),
    round(),
    set(Local.A, two(Op.Xor64, get(Local.A), get(block))),
  ]
}

function round(): Code {
  return [
    add(Local.A, Local.B), rotate(Local.B, 13), xor(Local.B, Local.A), rotate(Local.A, 32),
    add(Local.C, Local.D), rotate(Local.D, 16), xor(Local.D, Local.C),
    add(Local.A, Local.D), rotate(Local.D, 21), xor(Local.D, Local.A),
    add(Local.C, Local.B), rotate(Local.B, 17), xor(Local.B, Local.C), rotate(Local.C, 32),
  ]
}

function add(local: Local, other: Local): Code { return set(local, two(Op.Add64, get(local), get(other))) }
function xor(local: Local, other: Local): Code { return set(local, two(Op.Xor64, get(local), get(other))) }
function rotate(local: Local, bits: number): Code {
  return set(local, two(Op.RotateLeft64, get(local), int64(BigInt(bits))))
}

/** Code that repeats `body` while `local` and `end` differ. */
function whileBefore(local: Local, end: Local, body: Code): Code {
  const isBefore = two(Op.NotEqual32, get(local), get(end))
  const isAtEnd = [isBefore, Op.IsZero32]
  return [
    Op.Block, Type.Nothing, isAtEnd, Op.BranchIf, 0,
    Op.Loop, Type.Nothing, body, isBefore, Op.BranchIf, 0, Op.End,
    Op.End,
  ]
}

function get(local: Local): Code { return [Op.GetLocal, local] }
function set(local: Local, value: Code): Code { return [value, Op.SetLocal, local] }
function two(op: Op, one: Code, other: Code): Code { return [one, other, op] }
function int32(value: number): Code { return [Op.Const32, signed(BigInt(value))] }
function int64(value: bigint): Code { return [Op.Const64, signed(value)] }
/** Code that loads eight bytes from an index of any alignment. */
function load64(at: Code): Code { return [at, Op.Load64, 0, 0] }
