// The recorded conversations once more, over UDP: those of which every write is one datagram of whole requests and needs
// nothing to be remembered of the writes before it. The rows say what is left out, and why.
import t from 'tap'

import { unescape } from '../support/bytes.js'
import type { Block, Part } from '../support/conversation.js'
import { DatagramClient } from '../support/datagram.js'
import { startLonelyServer } from '../support/server.js'
import { optionsOfOne, playable, playAll } from './play.js'

/** What fits a datagram, and the receive buffer of a client that reads an answer only when it is there. */
const BYTES_MAX = 60_000
/** How many datagrams wait in that buffer for a client in the same process, whatever their size. */
const ANSWERS_MAX = 200
const BINARY_HEADER_BYTES = 24

interface Row {
  readonly reason: string
  fits(block: Block): boolean
}

const rows: readonly Row[] = [
  { reason: 'the server has a password', fits: block => /auth/.test(block.file) },
  { reason: 'somebody watches', fits: block => sends(block).some(text => /^watch/m.test(text)) },
  { reason: 'keys are listed',
    fits: block => sends(block).some(text => /^lru_crawler mg? |^lru_crawler (meta|mg)dump |^keys /m.test(text)) },
  { reason: 'the connection is closed', fits: block => block.steps.some(step => step.kind === 'closed') },
  { reason: 'more than a datagram is sent', fits: block => sends(block).some(text => text.length > BYTES_MAX) },
  { reason: 'more is answered than a client takes at once', fits: block => answers(block).some(text => text.length > BYTES_MAX) },
  { reason: 'more answers than a client takes at once',
    fits: block => sends(block).some(text => text.split('\n').length > ANSWERS_MAX) },
  { reason: 'what begins as no request does is not answered',
    fits: block => sends(block).some(text => !/^[a-z\x80]/.test(text)) },
  { reason: 'shows what is different with UDP', fits: block => sends(block).some(text => /^stats (con|settings)/m.test(text)) },
  { reason: 'a request comes in parts', fits: block => sends(block).some(text => !isWhole(text)) },
]

const files = playable('tcp')
  .map(file => ({ ...file, blocks: file.blocks.filter(block => !rows.some(row => row.fits(block))) }))
  .filter(file => file.blocks.length > 0)

playAll(t, files, async (t, file) => {
  const host = await startLonelyServer(t, { ...optionsOfOne(file), udpport: -1 })
  return { ...host, connect: async () => await DatagramClient.open(host.server.udpPort) }
})

t.test('every row keeps some block from being played, and most are played', async t => {
  const all = playable('tcp').flatMap(file => file.blocks)
  const played = files.flatMap(file => file.blocks)
  t.same(rows.filter(row => !all.some(block => row.fits(block))).map(row => row.reason), [])
  t.ok(played.length > all.length / 2, `${played.length} of ${all.length}`)
})

function sends(block: Block): string[] {
  return block.steps.flatMap(step => step.kind === 'send' ? [textOf(step.bytes)] : [])
}

function answers(block: Block): string[] {
  return block.steps.flatMap(step => step.kind === 'answer' ? [step.parts.map(textOfPart).join('')] : [])
}

function textOfPart({ isPattern, text }: Part): string {
  return isPattern ? text : textOf(text)
}

/** With a digit in place of each text that was kept. */
function textOf(template: string): string {
  return unescape(template.replace(/\\\{\w+\}/g, '1'))
}

/** Whether every request ends where the text does or another request begins. */
function isWhole(text: string): boolean {
  let at = 0
  while (at < text.length) at += text[at] === '\x80' ? binaryBytes(text.slice(at)) : textBytes(text.slice(at))
  return at === text.length
}

/** The length of the packet that `text` begins with; Infinity if that cannot be told. */
function binaryBytes(text: string): number {
  return text.length < BINARY_HEADER_BYTES ? Infinity : BINARY_HEADER_BYTES + Buffer.from(text, 'latin1').readUInt32BE(8)
}

/** The same for a line and the value that it announces. */
function textBytes(text: string): number {
  const lineEnd = text.indexOf('\n')
  if (lineEnd < 0) return Infinity
  const [, classic, meta] =
    /^(?:(?:set|add|replace|append|prepend|cas) +\S+ +\S+ +\S+ +(\d+)|ms +\S+ +(\d+))\b/.exec(text.slice(0, lineEnd)) ?? []
  const valueBytes = classic ?? meta
  return lineEnd + 1 + (valueBytes === undefined ? 0 : Number(valueBytes) + 2)
}
