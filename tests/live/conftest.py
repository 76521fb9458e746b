import pytest

pytest.register_assert_rewrite("presence_contract")
