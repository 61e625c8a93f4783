"""Make a project of what cookiecutter has rendered."""

import json
from pathlib import Path

from extstorage.scaffold.answers import Answers
from extstorage.scaffold.finishing import finish

finish(Path.cwd(), Answers.parse(json.loads({{ cookiecutter | answers_literal }})))
