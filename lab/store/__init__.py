"""What a workspace keeps: the folder (`workspace`), the tables (`models`), the sessions (`database`), the migrations.

Nothing is imported here, so that the folder can be looked at without loading the database layer.
"""
