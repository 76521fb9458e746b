"""`scaiflow deploy`: straight to ScaiGrid, or through ScaiFlow's API."""
