"""A Python client with SASL. Arguments: the address of a server that knows anna, with the password secret, and the client's module."""

import sys

from checks import Checks

address, module = sys.argv[1:]
checks = Checks()

if module == 'pylibmc':
    import pylibmc
    Refusal = pylibmc.Error

    def connected(**credentials):
        return pylibmc.Client([address], binary=True, **credentials)
else:
    import bmemcached
    Refusal = bmemcached.exceptions.MemcachedException

    def connected(**credentials):
        return bmemcached.Client((address,), **credentials)


client = connected(username='anna', password='secret')
checks.equal(client.set('key', 'value'), True, 'with the right password set stores')
checks.equal(client.get('key'), 'value', 'and get finds it')
checks.raises(Refusal, lambda: connected(username='anna', password='wrong').get('key'), 'a wrong password is refused')
checks.raises(Refusal, lambda: connected(username='nobody', password='secret').get('key'), 'so is an unknown name')
checks.raises(Refusal, lambda: connected().set('key', 'x'), 'and nothing is stored without a password')
checks.equal(client.get('key'), 'value', 'the first client goes on')
checks.done()
