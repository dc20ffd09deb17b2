"""The platform's objects: a project with its secrets, a function, and its runs, each of which is a Model.

Nothing of them is kept here: a run is a Model whose labels name project and function, and a project's secrets
are the keys of one Secret. Another kernel finds the same.
"""

from .objects import Function, Project, Run, get_or_create_project
from .vault import ProjectSecret

__all__ = ["Function", "Project", "ProjectSecret", "Run", "get_or_create_project"]
