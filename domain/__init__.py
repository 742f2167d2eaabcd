"""The vocabulary of the trader: pure values, no input or output, standard library only."""
