// Which addresses must open, and which need not.
import t from 'tap'
import { systemError } from '../../src/errors.js'
import { openAddresses, type Opener } from '../../src/net/addresses.js'
import { type Address } from '../../src/options/address.js'
import '../support/fresh.js'

interface Trial extends Opener {
  /** What is open, `host port`. */
  readonly opened: string[]
  readonly warnings: string[]
}

const FREE_PORT = 40_000

/** @param problems by host, or by host and port: the code of what goes wrong there */
function trial(problems: Readonly<Record<string, string>>): Trial {
  const opened: string[] = []
  const warnings: string[] = []
  let tries = 0
  return {
    opened, warnings,
    open: ({ host }: Address, port: number) => {
      const chosen = port === 0 ? FREE_PORT + tries++ : port
      const code = problems[host] ?? problems[`${host} ${chosen}`]
      if (code !== undefined) return Promise.reject(systemError(code, `${host} ${chosen}: ${code}`))
      opened.push(`${host} ${chosen}`)
      return Promise.resolve(chosen)
    },
    undo: () => { opened.length = 0 },
    warn: line => { warnings.push(line) },
  }
}

t.test('without -l 127.0.0.1 must open, and ::1 may be in use or missing, which is a warning', async t => {
  for (const code of ['EADDRINUSE', 'EADDRNOTAVAIL', 'EAFNOSUPPORT']) {
    const half = trial({ '::1': code })
    await openAddresses([], 11211, half)
    t.same([half.opened, half.warnings], [['127.0.0.1 11211'], [`WARNING: ::1 11211: ${code}`]])
  }
  for (const [host, code] of [['127.0.0.1', 'EADDRINUSE'], ['::1', 'EACCES']] as const) {
    await t.rejects(openAddresses([], 11211, trial({ [host]: code })), { code })
  }
})

t.test('what stands for several addresses is served where they are not in use, or known', async t => {
  for (const [host, other] of [['0.0.0.0', '::'], ['::', '0.0.0.0']] as const) {
    for (const code of ['EADDRINUSE', 'EAFNOSUPPORT']) {
      const half = trial({ [host]: code })
      await openAddresses(['*'], 11211, half)
      t.same([half.opened, half.warnings], [[`${other} 11211`], [`WARNING: ${host} 11211: ${code}`]])
    }
    await t.rejects(openAddresses(['*'], 11211, trial({ [host]: 'EACCES' })), { code: 'EACCES' })
    await t.rejects(openAddresses(['*'], 11211, trial({ [host]: 'EADDRNOTAVAIL' })), { code: 'EADDRNOTAVAIL' })
  }
  await t.rejects(openAddresses(['*'], 11211, trial({ '0.0.0.0': 'EADDRINUSE', '::': 'EADDRINUSE' })), { code: 'EADDRINUSE' })
})

t.test('each of several -l must open', async t => {
  const all = ['127.0.0.2', '127.0.0.3:5', '127.0.0.4']
  const whole = trial({})
  await openAddresses(all, 11211, whole)
  t.same(whole.opened, ['127.0.0.2 11211', '127.0.0.3 5', '127.0.0.4 11211'])
  for (const host of ['127.0.0.2', '127.0.0.3', '127.0.0.4']) {
    await t.rejects(openAddresses(all, 11211, trial({ [host]: 'EADDRINUSE' })), { code: 'EADDRINUSE' })
  }
})

t.test('a free port is free on all addresses if there is one', async t => {
  const lucky = trial({ [`::1 ${FREE_PORT}`]: 'EADDRINUSE' })
  await openAddresses([], -1, lucky)
  t.same([lucky.opened, lucky.warnings], [[`127.0.0.1 ${FREE_PORT + 1}`, `::1 ${FREE_PORT + 1}`], []])
  const busy = trial({ '::1': 'EADDRINUSE' })
  await openAddresses([], -1, busy)
  t.match([busy.opened.length, busy.warnings.length], [1, 1])
})
