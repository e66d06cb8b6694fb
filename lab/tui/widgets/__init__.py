"""Widgets that know their own data, post messages and never reach into a sibling."""
