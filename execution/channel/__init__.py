"""How a gateway reaches the replicas: a connection of its own to each, beside Ray.

Ray and Serve place, start, watch and end replicas; the calls themselves go over these
connections, which costs a tenth of what a message over a Serve handle does (decision 0010).
"""
