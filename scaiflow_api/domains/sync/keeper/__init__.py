"""Documents in memory, in a process of their own.

pycrdt holds Python's lock in all it does: to read a draft of 16 MiB takes 0.2 s, in which no socket of the process
would be served, in a thread or not. So the API's process only carries bytes, and asks this one.
"""
