"""Which symbols the venue lists, and what it takes of an order for one."""
