// All opcodes, a row each.
import { Mode } from '../../store/request.js'
import { type Session } from '../session.js'
import { flush, noop, quit, stat, version } from './admin.js'
import { ConfigCommands } from './config.js'
import { ItemCommands } from './items.js'
import { type Packets } from './packets.js'
import { FORM, type Form } from './parse.js'
import { Sasl } from './sasl.js'

export interface CommandRow {
  /** The name in the protocol's description; its quiet form has a Q more. */
  readonly name: string
  readonly opcode: number
  /** The opcode of the same command whose success is not answered, if there is one. */
  readonly quiet?: number
  /** memcached's name of both in the log of -vv. */
  readonly log: string
  /** The parts that a packet must have, and may have. */
  readonly form: Form
  /** Carries out a packet without a value. */
  readonly run?: (session: Session) => void
  /** Carries out a packet whose value may not be there before `end`; returns where the next bytes begin, or UNFINISHED. */
  readonly reads?: (session: Session, end: number) => number
  /** True if a client need not have authenticated. */
  readonly isOpen?: true
}

export function commandsOf(packets: Packets): readonly CommandRow[] {
  const items = new ItemCommands(packets)
  const sasl = new Sasl(packets)
  const { cluster } = packets.host
  return [
    ...cluster === undefined ? [] : configCommands(new ConfigCommands(packets, cluster)),

    // about items; memcached's log calls GAT a TOUCH
    { name: 'Get', opcode: 0x00, quiet: 0x09, log: 'GET', form: FORM.key, run: session => items.get(session, false, false) },
    { name: 'GetK', opcode: 0x0c, quiet: 0x0d, log: 'GET', form: FORM.key, run: session => items.get(session, true, false) },
    { name: 'Gat', opcode: 0x1d, quiet: 0x1e, log: 'TOUCH', form: FORM.touch, run: session => items.get(session, false, true) },
    { name: 'GatK', opcode: 0x23, quiet: 0x24, log: 'TOUCH', form: FORM.touch, run: session => items.get(session, true, true) },
    { name: 'Touch', opcode: 0x1c, log: 'TOUCH', form: FORM.touch, run: session => items.touch(session) },
    { name: 'Set', opcode: 0x01, quiet: 0x11, log: 'SET', form: FORM.store, reads: storage(items, Mode.Set) },
    { name: 'Add', opcode: 0x02, quiet: 0x12, log: 'ADD', form: FORM.store, reads: storage(items, Mode.Add) },
    { name: 'Replace', opcode: 0x03, quiet: 0x13, log: 'REPLACE', form: FORM.store, reads: storage(items, Mode.Replace) },
    { name: 'Append', opcode: 0x0e, quiet: 0x19, log: 'APPEND', form: FORM.keyAndValue, reads: storage(items, Mode.Append) },
    { name: 'Prepend', opcode: 0x0f, quiet: 0x1a, log: 'PREPEND', form: FORM.keyAndValue,
      reads: storage(items, Mode.Prepend) },
    { name: 'Delete', opcode: 0x04, quiet: 0x14, log: 'DELETE', form: FORM.key, run: session => items.delete(session) },
    { name: 'Increment', opcode: 0x05, quiet: 0x15, log: 'INCR', form: FORM.arithmetic,
      run: session => items.arithmetic(session, false) },
    { name: 'Decrement', opcode: 0x06, quiet: 0x16, log: 'DECR', form: FORM.arithmetic,
      run: session => items.arithmetic(session, true) },

    // about the server
    { name: 'Noop', opcode: 0x0a, log: 'NOOP', form: FORM.nothing, run: () => noop(packets) },
    { name: 'Version', opcode: 0x0b, log: 'VERSION', form: FORM.nothing, run: () => version(packets), isOpen: true },
    { name: 'Quit', opcode: 0x07, quiet: 0x17, log: 'QUIT', form: FORM.nothing, run: session => quit(packets, session) },
    { name: 'Flush', opcode: 0x08, quiet: 0x18, log: 'FLUSH', form: FORM.mayHaveExptime,
      run: session => flush(packets, session) },
    { name: 'Stat', opcode: 0x10, log: 'STATS', form: FORM.mayHaveKey, run: session => stat(packets, session) },

    // about who the client is
    { name: 'SaslListMechs', opcode: 0x20, log: 'SASL MECHANISMS', form: FORM.nothing, isOpen: true,
      run: session => sasl.list(session) },
    { name: 'SaslAuth', opcode: 0x21, log: 'SASL AUTH', form: FORM.keyAndValue, isOpen: true,
      reads: (session, end) => sasl.auth(session, end) },
    { name: 'SaslStep', opcode: 0x22, log: 'SASL STEP', form: FORM.keyAndValue, isOpen: true,
      reads: (session, end) => sasl.step(session, end) },
  ]
}

/** The opcodes of a server that answers discovery. memcached does not have them. */
function configCommands(config: ConfigCommands): readonly CommandRow[] {
  return [
    { name: 'ConfigGet', opcode: 0x60, log: 'CONFIG GET', form: FORM.key, run: session => config.get(session) },
    { name: 'ConfigSet', opcode: 0x64, log: 'CONFIG SET', form: FORM.mayHaveFlags, reads: session => config.set(session) },
    { name: 'ConfigDelete', opcode: 0x66, log: 'CONFIG DELETE', form: FORM.key, run: session => config.delete(session) },
  ]
}

function storage(items: ItemCommands, mode: Mode): CommandRow['reads'] {
  return (session, end) => items.store(session, mode, end)
}
