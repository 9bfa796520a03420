// Which recorded blocks make sense on some transports only, and why.

import type { Block } from '../support/conversation.js'

export type Transport = 'session' | 'tcp' | 'tls' | 'unix' | 'threads'

interface Row {
  readonly reason: string
  readonly file?: RegExp
  readonly block?: RegExp
  readonly not: readonly Transport[]
}

const rows: readonly Row[] = [
  { reason: 'shows TCP addresses', file: /^stats.fresh$/, block: /^stats-conns/, not: ['session', 'unix'] },
  { reason: 'shows the statistics of a server without TLS', file: /^stats.general$/, not: ['tls'] },
  { reason: 'is about connections', file: /^own.idle$/, not: ['session'] },
  { reason: 'shows where connections come from', block: /^watch-connevents/, not: ['session', 'unix'] },
  { reason: 'shows the settings of a server with two threads', file: /^stats.options$/, not: ['session', 'tcp', 'tls', 'unix'] },
  { reason: 'shows the settings of a server with one thread', file: /^own.options$/, not: ['threads'] },
  { reason: 'shows the settings of a TCP server', file: /^(stats.settings|own.options)$/, not: ['unix'] },
]

/** Why a block is not for this transport; undefined if it is. */
export function isNotFor(transport: Transport, block: Block): string | undefined {
  return rows.find(row => row.not.includes(transport) && fits(row, block))?.reason
}

/** Rows that fit no block, and can go. */
export function uselessRows(blocks: readonly Block[]): readonly Row[] {
  return rows.filter(row => !blocks.some(block => fits(row, block)))
}

function fits({ file, block: name }: Row, block: Block): boolean {
  return (file === undefined || file.test(block.file)) && (name === undefined || name.test(block.name))
}
