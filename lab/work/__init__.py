"""Who does the work: the queue in the database (`queue`), the worker (`worker`), its processes (`executor`), its start (`launch`).

Nothing is imported here: `launch` is called by the interface, which must not load the database layer for it.
"""
