"""pymemcache before a server that it must not trust. Arguments: the server's address, and the file of an authority that does not know it."""

import ssl
import sys

from pymemcache.client.base import Client

from checks import Checks

address, authority = sys.argv[1:]
checks = Checks()


def get(context):
    return Client(address, timeout=20, tls_context=context).get('key')


checks.raises(ssl.SSLCertVerificationError, lambda: get(ssl.create_default_context(cafile=authority)), 'an unknown certificate is refused')
trusting = ssl.create_default_context()
trusting.check_hostname = False
trusting.verify_mode = ssl.CERT_NONE
checks.equal(get(trusting), None, 'a client that does not look is served')
for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
    trusting.minimum_version = trusting.maximum_version = version
    checks.equal(get(trusting), None, f'in {version.name}, too')
checks.raises(Exception, lambda: Client(address, timeout=20).get('key'), 'without TLS nothing is answered')
checks.done()
