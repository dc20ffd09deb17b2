"""Listening on loopback, which every user of a machine reaches: who comes in, how many, how long, how large a body.

The daemon and the client (`calls.forward`) both open ports, and neither imports the other: this is what they share.
"""
