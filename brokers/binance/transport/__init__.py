"""How bytes leave: two transports, each held to the venue's clock, its limits and the kill gate."""
