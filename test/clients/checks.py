"""Checks that print TAP, one line each, for the client programs in Python.

Values are compared together with their types: 1, True and b'1' are three different answers.
"""


class Checks:
    def __init__(self):
        self.count = 0

    def equal(self, got, wanted, behaviour):
        self._report(is_same(got, wanted), behaviour, f'got {shown(got)}, wanted {shown(wanted)}')

    def true(self, condition, behaviour, detail=''):
        self._report(condition is True, behaviour, detail)

    def raises(self, kind, action, behaviour):
        try:
            got = action()
        except Exception as error:
            self._report(isinstance(error, kind), behaviour, f'raised {error!r}, wanted {kind.__name__}')
        else:
            self._report(False, behaviour, f'got {shown(got)}, wanted {kind.__name__}')

    def skip(self, behaviour, reason):
        self.count += 1
        print(f'ok {self.count} - {behaviour} # SKIP {reason}', flush=True)

    def done(self):
        print(f'1..{self.count}', flush=True)

    def _report(self, is_right, behaviour, detail):
        self.count += 1
        print(f'{"ok" if is_right else "not ok"} {self.count} - {behaviour}', flush=True)
        if not is_right:
            print(f'# {detail}'.replace('\n', ' '), flush=True)


def is_same(a, b):
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(is_same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(is_same, a, b))
    return a == b


def shown(value):
    text = repr(value)
    return text if len(text) < 200 else f'{text[:100]}... ({len(text)} characters)'
