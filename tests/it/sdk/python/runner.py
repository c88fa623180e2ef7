"""A runner of a few lines: functions whose name begins with `test_`, each on its own, one summary line.

pytest is left out on purpose: the suite should run wherever the vendor's packages do. The server is given by the
environment variable LINARITE_CONNECTION_STRING.
"""

import os
import sys
import time
import traceback
import uuid


def connection_string():
    text = os.environ.get("LINARITE_CONNECTION_STRING")
    if not text:
        sys.exit("set LINARITE_CONNECTION_STRING to the server's connection string")
    return text


def unique(prefix):
    """A name that no other test and no earlier run has used."""
    return prefix + uuid.uuid4().hex[:16]


def raises(kind, call, *arguments, code=None, **named):
    """Runs the call, which must fail with this kind of exception and, if given, this error code."""
    try:
        call(*arguments, **named)
    except kind as error:
        if code is not None:
            found = getattr(error, "error_code", None)
            found = getattr(found, "value", found)
            # Some calls of the clients raise without decoding the body; the code is then in the text only.
            right = found == code if found is not None else f'"{code}"' in str(error)
            assert right, f"expected the code {code}, found {found}: {error}"
        return error
    raise AssertionError(f"expected {kind.__name__}, but the call succeeded")


def main(module):
    """Runs all tests of a module, or those whose names contain an argument of the command line."""
    passed, failed = 0, []
    for name, test in list(vars(module).items()):
        if not name.startswith("test_") or not callable(test):
            continue
        if len(sys.argv) > 1 and not any(part in name for part in sys.argv[1:]):
            continue
        start = time.monotonic()
        try:
            test()
            passed += 1
            print(f"ok     {name} ({time.monotonic() - start:.2f} s)", flush=True)
        except Exception:  # every failure is reported, and the rest still runs
            failed.append(name)
            print(f"FAILED {name}", flush=True)
            traceback.print_exc()
    print(f"{passed} passed, {len(failed)} failed {' '.join(failed)}".rstrip())
    sys.exit(1 if failed or not passed else 0)
