def load():
    print("reading weights", flush=True)
    raise RuntimeError("no weights")


def apply(value):
    return value
