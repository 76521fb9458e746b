"""The platform that runs Cores: who am I, models, and the ScaiCore module."""
