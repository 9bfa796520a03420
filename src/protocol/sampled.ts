// Which command a request is, for the few requests that are sampled. The protocols find that out in quicker ways of their own,
// and keep no name.
import { Command, COMMAND_NAMES } from '../insight/commands.js'
import { Ascii } from '../memory/ascii.js'

/** The first byte of a binary request, with which no text command begins. */
const BINARY = 0x80

/** By `signature`, which a test shows to be different for all names. */
const BY_SIGNATURE: ReadonlyMap<number, Command> = new Map(COMMAND_NAMES.map((name, command) => {
  const bytes = Buffer.from(name)
  return [signature(bytes, 0, bytes.length), command]
}))

/** The command of the request at `at`, which may not be whole. A word that looks like a command is taken for it. */
export function commandAt(bytes: Uint8Array, at: number): Command {
  if (bytes[at] === BINARY) return OPCODES[bytes[at + 1]!] ?? Command.Other
  let stop = at
  while (bytes[stop]! > Ascii.Space) stop++
  return BY_SIGNATURE.get(signature(bytes, at, stop)) ?? Command.Other
}

/** Tells names apart by their length and three of their bytes. A comparison of strings would take a tenth of a sample's time. */
function signature(bytes: Uint8Array, start: number, end: number): number {
  return ((end - start) & 0x7f) << 24 | bytes[start]! << 16 | bytes[start + 1]! << 8 | bytes[end - 1]!
}

/** By opcode; see the table of binary/commands.ts. */
const OPCODES: readonly (Command | undefined)[] = byOpcode([
  [Command.Get, 0x00, 0x09, 0x0c, 0x0d], [Command.Gat, 0x1d, 0x1e, 0x23, 0x24], [Command.Touch, 0x1c],
  [Command.Set, 0x01, 0x11], [Command.Add, 0x02, 0x12], [Command.Replace, 0x03, 0x13],
  [Command.Append, 0x0e, 0x19], [Command.Prepend, 0x0f, 0x1a],
  [Command.Delete, 0x04, 0x14], [Command.Incr, 0x05, 0x15], [Command.Decr, 0x06, 0x16],
  [Command.Noop, 0x0a], [Command.Version, 0x0b], [Command.Quit, 0x07, 0x17],
  [Command.FlushAll, 0x08, 0x18], [Command.Stats, 0x10], [Command.Sasl, 0x20, 0x21, 0x22],
])

function byOpcode(rows: readonly (readonly [Command, ...number[]])[]): (Command | undefined)[] {
  const commands = new Array<Command | undefined>(256).fill(undefined)
  for (const [command, ...opcodes] of rows) for (const opcode of opcodes) commands[opcode] = command
  return commands
}
