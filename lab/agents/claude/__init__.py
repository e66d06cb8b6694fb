"""The strategist that asks a Claude model, through the `anthropic` package, within a budget and blind to names and dates.

Nothing is imported here: the package is loaded when a call is made.
"""
