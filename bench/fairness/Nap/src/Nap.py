import time


def apply(ms):
    time.sleep(ms / 1000)
    return ms
