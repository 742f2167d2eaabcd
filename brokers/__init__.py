"""How an order leaves: brokers behind one interface, always guarded."""
