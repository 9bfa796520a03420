// Which recorded blocks are not played, and why: those that wait for a part of
// memslab that does not exist yet, and those that make sense on some transports
// only. Whoever builds a part takes its row out.

import { unescape } from '../support/bytes.js'
import type { Block } from '../support/conversation.js'

interface Row {
  readonly reason: string
  /** Blocks that send this at the start of a line (as Latin-1 text). */
  readonly sends?: RegExp
  readonly file?: RegExp
  readonly block?: RegExp
}

export const waitingRows: readonly Row[] = [
]

export type Transport = 'session' | 'tcp' | 'tls' | 'unix' | 'threads'

interface TransportRow extends Row {
  readonly not: readonly Transport[]
}

export const transportRows: readonly TransportRow[] = [
  { reason: 'shows TCP addresses', file: /^stats.fresh$/, block: /^stats-conns/, not: ['session', 'unix'] },
  { reason: 'shows the statistics of a server without TLS', file: /^stats.general$/, not: ['tls'] },
  { reason: 'is about connections', file: /^own.idle$/, not: ['session'] },
  { reason: 'shows where connections come from', block: /^watch-connevents/, not: ['session', 'unix'] },
  { reason: 'shows the settings of a server with two threads', file: /^stats.options$/, not: ['session', 'tcp', 'tls', 'unix'] },
  { reason: 'shows the settings of a server with one thread', file: /^own.options$/, not: ['threads'] },
  { reason: 'shows the settings of a TCP server', file: /^(stats.settings|own.options)$/, not: ['unix'] },
]

/** Why a block cannot be played yet; undefined if it can. */
export function waitsFor(block: Block): string | undefined {
  const sent = sentText(block)
  return waitingRows.find(row => fits(row, block, sent))?.reason
}

/** Why a block is not for this transport; undefined if it is. */
export function isNotFor(transport: Transport, block: Block): string | undefined {
  return transportRows.find(row => row.not.includes(transport) && fits(row, block, ''))?.reason
}

/** Rows that fit no block, and can go. */
export function uselessRows(blocks: readonly Block[]): readonly Row[] {
  const texts = blocks.map(sentText)
  return [...waitingRows, ...transportRows].filter(row => !blocks.some((block, index) => fits(row, block, texts[index] ?? '')))
}

function fits(row: Row, block: Block, sent: string): boolean {
  return (row.file === undefined || row.file.test(block.file))
    && (row.block === undefined || row.block.test(block.name))
    && (row.sends === undefined || row.sends.test(sent))
}

/** Everything a block sends, each write on a new line; kept texts are left out. */
function sentText(block: Block): string {
  return block.steps.flatMap(step => step.kind === 'send' ? [unescape(step.bytes.replace(/\\\{\w+\}/g, ''))] : []).join('\n')
}
