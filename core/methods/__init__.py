"""Every named method as one Recipe expression. The docstring of a method is its entry in the catalogue.

To add a method: in the module of its family, write one function `name(task) -> Recipe` whose docstring has the sections
of the others, and list it in `__all__`. It is then served by the API, checked by the conformance suite and accepted by
every client, as the function's name with a dash for every underscore.
"""

from core.methods.automatic import AUTO
from core.methods.catalogue import Method, UnknownMethod, all_names, cuts_tiles, method, names, override_schema
from core.methods.task import Task

__all__ = ["AUTO", "Method", "Task", "UnknownMethod", "all_names", "cuts_tiles", "method", "names", "override_schema"]
