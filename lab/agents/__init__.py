"""Agents: who they are, how they think and learn, and the service through which screens and commands use them.

Nothing is imported here: screens need `views` long before the database and Polars are wanted.
"""
