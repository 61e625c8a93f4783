"""The plugin's fixtures under the names that the checks use.

Here and not in the plugin: fixtures of a user's own with such names stay theirs, and the checks'
stay the checks'.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from extstorage.lint import ProviderSource
    from extstorage_conformance.subject import Subject


@pytest.fixture
def subject(extstorage_subject: Subject) -> Subject:
    """The provider under test, at work."""
    return extstorage_subject


@pytest.fixture
def source(extstorage_source: ProviderSource) -> ProviderSource:
    """The files of the provider under test."""
    return extstorage_source
