"""Where decisions come from: each source gives every decision once, in order, across restarts."""
