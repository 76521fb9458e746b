import pytest

pytest.register_assert_rewrite("blob_store_contract")
