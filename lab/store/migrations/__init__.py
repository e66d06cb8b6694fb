"""The history of the schema, one file a change, in `versions`; `lab.store.migrate` runs it."""
