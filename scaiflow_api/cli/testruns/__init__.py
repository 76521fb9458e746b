"""`scaiflow test`: a flow's fixtures, straight at ScaiGrid or through ScaiFlow's API."""
