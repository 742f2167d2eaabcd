"""Binance Spot: market data, shadow validation and live execution over REST and WebSocket.

Its address and its choices are read with a configuration, so this imports nothing of the rest.
"""
