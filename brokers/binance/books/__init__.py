"""Books that follow the market streams, each served only while it is known to be the venue's."""
