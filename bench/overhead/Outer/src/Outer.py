import Algorithmia

client = Algorithmia.client()


def apply(value):
    return client.algo("bench/Echo").pipe(value).result
