"""Deploying flows to ScaiGrid, and what was deployed."""
