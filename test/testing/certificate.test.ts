// The throw-away certificate: Node.js and openssl read it as what it is.
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { throwAwayCertificate } from '../../src/testing/certificate.js'
import '../support/fresh.js'

const { cert, key } = throwAwayCertificate()
const read = new X509Certificate(cert)

t.test('it is for this machine by any of its names, at all times, and signs itself', async t => {
  t.equal(read.subject, 'CN=memslab throw-away certificate')
  t.equal(read.issuer, read.subject)
  for (const address of ['127.0.0.1', '::1']) t.equal(read.checkIP(address), address)
  t.equal(read.checkHost('localhost'), 'localhost')
  t.equal(read.checkHost('example.com'), undefined)
  t.equal(read.checkIP('10.0.0.1'), undefined)
  t.equal(read.validFrom, 'Jan  1 00:00:00 1970 GMT')
  t.equal(read.validTo, 'Dec 31 23:59:59 9999 GMT')
  t.equal(read.ca, true)
  t.equal(read.verify(read.publicKey), true)
  t.equal(read.checkIssued(read), true)
  t.match(read.serialNumber, /^[4-7][0-9A-F]{31}$/)
  t.equal(read.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1')
})

t.test('its key is its own, and a process has one certificate', async t => {
  t.equal(read.checkPrivateKey(createPrivateKey(key)), true)
  t.equal(throwAwayCertificate().cert, cert)
})

const hasOpenssl = spawnSync('openssl', ['version']).status === 0

t.test('openssl is content with it, even when it is strict', { skip: !hasOpenssl && 'openssl is not installed' }, async t => {
  const file = join(t.testdir(), 'cert.pem')
  writeFileSync(file, cert)
  const { stdout, stderr } = spawnSync('openssl', ['verify', '-x509_strict', '-check_ss_sig', '-CAfile', file, '-verify_ip', '127.0.0.1', file],
    { encoding: 'utf8' })
  t.equal(stdout, `${file}: OK\n`, stderr)
  const shown = spawnSync('openssl', ['x509', '-in', file, '-noout', '-text'], { encoding: 'utf8' }).stdout
  t.match(shown, /Signature Algorithm: ecdsa-with-SHA256/)
  t.match(shown, /X509v3 Key Usage: critical\n +Digital Signature, Certificate Sign\n/)
  t.match(shown, /DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1\n/)
})
