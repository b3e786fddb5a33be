"""Money: prices, wallets, double entry, and the record of every call."""
