// Spoiled datagrams: each is answered with whole frames and well-formed answers, or not at all, and then the next is
// served. MEMSLAB_SEED and MEMSLAB_FUZZ_SECONDS as in fuzz.test.ts.

import t from 'tap'

import { escape, excerpt } from '../support/bytes.js'
import { frame, startUdpServer } from '../support/datagram.js'
import { lasting } from '../support/length.js'
import { Matching, Mismatch } from '../support/peer.js'
import { Prng } from '../support/prng.js'
import { binaryFrames, textFrames } from './frames.js'
import type { Frames } from './frames.js'
import { mutate } from './mutate.js'
import { binaryFault, textFault } from './wellformed.js'

const SEED = Number(process.env['MEMSLAB_SEED'] ?? 20261122)
const DATAGRAMS = 5000
/** Longer requests are left out, so that items stay small and no answer is more than the client's socket holds. */
const FRAME_BYTES_MAX = 300
const FRAMES_MAX = 5
const BINARY_MAGIC = 0x80
const HEADER_BYTES = 8

t.test('spoiled datagrams', async t => {
  const { client } = await startUdpServer(t, { maxbytes: 8 * 2 ** 20 })
  const prng = new Prng(SEED)
  const sources = [{ isBinary: false, frames: textFrames(prng) }, { isBinary: true, frames: binaryFrames(prng) }]
  const goesOn = lasting(DATAGRAMS, 'MEMSLAB_FUZZ_SECONDS')
  let count = 0
  for (; goesOn(count); count++) {
    const datagram = makeDatagram(prng, prng.pick(sources))
    await client.sendDatagram(datagram)
    await client.send(`mg fence O${count}\r\n`)
    const last = `EN O${count}\r\n`
    const answer = (await client.answer(new Matching(['[^]*', last]))).subarray(0, -last.length)
    const fault = datagram[HEADER_BYTES] === BINARY_MAGIC ? binaryFault(answer) : textFault(answer)
    if (fault !== undefined) {
      throw new Mismatch(`MEMSLAB_SEED=${SEED}: ${fault.message}`,
        { sent: escape(datagram), received: excerpt(answer, fault.at) })
    }
  }
  t.ok(count > 0, `${count} datagrams were served, MEMSLAB_SEED=${SEED}`)
})

function makeDatagram(prng: Prng, { isBinary, frames }: { isBinary: boolean, frames: Frames }): Buffer {
  const requests: Buffer[] = []
  for (let count = prng.between(1, FRAMES_MAX); count > 0; count--) {
    const request = frames()
    if (request.length <= FRAME_BYTES_MAX) requests.push(prng.oneIn(4) ? mutate(request, prng, isBinary) : request)
  }
  const datagram = frame(Buffer.concat(requests), { id: prng.below(0x1_0000), reserved: prng.below(0x1_0000) })
  return prng.oneIn(10) ? mutate(datagram, prng, isBinary) : datagram
}
