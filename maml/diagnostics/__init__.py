"""Does a model memorize? Scores under changed support sets, and the report that reads them.

:func:`memorization_report` asks any model, in NumPy alone; :func:`maml.diagnose` a learner of this
library. Both give a :class:`MemorizationReport`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["relabelings", "verdict"],
    submod_attrs={
        "black_box": ["memorization_report"],
        "report": ["MemorizationReport"],
    },
)
