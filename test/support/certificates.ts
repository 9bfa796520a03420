// Certificates for tests of TLS, valid from 2020 to 2120, and the files that a server reads them from. All but the
// stranger's are signed by one authority, whose key is not kept. Made with `openssl ecparam -name prime256v1 -genkey`
// and `openssl ca -startdate 20200101000000Z -enddate 21200101000000Z`.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import type { Options } from '../../src/options/options.js'
import type { Ends } from './real.js'

export interface Identity {
  readonly cert: string
  readonly key: string
}

/** Who vouches for the server and for the client. */
export const authority = `-----BEGIN CERTIFICATE-----
MIIBaDCCAQ6gAwIBAgICEAAwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwPbWVtc2xh
YiB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAaMRgw
FgYDVQQDDA9tZW1zbGFiIHRlc3QgQ0EwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC
AARjFKkU/5LOofgkvlmftmhQGz0wkWzlhSbwvh02oChFpUrVBXrJlfdcGCwZkGBH
KBRqPa/5H0yOzw6H1x1WPhs+o0IwQDAPBgNVHRMBAf8EBTADAQH/MA4GA1UdDwEB
/wQEAwIBBjAdBgNVHQ4EFgQUe+oFkfcQTJSLOGkEvz6w18XyxyswCgYIKoZIzj0E
AwIDSAAwRQIgH8Xj388tIvnLSXC8AwFLpy1Htx5/lTls0z55KeMaS+UCIQCdb12Z
XV65A5BkCU9BxfsJvm0a0FPPTW1M6zUbxJlOcA==
-----END CERTIFICATE-----
`

/** The server, as `first.memslab.test`, localhost and 127.0.0.1. */
export const server: Identity = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBsjCCAVigAwIBAgICEAEwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwPbWVtc2xh
YiB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAdMRsw
GQYDVQQDDBJmaXJzdC5tZW1zbGFiLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMB
BwNCAASML52SHiaLwZDUObld25Wd+r4m6mjArWfko9WBr8hmcKiRUIh1qeb71HKD
8/KCHb17+WcwenBbnx3KMzlX/2Iko4GIMIGFMC4GA1UdEQQnMCWCEmZpcnN0Lm1l
bXNsYWIudGVzdIIJbG9jYWxob3N0hwR/AAABMBMGA1UdJQQMMAoGCCsGAQUFBwMB
MB0GA1UdDgQWBBS9KoK+jbSojsfX8jHJMdw0TDGrETAfBgNVHSMEGDAWgBR76gWR
9xBMlIs4aQS/PrDXxfLHKzAKBggqhkjOPQQDAgNIADBFAiEAsOhSpqS2xqF2Pvnz
uvCiu668LnhPTBCvWv5BI0ZK/OYCIB2OoEphTnm25E6vBJBAG9LsTqxITWn5UoRI
eYEGWrmi
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgvb4oq/uz3DBE0aeL
GdLSdnhmFDuY54LNz+rC5g1S3vmhRANCAASML52SHiaLwZDUObld25Wd+r4m6mjA
rWfko9WBr8hmcKiRUIh1qeb71HKD8/KCHb17+WcwenBbnx3KMzlX/2Ik
-----END PRIVATE KEY-----
`,
}

/** The same with a new certificate, as `second.memslab.test`. */
export const renewed: Identity = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBtTCCAVqgAwIBAgICEAIwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwPbWVtc2xh
YiB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjAeMRww
GgYDVQQDDBNzZWNvbmQubWVtc2xhYi50ZXN0MFkwEwYHKoZIzj0CAQYIKoZIzj0D
AQcDQgAEcFOdwPBN6sNnM1pwUg3cP5qMHvgCT2W8Rxr22sxqEi0/60nji3BMok7d
DtOIS3KfYpO4S6Ay762/s4nRBZu+t6OBiTCBhjAvBgNVHREEKDAmghNzZWNvbmQu
bWVtc2xhYi50ZXN0gglsb2NhbGhvc3SHBH8AAAEwEwYDVR0lBAwwCgYIKwYBBQUH
AwEwHQYDVR0OBBYEFGijXzwfh/Uw7mP5173CvgY0xy04MB8GA1UdIwQYMBaAFHvq
BZH3EEyUizhpBL8+sNfF8scrMAoGCCqGSM49BAMCA0kAMEYCIQD9bIO9adFvgcTz
wZY+Ij7E99QsphVS2ehSYVWomYAP3QIhAPPNeOt3XrpOE1KoYNq7wKaqtHvwLj6r
hFicW+geDDp/
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfM0zZl7W62qhIaho
SNfjP4A2UW4bADqt6i5ke6XrAOahRANCAARwU53A8E3qw2czWnBSDdw/mowe+AJP
ZbxHGvbazGoSLT/rSeOLcEyiTt0O04hLcp9ik7hLoDLvrb+zidEFm763
-----END PRIVATE KEY-----
`,
}

/** A client that the authority knows. */
export const client: Identity = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBdzCCARygAwIBAgICEAMwCgYIKoZIzj0EAwIwGjEYMBYGA1UEAwwPbWVtc2xh
YiB0ZXN0IENBMCAXDTIwMDEwMTAwMDAwMFoYDzIxMjAwMTAxMDAwMDAwWjATMREw
DwYDVQQDDAhhIGNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABIPCxjEM
8uob2O9EpQYIC3T0yPABHul3HdVYkXDnVbqPfY63UXCZDJNmKTdbgtzMGvUINOvZ
njP1WXl1b+z9rM2jVzBVMBMGA1UdJQQMMAoGCCsGAQUFBwMCMB0GA1UdDgQWBBRI
f+CoLM3ZG5lZJyzGB/Fp1VtL0jAfBgNVHSMEGDAWgBR76gWR9xBMlIs4aQS/PrDX
xfLHKzAKBggqhkjOPQQDAgNJADBGAiEA2jVSkCcidr+RGqDrAxW08ek0eHnPI531
2kFyvnmL3K8CIQCRxohOkoKxXjbj/Tdr0TwnByejDLr9Ba5yiFpa+P2QMg==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghW0jj7QTPKV/SIbW
0866TbPfAH/BbUtloSAFbZRAgHyhRANCAASDwsYxDPLqG9jvRKUGCAt09MjwAR7p
dx3VWJFw51W6j32Ot1FwmQyTZik3W4LczBr1CDTr2Z4z9Vl5dW/s/azN
-----END PRIVATE KEY-----
`,
}

/** Somebody who vouches for himself. */
export const stranger: Identity = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBFTCBuwICEAQwCgYIKoZIzj0EAwIwFTETMBEGA1UEAwwKYSBzdHJhbmdlcjAg
Fw0yMDAxMDEwMDAwMDBaGA8yMTIwMDEwMTAwMDAwMFowFTETMBEGA1UEAwwKYSBz
dHJhbmdlcjBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABFa9jXAHYF1/vhi/7C6e
zKUt/wlRTTxqAwLIf28DR6FdCzpnL94Etqa9spXHfmesguqk6zL+VWMcXp1FYMfs
Z1AwCgYIKoZIzj0EAwIDSQAwRgIhAP8+ggBaMmAACu+JKG2RY2IIEET4vR2MxlrY
7C4A6dDRAiEAjqUWdJ1p1igdLvbyX6k5leWis6ps9H3WKtEQIhyWe3c=
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgju5HAdKQw5EiiSlt
WtcKD+fk2i4t6pa6Jh8RvEyfU0ChRANCAARWvY1wB2Bdf74Yv+wunsylLf8JUU08
agMCyH9vA0ehXQs6Zy/eBLamvbKVx35nrILqpOsy/lVjHF6dRWDH7GdQ
-----END PRIVATE KEY-----
`,
}

/** The files of a server in a folder of their own. */
export interface CertificateFiles {
  readonly chain: string
  readonly key: string
  readonly authority: string
  /** What a server is told to use them. */
  readonly options: Partial<Options>
  /** Writes another certificate and its key over those that are there. */
  renew(identity: Identity): void
}

export function writeCertificates(t: Ends): CertificateFiles {
  const folder = mkdtempSync(join(tmpdir(), 'memslab-tls-'))
  t.teardown(() => { rmSync(folder, { recursive: true, force: true }) })
  const chain = join(folder, 'server.pem')
  const key = join(folder, 'server.key')
  const authorityFile = join(folder, 'authority.pem')
  const renew = ({ cert, key: text }: Identity): void => {
    writeFileSync(chain, cert)
    writeFileSync(key, text)
  }
  renew(server)
  writeFileSync(authorityFile, authority)
  return {
    chain, key, authority: authorityFile, renew,
    options: { sslEnabled: true, sslChainCert: chain, sslKey: key, sslCaCert: authorityFile },
  }
}
