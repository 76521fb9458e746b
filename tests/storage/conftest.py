from collections.abc import Iterator
from functools import cache

import botocore.session
import pytest

pytest.register_assert_rewrite("blob_store_contract")


@pytest.fixture(scope="session", autouse=True)
def service_models() -> Iterator[None]:
    """What botocore knows of S3 is read once: each session of its own would take a seventh of a second for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", cache(botocore.session.create_loader))
        yield
