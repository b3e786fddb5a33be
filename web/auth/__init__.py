"""Who is asking: people sign in through an issuer and hold a cookie, programs send a key."""
