// The way of serving sockets quickly that is proven, see proof.ts. The command keeps it beside its compiled code, see cli.ts, and
// hands it to later processes of the same Node, which need not prove it again. A leaf of its own, as `memslab -h` loads it too.
import { type WriteWay } from './lesson.js'

let proven: WriteWay | undefined

/** Has this process take a way as proven. Called before the first proof if another process has proved it. */
export function trustWay(way: WriteWay | undefined): void { proven = way }

/** The way that this process has proved, or that it trusts; undefined if there is none, or none yet. */
export function provenWay(): WriteWay | undefined { return proven }
