"""The ledger's history of schemas, one revision a file, applied in order by `bot.ledger.migration`.

To change a table: change it where it is declared, then add ``versions/rNNNN_topic.py`` with the next number,
``down_revision`` the number before, and an ``upgrade`` that spells out its columns. A revision never imports
the tables as they are today, because it must still do the same thing when they have changed again; and it is
never edited once it has been released. A test compares what the revisions build with what is declared.
"""
