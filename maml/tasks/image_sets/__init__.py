"""Sets of images of classes, on their way to a file or a folder: see :mod:`maml.tasks.prepare`."""
