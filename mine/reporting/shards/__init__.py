"""Images in ``.npy`` files that are read when they are drawn, for sets larger than memory.

:mod:`~mine.reporting.shards.writing` writes them block by block,
:mod:`~mine.reporting.shards.reading` reads single ones by their number, and
:mod:`~mine.reporting.shards.stored` stands for an array of them.
"""
